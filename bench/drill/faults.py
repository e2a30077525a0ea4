"""The kinds of faults: what each does, whom it may meet, how often it comes where it comes, and how long it lasts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

PROCESSES: Final[Mapping[str, str]] = {
    name if number == 1 else f"{name}-{number}": name
    for name in ("api", "dedup", "generate", "project", "relay")
    for number in (1, 2)
}
"""Every role process of a drill and its role: two of each, so that a frozen one has a successor to disagree with."""

ROLES: Final = tuple(dict.fromkeys(PROCESSES.values()))
SERVERS: Final = ("kafka", "postgres")
LINKS: Final = (*(f"{role}:{server}" for role in ROLES for server in SERVERS), "partners:api", "partners:api-2")
"""Every connection that has a proxy in it, as `who:whom`."""

_LOOP: Final = ("publish.queued", "loop.handled", "loop.offsets_sent")
PLACES: Final[Mapping[str, tuple[str, ...]]] = {
    "api": ("ingest.queued", "ingest.acknowledged", "ingest.answered"),
    "dedup": ("dedup.written", "dedup.committed", *_LOOP),
    "generate": (
        *("fanout.written", "fanout.committed", "fanout.submitted", "claim.written", "claim.committed"),
        *("work.begun", "work.made", "results.written", "results.committed", "results.published"),
        *("renew.written", "renew.committed", "steps.committed"),
        *("sweep.written", "sweep.committed", "sweep.published", *_LOOP),
    ),
    "project": ("project.written", "project.committed", "project.published", *_LOOP),
    "relay": (
        *("relay.lead", "relay.fence", "relay.scan", "relay.select", "relay.publish", "relay.end_transaction"),
        *("relay.read_back", "relay.mark", "relay.commit"),
    ),
}
"""The failpoints that each role passes (runtime.failpoint)."""

ZOMBIE_PLACES: Final[Mapping[str, tuple[str, ...]]] = {
    "dedup": ("dedup.written", "dedup.committed"),
    "generate": ("work.begun", "work.made"),
    "project": ("project.written", "project.committed"),
    "relay": ("relay.publish", "relay.end_transaction"),
}
"""Where a process has work in hand that its successor will do as well, once it is let."""

WORKERS: Final = tuple(name for name, role in PROCESSES.items() if role == "generate")
_GROWING: Final = ("clone.admissions", "clone.variation-results", "clone.job-events", "clone.jobs-completed")
_PROCESS_NAMES: Final = tuple(PROCESSES)
_STAGES: Final = tuple(name for name, role in PROCESSES.items() if role in ZOMBIE_PLACES)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. In a phase that has it, it comes every `gap_seconds` on average."""

    what: str
    targets: tuple[str, ...]
    gap_seconds: float
    least_seconds: float = 0.0
    most_seconds: float = 0.0
    stops_everything: bool = False
    """Nothing moves anywhere while it lasts: it comes in few phases, so that most of a drill is work under harm."""
    keeps_workers: bool = False
    """Whoever generates lives on and renews its leases in time, or before anybody takes them away."""


# Longer than a lease (5 s in a drill), a relay's silence (3 s) and a slow commit (1 s), so that a successor is in the
# midst of the same work when it ends. At times longer than a group session and a delivery (10 s) too.
_PAST_A_LEASE: Final = (6.0, 16.0)

KINDS: Final[Mapping[str, Kind]] = {
    "kill": Kind("SIGKILL of a process at any instant", _PROCESS_NAMES, 1.5),
    "failpoint": Kind("SIGKILL, and then again at a named step of its next life", _PROCESS_NAMES, 3),
    "failpoint-freeze": Kind("SIGSTOP at a named step; SIGCONT past a lease", _PROCESS_NAMES, 12, *_PAST_A_LEASE),
    "freeze": Kind("SIGSTOP of a process past a lease, then SIGCONT", _PROCESS_NAMES, 8, *_PAST_A_LEASE),
    "zombie": Kind(
        "SIGSTOP at a step with work in hand, its database connections cut so that its successor goes on; SIGCONT",
        _STAGES,
        5,
        *_PAST_A_LEASE,
    ),
    "restart": Kind("SIGTERM of a process, started again", _PROCESS_NAMES, 8),
    "absent": Kind("SIGTERM of a process that stays away", _PROCESS_NAMES, 12, 4, 12),
    "broker-kill": Kind("SIGKILL of the broker", ("kafka",), 20, stops_everything=True),
    "broker-restart": Kind("SIGTERM of the broker, started again", ("kafka",), 25, stops_everything=True),
    "broker-freeze": Kind("SIGSTOP of the broker, then SIGCONT", ("kafka",), 20, 2, 14, stops_everything=True),
    "postgres-kill": Kind("SIGKILL of the postmaster", ("postgres",), 15, stops_everything=True),
    "postgres-immediate": Kind(
        "Postgres stopped as by `-m immediate`, started again", ("postgres",), 15, stops_everything=True
    ),
    "postgres-restart": Kind(
        "Postgres stopped as by `-m fast`, started again", ("postgres",), 15, stops_everything=True
    ),
    "postgres-freeze": Kind(
        "SIGSTOP of the postmaster and all backends, then SIGCONT", ("postgres",), 20, 2, 12, stops_everything=True
    ),
    "backends": Kind("pg_terminate_backend for every connection of a role", ROLES, 4),
    "delay": Kind("every chunk of a link is late by 50 to 500 ms", LINKS, 6, 3, 8),
    "drop": Kind("a link loses all bytes of both directions, and is reset at the end", LINKS, 8, 3, 16),
    "half-open": Kind("a link loses what the server answers, and is reset at the end", LINKS, 8, 3, 16),
    "reset": Kind("every connection of a link is reset", LINKS, 4),
    "lost-commit": Kind(
        "the next COMMIT's answer is lost, and its connection",
        tuple(link for link in LINKS if link.endswith(":postgres") and not link.startswith("api")),
        3,
        5,
        5,
    ),
    "lost-end-txn": Kind("the next EndTxn's answer is lost, with its connection or without", ("relay:kafka",), 6, 5, 5),
    "disk-full": Kind("the server's disk is full", SERVERS, 25, 2, 6, stops_everything=True),
    "rebalance": Kind(
        "strangers join a group and leave it, again and again", ("dedup", "generate", "project"), 15, 4, 8
    ),
    "growth": Kind("a topic gets one partition more", _GROWING, 30),
    "results-lost": Kind(
        "a projector dies behind a commit, and all wake-ups are deleted before it is back", ("project", "project-2"), 12
    ),
    "late-worker": Kind(
        "SIGSTOP of a worker past its leases, while nobody sweeps", WORKERS, 10, 6, 8, keeps_workers=True
    ),
    "day": Kind(
        "every Idempotency-Key grows a day older, while nobody sweeps", ("postgres",), 10, 2, 4, keeps_workers=True
    ),
    "provider": Kind(
        "a provider that hangs, crashes its caller, is slow past a lease, or answers nobody; it comes with the load",
        (),
        0,
    ),
}
"""Every kind by name. clone.requests is never grown: first-wins holds within a partition, so it is drained first."""
