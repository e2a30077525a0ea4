"""The stages of the pipeline: dedup, generation, projector, relay. They meet only in topics and tables.

May import `storage`, `runtime` and `schemas`; never each other, `producer` or `clonepost`.
"""
