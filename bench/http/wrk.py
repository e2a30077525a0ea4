"""The load generator: wrk, in a process of its own, with our script of requests."""

import json
import resource
import shutil
import subprocess
from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import Any, Final

from runtime.errors import ClonepostError

_PROGRAM: Final = "wrk"


@dataclass(frozen=True, slots=True)
class Load:
    """Whom to send what. Without `per_second`, each connection sends its next request when it has its answer."""

    url: str
    project_id: str
    api_key: str
    connections: int
    seconds: float
    per_second: float | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """What came back. `late` sends were more than 5 ms behind their time: then the rate was not held."""

    requests: int
    seconds: float
    refused: int
    """Answers of 400 and above."""
    broken: int
    """Connections and requests that ended without an answer."""
    late: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    generator_cores: float
    """What wrk itself took of the machine, in cores."""

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds


def require_wrk() -> None:
    """Raises ClonepostError with the way to get it when wrk is not installed."""
    if shutil.which(_PROGRAM) is None:
        raise ClonepostError("wrk, the load generator, is not installed: `apt-get install wrk` or `brew install wrk`")


def run(load: Load) -> Answered:
    """Send for as long as the load says. Raises ClonepostError when wrk fails."""
    with as_file(files("bench.http") / "load.lua") as script:
        command = [_PROGRAM, "--threads=1", f"--connections={load.connections}", f"--duration={load.seconds:.0f}s"]
        # A request without an answer for so long is broken; the API itself gives up before.
        command += ["--timeout=15s", f"--script={script}", load.url, "--"]
        command += [str(load.per_second or 0), load.project_id, load.api_key]
        before = _children_seconds()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        spent = _children_seconds() - before
    if done.returncode != 0:
        raise ClonepostError(f"wrk failed: {(done.stderr or done.stdout).strip()[-300:]}")
    return answered(done.stdout, spent)


def answered(output: str, cpu_seconds: float) -> Answered:
    """Read what the script printed last; `cpu_seconds` is what wrk took."""
    told: dict[str, Any] = json.loads(output.strip().rpartition("\n")[2])
    seconds = told["duration"] / 1e6
    return Answered(
        requests=told["requests"],
        seconds=seconds,
        refused=told["refused"],
        broken=told["broken"],
        late=told["late"],
        p50_ms=told["p50"] / 1e3,
        p99_ms=told["p99"] / 1e3,
        max_ms=told["max"] / 1e3,
        generator_cores=cpu_seconds / seconds,
    )


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
