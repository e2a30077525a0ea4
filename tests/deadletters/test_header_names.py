"""Header names that are no text: the client raises at them, or ends the process, unless it is asked with care."""

from collections.abc import Callable

import pytest

from bench.fuzz.raw_producer import RawProducer
from runtime.framing import FramedRecord, Framing
from runtime.record import Record, header_pairs
from runtime.settings import Settings
from runtime.tailing import tail
from schemas.topics import REQUESTS

# The interpreter drops its check of a call's result where that call has been made a few times.
_OFTEN = 40


def framed(record: Record) -> Record:
    return FramedRecord(record, Framing({}, lambda _: None))


@pytest.mark.parametrize("as_read", [lambda record: record, framed], ids=["plain", "framed"])
def test_headers_that_cannot_be_read_are_none_however_often_one_asks(
    settings: Settings, as_read: Callable[[Record], Record]
) -> None:
    topic = settings.topic_prefix + REQUESTS.name
    producer = RawProducer(settings.bootstrap_servers)
    try:
        for _ in range(_OFTEN):
            producer.send(topic, b"same", b"fine", b"name")
        for _ in range(3):
            producer.send(topic, b"same", b"not text", b"\xff\xfe")
        producer.send(topic, b"same", b"fine", b"name")
    finally:
        producer.close()
    read = list(tail(settings, topic, partitions=REQUESTS.partitions, from_beginning=True, until_end=True))
    assert [record.value() for record in read] == [b"fine"] * _OFTEN + [b"not text"] * 3 + [b"fine"]
    for record in map(as_read, read):
        expected = [("name", b"kept")] if record.value() == b"fine" else []
        assert header_pairs(record) == expected
        assert header_pairs(record) == expected
