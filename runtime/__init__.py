"""Process plumbing: settings, logging, metrics, tracing, errors, Kafka clients, the batch loop, dead letters.

The only room that names confluent_kafka: everyone else sees the protocols of `runtime.record` and
`runtime.publishing`. May import `schemas`; nothing else of ours.
"""
