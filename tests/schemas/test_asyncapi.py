"""The AsyncAPI document is valid, and says what the topic table, the schemas and the examples say."""

import copy
import json
import os
from typing import Any, Final

import pytest
from jsonschema import Draft7Validator

from schemas import codec
from schemas.asyncapi import document
from schemas.events import EVENT_NAMES
from schemas.example_records import examples
from schemas.topics import ALL_TOPICS, REQUESTS
from tests.fetched import unpacked

_VERSION: Final = "6.11.1"
_SHA256: Final = "01af8744dc33c0c7eb2e908f6a955319ee58b70ecadc9387d1aeb16c0cd28928"


@pytest.fixture(scope="module")
def official() -> Draft7Validator:
    """The schema of AsyncAPI 3.0.0 documents as its makers publish it on npm."""
    mirror = os.environ.get("NPM_CONFIG_REGISTRY", "https://registry.npmjs.org").rstrip("/")
    folder = unpacked(f"asyncapi-specs-{_VERSION}", f"{mirror}/@asyncapi/specs/-/specs-{_VERSION}.tgz", _SHA256)
    file = folder / "package" / "schemas" / "3.0.0-without-$id.json"
    return Draft7Validator(json.loads(file.read_text("utf-8")))


def spec() -> dict[str, Any]:
    return copy.deepcopy(json.loads(json.dumps(document())))


def test_the_document_is_asyncapi_3(official: Draft7Validator) -> None:
    assert [error.message for error in official.iter_errors(spec())] == []


@pytest.mark.parametrize(
    "path",
    [
        "channels/clone.requests/adress",
        "operations/receive.clone.requests/action",
        "components/messages/CloneReply/example",
    ],
)
def test_the_official_schema_finds_mistakes(official: Draft7Validator, path: str) -> None:
    broken = spec()
    *parents, last = path.split("/")
    part = broken
    for name in parents:
        part = part[name]
    part[last] = "read"
    assert not official.is_valid(broken)


def test_it_says_what_the_topic_table_says() -> None:
    channels = spec()["channels"]
    assert set(channels) == {topic.name for topic in ALL_TOPICS}
    for topic in ALL_TOPICS:
        channel = channels[topic.name]
        assert set(channel["messages"]) == topic.records
        kafka = channel["bindings"]["kafka"]
        assert (kafka["topic"], kafka["partitions"]) == (topic.name, topic.partitions)
        assert kafka["topicConfiguration"]["retention.ms"] == int(topic.config()["retention.ms"])
        assert kafka["topicConfiguration"]["cleanup.policy"] == [topic.config()["cleanup.policy"]]


def test_each_topic_has_one_operation_from_this_system_s_view() -> None:
    actions = {one["channel"]["$ref"].rpartition("/")[2]: one["action"] for one in spec()["operations"].values()}
    assert actions == {topic.name: "receive" if topic is REQUESTS else "send" for topic in ALL_TOPICS}


@pytest.mark.parametrize("name", EVENT_NAMES)
def test_each_message_has_the_schema_and_the_examples(name: Any) -> None:
    message = spec()["components"]["messages"][name]
    assert message["payload"]["schema"] == codec.schema_json(name)
    assert [example["payload"] for example in message["examples"]] == [example.record for example in examples(name)]
