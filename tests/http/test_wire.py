"""What leaves the server: each answer in one piece, and in order."""

import asyncio
from typing import Any

import pytest

from producer.wire import _Gathering


class _Transport:
    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.sent.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


@pytest.fixture
def anyio_backend() -> str:
    """The event loop of the API."""
    return "asyncio"


def _gathering(transport: Any) -> _Gathering:
    return _Gathering(transport, asyncio.get_running_loop())


@pytest.mark.anyio
async def test_what_one_turn_writes_is_sent_at_once_and_turns_stay_in_order() -> None:
    transport = _Transport()
    gathering = _gathering(transport)
    gathering.write(b"head")
    gathering.write(b"body")
    assert transport.sent == []
    await asyncio.sleep(0)
    assert transport.sent == [b"headbody"]
    gathering.write(b"next")
    await asyncio.sleep(0)
    assert transport.sent == [b"headbody", b"next"]


@pytest.mark.anyio
async def test_closing_sends_what_is_held_first_and_a_closed_transport_gets_nothing() -> None:
    transport = _Transport()
    gathering = _gathering(transport)
    gathering.write(b"last words")
    gathering.close()
    assert (transport.sent, transport.closed) == ([b"last words"], True)
    gathering.write(b"too late")
    await asyncio.sleep(0)
    assert transport.sent == [b"last words"]
