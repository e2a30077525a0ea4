"""TCP proxies, one a link, that can be slow, lose bytes, reset connections, or lose one particular answer."""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import uvloop

from bench.drill.protocols import Watch

Mode = Literal["pass", "delay", "drop", "half-open"]
_REFUSAL_SECONDS: Final = 0.5
_CHUNK_BYTES: Final = 65_536
_RESET: Final = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where a link leads: a port on 127.0.0.1, or a unix socket."""

    port: int | None = None
    path: str | None = None


@dataclass(slots=True, eq=False)
class _Connection:
    """Both ends. `doomed`: bytes were lost, so the stream must never go on."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    watch: Watch | None
    doomed: bool = False

    def reset(self) -> None:
        """End it as a network does that has lost one of its ends: with RST, not with FIN."""
        for transport in (self.client.transport, self.server.transport):
            end = transport.get_extra_info("socket")
            if not transport.is_closing() and end is not None and end.family == socket.AF_INET:
                with suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            transport.abort()


@dataclass(slots=True, eq=False)
class Link:
    """One link. What it does to bytes is set from any thread through `Links`."""

    name: str
    port: int
    upstream: Upstream
    new_watch: Callable[[], Watch] | None = None
    mode: Mode = "pass"
    delay_seconds: float = 0.0
    losing: Literal["", "cut", "silent"] = ""
    lost_answers: int = 0
    connections: set[_Connection] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        try:
            if self.upstream.path is not None:
                back_reader, back = await asyncio.open_unix_connection(self.upstream.path)
            else:
                back_reader, back = await asyncio.open_connection("127.0.0.1", self.upstream.port)
        except OSError:
            # A server that is away refuses, and clients back off; one that takes a connection and ends it at once is
            # asked again and again, by every client. This is between the two.
            await asyncio.sleep(_REFUSAL_SECONDS)
            writer.transport.abort()
            return
        connection = _Connection(writer, back, self.new_watch() if self.new_watch is not None else None)
        self.connections.add(connection)
        pumps = [
            asyncio.ensure_future(self._requests(connection, reader)),
            asyncio.ensure_future(self._answers(connection, back_reader)),
        ]
        try:
            # One side's end is passed on as both sides' end: neither protocol has a use for half of a connection.
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            self.connections.discard(connection)
            if connection.doomed:
                connection.reset()
            for end in (writer, back):
                end.close()

    async def _requests(self, connection: _Connection, reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK_BYTES):
                if connection.watch is not None:
                    connection.watch.asked(data)
                if self.mode == "delay":
                    await asyncio.sleep(self.delay_seconds)
                if self.mode == "drop" or connection.doomed:
                    connection.doomed = True
                    continue
                connection.server.write(data)
                await connection.server.drain()

    async def _answers(self, connection: _Connection, reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK_BYTES):
                if self.mode == "delay":
                    await asyncio.sleep(self.delay_seconds)
                passed = data if connection.watch is None else self._but_the_lost(connection, data)
                if self.mode in ("drop", "half-open") or connection.doomed:
                    connection.doomed = True
                    if self.mode == "pass":
                        return
                    continue
                connection.client.write(passed)
                await connection.client.drain()

    def _but_the_lost(self, connection: _Connection, data: bytes) -> bytes:
        assert connection.watch is not None
        passed = []
        for frame, sought in connection.watch.answered(data):
            if not (sought and self.losing):
                passed.append(frame)
                continue
            connection.doomed = self.losing == "cut"
            self.losing = ""
            self.lost_answers += 1
            if connection.doomed:
                # Nothing that follows may reach the client either, and what came before has lost its chance.
                return b""
        return b"".join(passed)


class Links:
    """All proxies, in one thread."""

    def __init__(self) -> None:
        self.by_name: dict[str, Link] = {}
        self._loop = uvloop.new_event_loop()
        self._servers: list[asyncio.Server] = []
        self._thread = threading.Thread(target=self._loop.run_forever, name="links", daemon=True)
        self._thread.start()

    def open(self, link: Link) -> None:
        """Listen on the link's port."""
        self.by_name[link.name] = link

        async def listen() -> None:
            self._servers.append(await asyncio.start_server(link.serve, "127.0.0.1", link.port, backlog=512))

        self._do(listen())

    def set(self, name: str, mode: Mode, delay_seconds: float = 0.0) -> None:
        """From now on the link does this. Connections that lost bytes are reset once it passes them again."""
        link = self.by_name[name]

        async def change() -> None:
            link.mode, link.delay_seconds = mode, delay_seconds
            if mode in ("pass", "delay"):
                for connection in [one for one in link.connections if one.doomed]:
                    connection.reset()

        self._do(change())

    def lose(self, name: str, how: Literal["", "cut", "silent"]) -> None:
        """The next answer that the link watches for is lost, with its connection (`cut`) or alone; "" calls it off."""
        self.by_name[name].losing = how

    def reset(self, name: str) -> None:
        """Reset every connection of the link."""

        async def reset() -> None:
            for connection in list(self.by_name[name].connections):
                connection.reset()

        self._do(reset())

    def heal(self) -> None:
        """Every link passes everything on."""
        for name in self.by_name:
            self.lose(name, "")
            self.set(name, "pass")

    def close(self) -> None:
        """End every connection and the thread."""

        async def close() -> None:
            for server in self._servers:
                server.close()
            for link in self.by_name.values():
                for connection in list(link.connections):
                    connection.reset()

        self._do(close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()
