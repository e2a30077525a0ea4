"""Places between two effects where a process can be made to die or to freeze, so that tests see what a restart makes
of what it left.

    CLONEPOST_FAILPOINTS="dedup.committed=kill@2; relay.publish=stop"

The process kills itself (SIGKILL) when it passes the first place for the second time, and freezes (SIGSTOP, until a
SIGCONT) when it passes the other. Where none is armed, a pass costs one look at an empty table.
"""

import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog

_log = structlog.get_logger(__name__)

NAMES: Final[dict[str, str]] = {
    "ingest.queued": "the request is in the client; nobody knows whether the broker has it",
    "ingest.acknowledged": "the request is durable; the verdict is not known",
    "ingest.answered": "the verdict is known; the partner has no answer",
    "publish.queued": "records are in the client; any part of them may be in the log",
    "loop.handled": "a batch is durable and published; its offsets are not committed",
    "loop.offsets_sent": "the commit of the offsets is on its way",
    "dedup.written": "verdicts are written; the transaction is open",
    "dedup.committed": "verdicts are committed; nothing is published",
    "fanout.written": "the variations' rows are written; the transaction is open",
    "fanout.committed": "rows are leased to this process; its pool does not know them",
    "fanout.submitted": "the pool works; the cancels' wake-ups are not published, the offsets not committed",
    "claim.written": "rows are claimed; the transaction is open",
    "claim.committed": "rows are claimed by this process; its pool does not know them",
    "work.begun": "a worker has a variation; the generator has not been called",
    "work.made": "the generator has returned; the result is in memory only",
    "results.written": "results are written; the transaction is open",
    "results.committed": "variations have ended; nobody is told",
    "results.published": "the projector is told; the slots are not free yet",
    "renew.written": "leases are renewed; the transaction is open",
    "renew.committed": "leases are renewed; those that were lost still run",
    "steps.committed": "a step of slow work is written; nobody is told",
    "sweep.written": "repairs are written; the transaction is open",
    "sweep.committed": "repairs are committed; nobody is told",
    "sweep.published": "the projector is told; the sweep is not remembered",
    "project.written": "jobs are ended, settled, in the outbox; the transaction is open",
    "project.committed": "jobs have ended; their events are not published",
    "project.published": "the events are published; their jobs still stand as untold",
    "relay.lead": "the round's transaction is open; no checkpoint is locked",
    "relay.fence": "this relay leads; earlier publishers are not fenced",
    "relay.scan": "earlier publishers are fenced; the log is not read",
    "relay.select": "a fenced relay is about to read the outbox",
    "relay.publish": "the outbox is read; nothing is sent",
    "relay.end_transaction": "records are sent; the Kafka transaction is open",
    "relay.read_back": "the Kafka transaction has ended; nothing is read back",
    "relay.mark": "the log is read; nothing is marked",
    "relay.commit": "rows are marked and checkpoints moved; the transaction is open",
}
"""Every failpoint, and how things stand there."""

_ACTIONS: Final = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
_TRIGGER: Final = re.compile(r"([a-z_.]+)=(\w+)(?:@([1-9]\d*))?")


@dataclass(slots=True)
class _Armed:
    action: Callable[[], None]
    passes_left: int


_armed: Final[dict[str, _Armed]] = {}
_counting: Final = threading.Lock()


def failpoint(name: str) -> None:
    """Pass a place; what is armed there happens."""
    if _armed:
        _pass(name)


def _pass(name: str) -> None:
    with _counting:
        armed = _armed.get(name)
        if armed is None:
            return
        armed.passes_left -= 1
        if armed.passes_left:
            return
        del _armed[name]
    _log.warning("failpoint_reached", at=name)
    armed.action()


@dataclass(frozen=True, slots=True)
class Trigger:
    """What the process does to itself, and at which of its passes of the place."""

    name: str
    signal: signal.Signals
    at_pass: int


def triggers(text: str) -> list[Trigger]:
    """Read a setting. Raises ValueError that says what is wrong."""
    found = []
    for part in filter(None, map(str.strip, text.split(";"))):
        match = _TRIGGER.fullmatch(part)
        if match is None:
            raise ValueError(f"{part!r} is not name=action or name=action@pass")
        name, action, at_pass = match.groups()
        if name not in NAMES:
            raise ValueError(f"there is no failpoint {name}; they are {', '.join(NAMES)}")
        if action not in _ACTIONS:
            raise ValueError(f"there is no action {action}; they are {', '.join(_ACTIONS)}")
        found.append(Trigger(name, _ACTIONS[action], int(at_pass or 1)))
    return found


def arm(text: str) -> None:
    """Arm what a setting names, in this process."""
    for trigger in triggers(text):
        _log.warning("failpoint_armed", name=trigger.name, signal=trigger.signal.name, at_pass=trigger.at_pass)
        _armed[trigger.name] = _Armed(partial(os.kill, os.getpid(), trigger.signal), trigger.at_pass)


@contextmanager
def armed(name: str, action: Callable[[], None], *, at_pass: int = 1) -> Iterator[None]:
    """Have `action` called in the thread that passes the place for the `at_pass`-th time: for tests in one process."""
    if name not in NAMES:
        raise ValueError(f"there is no failpoint {name}")
    _armed[name] = _Armed(action, at_pass)
    try:
        yield
    finally:
        _armed.pop(name, None)
