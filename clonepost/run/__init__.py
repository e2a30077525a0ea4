"""One composition root per role: the only places where settings, Kafka, Postgres and a stage meet."""
