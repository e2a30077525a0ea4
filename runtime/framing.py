"""The Confluent wire format, at the edge: what stands in front of a record's body where a schema registry is in use.

Inside this system records are single objects (C3 01 and the schema's fingerprint); on the wire they begin with 00 and
the id that the registry gave the schema. The body behind is the same, so clients exchange the one for the other as
records leave and come in, and nothing else knows of a registry. What comes in as a single object stays as it is.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from runtime.errors import RegistryUnavailable
from runtime.record import ClientHeaders, Record, client_headers, raw_bytes

_SINGLE_OBJECT: Final = b"\xc3\x01"
_FINGERPRINT: Final = slice(2, 10)
_CONFLUENT: Final = b"\x00"
_ID: Final = slice(1, 5)
_ASK_AGAIN_SECONDS: Final = 1.0

AskFingerprint = Callable[[int], bytes | None]
"""The fingerprint of the schema of an id; None when the registry has no such id, or a schema that is none of ours.
Raises RegistryUnavailable."""


class Framing:
    """Exchanges the two framings. Ids are learnt once: at the start, or when a record first carries them."""

    def __init__(self, ids: Mapping[bytes, int], ask: AskFingerprint) -> None:
        """`ids` are those of the schemas that the registry has, by fingerprint; `ask` is for ids that come up later."""
        self._frames = {fingerprint: _CONFLUENT + number.to_bytes(4, "big") for fingerprint, number in ids.items()}
        self._fingerprints = {number: fingerprint for fingerprint, number in ids.items()}
        self._ask = ask
        self._silent_until = 0.0

    def outgoing(self, value: bytes | None) -> bytes | None:
        """A single object as the registry's readers take it; everything else as it is."""
        if value is None or value[:2] != _SINGLE_OBJECT:
            return value
        frame = self._frames.get(value[_FINGERPRINT])
        return value if frame is None else frame + value[_FINGERPRINT.stop :]

    def incoming(self, value: bytes | None) -> bytes | None:
        """A record as a single object; everything else, and what carries an id that is none of ours, as it is.

        Raises RegistryUnavailable when the id is new and the registry cannot be asked: nothing is wrong with the
        record then.
        """
        if value is None or value[:1] != _CONFLUENT or len(value) < _ID.stop:
            return value
        number = int.from_bytes(value[_ID], "big")
        fingerprint = self._fingerprints.get(number) or self._learn(number)
        return value if fingerprint is None else _SINGLE_OBJECT + fingerprint + value[_ID.stop :]

    def record(self, record: Record) -> Record:
        """The record, with its value as `incoming` gives it."""
        return FramedRecord(record, self)

    def _learn(self, number: int) -> bytes | None:
        # A registry that does not answer is not asked again for each record: that would block whoever reads.
        if time.monotonic() < self._silent_until:
            raise RegistryUnavailable("the schema registry did not answer a moment ago")
        try:
            fingerprint = self._ask(number)
        except RegistryUnavailable:
            self._silent_until = time.monotonic() + _ASK_AGAIN_SECONDS
            raise
        if fingerprint is not None:
            # Ids are never given again. One that is missing is asked for each time: a registry's replica may lag.
            self._fingerprints[number] = fingerprint
        return fingerprint


@dataclass(frozen=True, slots=True)
class FramedRecord:
    """A record from a topic whose values may be in the Confluent wire format."""

    read: Record
    framing: Framing

    def topic(self) -> str | None:
        return self.read.topic()

    def partition(self) -> int | None:
        return self.read.partition()

    def offset(self) -> int | None:
        return self.read.offset()

    def key(self) -> bytes | str | None:
        return self.read.key()

    def value(self) -> bytes | str | None:
        """The value as a single object. Raises RegistryUnavailable."""
        return self.framing.incoming(raw_bytes(self.read.value()))

    def headers(self) -> ClientHeaders:
        return client_headers(self.read)

    def set_headers(self, headers: list[tuple[str, str | bytes | None]]) -> None:
        self.read.set_headers(headers)

    def timestamp(self) -> tuple[int, int]:
        return self.read.timestamp()


def value_as_read(record: Record) -> bytes | None:
    """The value's bytes as they stand in the topic, whatever framing they have."""
    return raw_bytes(record.read.value() if isinstance(record, FramedRecord) else record.value())
