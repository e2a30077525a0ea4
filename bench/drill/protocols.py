"""Just enough of two protocols to find one answer in a stream: Postgres' to COMMIT, and Kafka's to EndTxn."""

import struct
from typing import Final, Protocol

_END_TXN: Final = 26
_COMMIT_COMPLETE: Final = b"COMMIT\0"
_LENGTH: Final = struct.Struct(">i")
_REQUEST: Final = struct.Struct(">hhi")


class Frames:
    """Cuts a stream into whole messages: `type_bytes`, a length of four bytes that may count itself, then so much."""

    def __init__(self, *, type_bytes: int, counts_itself: bool) -> None:
        self._type_bytes = type_bytes
        self._head = type_bytes + _LENGTH.size
        self._beyond = type_bytes if counts_itself else self._head
        self._kept = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are whole now, heads included."""
        self._kept += data
        found: list[bytes] = []
        at = 0
        while len(self._kept) - at >= self._head:
            size = self._beyond + int(_LENGTH.unpack_from(self._kept, at + self._type_bytes)[0])
            if len(self._kept) - at < size:
                break
            found.append(bytes(self._kept[at : at + size]))
            at += size
        del self._kept[:at]
        return found


class Watch(Protocol):
    """Follows one connection and names the messages of the server that answer the request in question."""

    def asked(self, data: bytes) -> None:
        """The client sent this."""
        ...

    def answered(self, data: bytes) -> list[tuple[bytes, bool]]:
        """The server sent this: every message that is whole now, and whether it is such an answer."""
        ...


class CommitWatch:
    """Postgres, without TLS: finds the CommandComplete of a COMMIT, whatever protocol it was asked by."""

    def __init__(self) -> None:
        self._frames = Frames(type_bytes=1, counts_itself=True)

    def asked(self, data: bytes) -> None:
        """Nothing: the answer says what it answers."""

    def answered(self, data: bytes) -> list[tuple[bytes, bool]]:
        """See Watch."""
        return [(frame, frame[:1] == b"C" and frame[5:] == _COMMIT_COMPLETE) for frame in self._frames.feed(data)]


class EndTxnWatch:
    """Kafka: finds the answer to EndTxn by the correlation id of its request."""

    def __init__(self) -> None:
        self._requests = Frames(type_bytes=0, counts_itself=False)
        self._answers = Frames(type_bytes=0, counts_itself=False)
        self._waiting: set[int] = set()

    def asked(self, data: bytes) -> None:
        """See Watch."""
        for frame in self._requests.feed(data):
            request, _, correlation = _REQUEST.unpack_from(frame, _LENGTH.size)
            if request == _END_TXN:
                self._waiting.add(correlation)

    def answered(self, data: bytes) -> list[tuple[bytes, bool]]:
        """See Watch."""
        found = []
        for frame in self._answers.feed(data):
            (correlation,) = _LENGTH.unpack_from(frame, _LENGTH.size)
            found.append((frame, correlation in self._waiting))
            self._waiting.discard(correlation)
        return found
