"""With a schema registry: the Confluent wire format on every topic, both framings read, outages are no poison."""
