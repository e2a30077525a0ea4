"""Tests against real Kafka and real Postgres, started once a session by conftest.py."""
