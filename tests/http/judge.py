"""Reads clone.requests and answers as the test says, in the place of the dedup stage."""

import threading
import uuid
from dataclasses import dataclass
from typing import Any, Literal

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from runtime.kafka import new_consumer
from runtime.publishing import Outgoing, Publisher
from runtime.record import Record, header_pairs, raw_bytes
from runtime.settings import Settings
from schemas import codec, headers
from schemas.topics import REPLIES, REQUESTS
from tests.awaiting import eventually

SILENCE: Literal["silence"] = "silence"


@dataclass(frozen=True, slots=True)
class Seen:
    """One record of clone.requests."""

    name: str
    record: dict[str, Any]
    headers: dict[str, str]
    key: bytes | None


class Judge:
    """Accepts every request, unless `verdicts` says otherwise for its container."""

    def __init__(self, settings: Settings) -> None:
        self._prefix = settings.topic_prefix
        self._publisher = Publisher(settings)
        self._consumer: Consumer = new_consumer(settings, group="judge")
        topic = settings.topic_prefix + REQUESTS.name
        self._consumer.assign(
            [TopicPartition(topic, number, OFFSET_BEGINNING) for number in range(REQUESTS.partitions)]
        )
        self.verdicts: dict[str, dict[str, Any] | Literal["silence"]] = {}
        self.seen: list[Seen] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="judge")
        self._thread.start()

    def close(self) -> None:
        """Stop reading."""
        self._stopping.set()
        self._thread.join()
        self._consumer.close()
        self._publisher.close()

    def request_for(self, container: uuid.UUID) -> Seen:
        """The one request for a container, once it is there."""
        (one,) = eventually(
            lambda: [seen for seen in self.seen if seen.record["containerId"] == str(container)],
            what="the request is published",
        )
        return one

    def reply(self, seen: Seen, verdict: dict[str, Any]) -> None:
        """Publish a verdict on a request."""
        reply = {
            "requestId": seen.headers[headers.CE_ID],
            "jobId": str(uuid.uuid4()),
            "outcome": "accepted",
            "code": None,
            "message": None,
            "details": None,
            **verdict,
        }
        self.send(codec.encode("CloneReply", reply), int(seen.headers[headers.REPLY_TO]))

    def send(self, value: bytes, partition: int) -> None:
        """Publish any bytes to a partition of clone.replies."""
        self._publisher.publish([Outgoing(self._prefix + REPLIES.name, None, value, partition=partition)])

    def _run(self) -> None:
        while not self._stopping.is_set():
            message = self._consumer.poll(0.05)
            if message is not None and message.error() is None:
                self._judge(message)

    def _judge(self, record: Record) -> None:
        decoded = codec.decode(raw_bytes(record.value()), REQUESTS.records)
        sent = {name: (value or b"").decode() for name, value in header_pairs(record)}
        seen = Seen(decoded.name, decoded.record, sent, raw_bytes(record.key()))
        self.seen.append(seen)
        verdict = self.verdicts.get(seen.record["containerId"], {})
        if verdict != SILENCE and headers.REPLY_TO in sent:
            self.reply(seen, verdict)
