"""What stands before a real registry: asks for a user's name and password, and can be closed as an outage is."""

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Final

from clonepost.localstack.ports import free_port


class Gate:
    """Passes every call on while it is open. `calls` are those that came: method and path."""

    def __init__(self, behind: str, user_info: str | None = None) -> None:
        self._behind = behind
        self._needed = None if user_info is None else "Basic " + base64.b64encode(user_info.encode()).decode()
        self._port = free_port()
        self._server: ThreadingHTTPServer | None = None
        self.url: Final = f"http://127.0.0.1:{self._port}"
        self.calls: list[str] = []

    def open(self) -> None:
        """Listen."""
        gate = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                gate.calls.append(f"{self.command} {self.path}")
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, answer = gate.answer(self.command, self.path, body or None, self.headers.get("Authorization"))
                self.send_response_only(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def do_POST(self) -> None:
                self.do_GET()

            def do_PUT(self) -> None:
                self.do_GET()

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Nobody listens here any more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def answer(self, method: str, path: str, body: bytes | None, authorization: str | None) -> tuple[int, bytes]:
        """The registry's answer, or 401."""
        if self._needed is not None and authorization != self._needed:
            return 401, json.dumps({"error_code": 401, "message": "Unauthorized"}).encode()
        request = urllib.request.Request(self._behind + path, method=method, data=body)
        request.add_header("Content-Type", "application/vnd.schemaregistry.v1+json")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


@contextmanager
def opened(behind: str, user_info: str | None = None) -> Iterator[Gate]:
    """An open gate."""
    gate = Gate(behind, user_info)
    gate.open()
    try:
        yield gate
    finally:
        gate.close()
