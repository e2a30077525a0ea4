"""Real Kafka and real Postgres on one machine, from wheels and jars, and every role under one supervisor."""
