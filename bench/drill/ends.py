"""What role processes said that ended by themselves, or not when asked: kept, for the stack takes its logs with it."""

import json
import tempfile
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

_KEPT_BYTES: Final = 64_000
_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class End:
    """One end. `how` is an exit code, or what was done to a process that did not stop."""

    process: str
    how: str
    reason: str
    """What its last error says; empty where it said none."""
    log: str
    """Where the end of its log is, or why it was not kept."""

    def as_json(self) -> dict[str, Any]:
        """A JSON-ready form."""
        return asdict(self)


class Ends:
    """Those of one drill. The first hundred have the end of their logs kept, 64 kB of each, in a folder that stays."""

    def __init__(self) -> None:
        self._found: list[End] = []
        self._folder: Path | None = None
        self._lock = threading.Lock()

    @property
    def found(self) -> tuple[End, ...]:
        """All of them, in order."""
        return tuple(self._found)

    def look(self, process: str, how: str, log: Path) -> None:
        """It has ended so, by an exit code or a signal's name: one of ours, if the code is not 0 or work was left."""
        if how == "0":
            with suppress(OSError):
                if any('"work_left"' in line for line in _last_life(_tail(log))):
                    self.add(process, "0, and left its work", log)
        elif how.isdigit():
            self.add(process, how, log)

    def add(self, process: str, how: str, log: Path) -> None:
        """It has ended so; its log is there, with those of its earlier lives in front."""
        with self._lock:
            try:
                said = _tail(log)
                kept = "not kept: there are many" if len(self._found) >= _MOST else str(self._keep(process, said))
            except OSError as error:
                # A log that cannot be kept must not end the drill.
                said, kept = b"", f"not kept: {error.strerror}"
            self._found.append(End(process, how, _reason(said), kept))

    def _keep(self, process: str, said: bytes) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="clonepost-drill-ends-"))
        file = self._folder / f"{len(self._found) + 1:03}-{process}.log"
        file.write_bytes(said)
        return file


def _tail(log: Path) -> bytes:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _KEPT_BYTES))
        return file.read()


def _last_life(said: bytes) -> list[str]:
    """Its lines, the last one first."""
    lines = reversed(said.decode("utf-8", "replace").splitlines())
    return list(takewhile(lambda line: '"role_started"' not in line, lines))


def _reason(said: bytes) -> str:
    for line in _last_life(said):
        if '"level": "error"' in line or '"work_left"' in line:
            with suppress(json.JSONDecodeError):
                told = json.loads(line)
                return f"{told['event']}: {told.get('reason') or _work(told)}"
    return ""


def _work(told: dict[str, Any]) -> str:
    """Where the thread was that does the work, if the line tells that."""
    where: dict[str, str] = told.get("where", {})
    return where.get("work", "")
