"""Postgres: the tables, their migrations, and one module of queries per writer.

What lives here is the only code that names SQLAlchemy or psycopg. Each state transition has one function here and one
caller. Driver errors become domain errors once, in `storage.connection`. May import `runtime` (errors, settings) and
`schemas` (ids, codes); never `producer`, `consumers` or `clonepost`.
"""
