"""AsyncAPI 3 from the topic table and the `.avsc` files: one source, so that it cannot drift."""

from typing import Any, Final

from schemas.codec import schema_json
from schemas.events import EVENT_NAMES, EventName
from schemas.example_records import examples
from schemas.headers import CE_ID, CE_SOURCE, CE_TIME, CE_TYPE, REPLY_TO, TRACEPARENT
from schemas.topics import ALL_TOPICS, REQUESTS, Topic

VERSION: Final = "1.0.0"
_AVRO: Final = "application/vnd.apache.avro+json;version=1.12.0"


def document() -> dict[str, Any]:
    """The AsyncAPI 3 document."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "clonepost",
            "version": VERSION,
            "description": "Clone a top performer. Records use Avro single-object encoding: C3 01, the schema's "
            "CRC-64-AVRO fingerprint (8 bytes, little-endian), the body. Where the cluster has a schema registry they "
            "are written in the Confluent wire format: 00, the schema's id (4 bytes, big-endian), the body; subjects "
            "are the records' full names. Both are read.",
        },
        "defaultContentType": "application/avro",
        "channels": {topic.name: _channel(topic) for topic in ALL_TOPICS},
        "operations": {f"{_action(topic)}.{topic.name}": _operation(topic) for topic in ALL_TOPICS},
        "components": {"messages": {name: _message(name) for name in EVENT_NAMES}},
    }


def _action(topic: Topic) -> str:
    # From the point of view of this system: it receives requests and sends everything else.
    return "receive" if topic is REQUESTS else "send"


def _operation(topic: Topic) -> dict[str, Any]:
    return {
        "action": _action(topic),
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "summary": topic.description,
    }


def _channel(topic: Topic) -> dict[str, Any]:
    return {
        "address": topic.name,
        "description": topic.description,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in sorted(topic.records)},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": {"cleanup.policy": ["delete"], "retention.ms": topic.retention_ms},
                "bindingVersion": "0.5.0",
            }
        },
    }


def _message(name: EventName) -> dict[str, Any]:
    schema = schema_json(name)
    text = {"type": "string"}
    return {
        "name": name,
        "title": name,
        "summary": schema["doc"],
        "contentType": "application/avro",
        "headers": {
            "type": "object",
            "properties": dict.fromkeys((CE_ID, CE_TYPE, CE_SOURCE, CE_TIME, TRACEPARENT, REPLY_TO), text),
        },
        "payload": {"schemaFormat": _AVRO, "schema": schema},
        "examples": [
            {"name": example.name, "summary": example.about, "payload": example.record} for example in examples(name)
        ],
        "bindings": {"kafka": {"key": {"type": "string", "description": "containerId as lower-case UUID text"}}},
    }
