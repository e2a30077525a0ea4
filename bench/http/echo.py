"""The yardstick: an ASGI application that sends the body back, on the server that the API has, and nothing else.

The server is the API's own: its configuration, its protocol class, its event loop.

`python -m bench.http.echo PORT` serves it on this machine until SIGTERM.
"""

import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn

from clonepost.run.api import new_loop, server_config

Message = MutableMapping[str, Any]


async def echo(
    _scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Answer 202 with the request's body."""
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 202, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=new_loop) as runner:
        listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
        runner.run(uvicorn.Server(server_config(echo)).serve([listening]))
