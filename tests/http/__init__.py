"""The HTTP API as a process of its own, on real Kafka and Postgres; only the verdicts are the test's."""
