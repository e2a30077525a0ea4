"""A TCP proxy before a broker that can lose the answer to one kind of request, once."""

import socket
import struct
import threading
from collections.abc import Generator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Final

END_TXN: Final = 26
"""Kafka's number of the request that ends a transaction."""


@dataclass(slots=True)
class _Loss:
    request: int
    cut: bool
    happened: threading.Event = field(default_factory=threading.Event)
    correlation: int | None = None
    connection: object | None = None


class Proxy:
    """Passes everything on. The broker advertises the proxy's port, so nobody goes around it."""

    def __init__(self, port: int, broker_port: int) -> None:
        self._broker_port = broker_port
        self._loss: _Loss | None = None
        self._listener = socket.create_server(("127.0.0.1", port), backlog=512)
        threading.Thread(target=self._accept, daemon=True).start()

    def lose_answer(self, request: int, *, cut: bool) -> threading.Event:
        """Lose the answer to the next such request, and with `cut` its connection too. Set once it is lost."""
        loss = _Loss(request, cut)
        self._loss = loss
        return loss.happened

    def close(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                broker = socket.create_connection(("127.0.0.1", self._broker_port))
            except OSError:
                client.close()
                continue
            threading.Thread(target=self._serve, args=(client, broker), daemon=True).start()

    def _serve(self, client: socket.socket, broker: socket.socket) -> None:
        connection = object()
        with client, broker:
            for one in (client, broker):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            requests = threading.Thread(target=self._requests, args=(client, broker, connection), daemon=True)
            requests.start()
            self._answers(client, broker, connection)
            requests.join()

    def _requests(self, client: socket.socket, broker: socket.socket, connection: object) -> None:
        with suppress(OSError), closing(_frames(client)) as frames:
            for frame in frames:
                request, _, correlation = struct.unpack_from(">hhi", frame, 4)
                loss = self._loss
                if loss is not None and loss.correlation is None and request == loss.request:
                    loss.correlation, loss.connection = correlation, connection
                broker.sendall(frame)
        _shut(client, broker)

    def _answers(self, client: socket.socket, broker: socket.socket, connection: object) -> None:
        with suppress(OSError), closing(_frames(broker)) as frames:
            for frame in frames:
                (correlation,) = struct.unpack_from(">i", frame, 4)
                loss = self._loss
                if loss is not None and (loss.connection, loss.correlation) == (connection, correlation):
                    self._loss = None
                    loss.happened.set()
                    if loss.cut:
                        break
                    continue
                client.sendall(frame)
        _shut(client, broker)


def _frames(source: socket.socket) -> Generator[bytes, None, None]:
    """Whole frames with their length in front, until the connection ends."""
    with source.makefile("rb") as stream:
        while len(head := stream.read(4)) == 4:
            body = stream.read(struct.unpack(">i", head)[0])
            yield head + body


def _shut(*sockets: socket.socket) -> None:
    for one in sockets:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
