"""The relay on real Kafka and real Postgres: one record per event, whatever ends it and wherever."""
