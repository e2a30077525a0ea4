"""The dedup consumer's tests: pure rules, the stage on real Postgres, the stage on real Kafka and Postgres."""
