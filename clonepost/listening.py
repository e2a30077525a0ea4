"""The socket that partners connect to."""

import socket
from typing import Final

from runtime.errors import Fatal

BACKLOG: Final = 2_048


def listen(host: str, port: int) -> socket.socket:
    """Listen there. Raises Fatal with the fix when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        place = f"{host}:{port}"
        raise Fatal(f"cannot listen on {place} ({error.strerror}): set CLONEPOST_HTTP_PORT to a free port") from error
