"""Following a job: how long a client prefers to wait, and the stream of its versions as server-sent events."""

import json
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from producer.read.envelopes import TERMINAL, job_envelope, refused_envelope
from producer.read.watch import JobWatch, Snapshot

_MAX_WAIT_SECONDS: Final = 60
HEARTBEAT_SECONDS: Final = 15.0
# A refused request never was a job: below every version, so that a later acceptance is news.
_REFUSED_VERSION: Final = 0
NOTHING_SEEN: Final = -1


def preferred_wait_seconds(values: Sequence[str]) -> int | None:
    """The seconds of `Prefer: wait=n`, at most 60; None without one. Preferences that make no sense are ignored."""
    for value in values:
        for preference in value.split(","):
            name, _, seconds = preference.partition(";")[0].partition("=")
            seconds = seconds.strip().strip('"')
            if name.strip().lower() == "wait" and seconds.isascii() and seconds.isdigit():
                return min(int(seconds[:6]), _MAX_WAIT_SECONDS)
    return None


def last_seen(last_event_id: str | None) -> int:
    """The version that `Last-Event-ID` names; NOTHING_SEEN without one that makes sense."""
    text = last_event_id or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else NOTHING_SEEN


def refusal_events(refusal: dict[str, Any], seen: int) -> AsyncIterator[bytes]:
    """The one event of a request that was refused."""

    async def events() -> AsyncIterator[bytes]:
        if seen < _REFUSED_VERSION:
            yield _event(_REFUSED_VERSION, refused_envelope(refusal))

    return events()


async def job_events(
    watch: JobWatch,
    org_id: uuid.UUID,
    job_id: uuid.UUID,
    first: Snapshot,
    seen: int,
    *,
    heartbeat_seconds: float = HEARTBEAT_SECONDS,
) -> AsyncIterator[bytes]:
    """One event a version above `seen`, the latest where several came at once; ends after the terminal one.

    A comment every `heartbeat_seconds` keeps proxies from closing a quiet stream.
    """
    snapshot = first
    while True:
        version: int = snapshot.job["version"]
        if version > seen:
            yield _event(version, job_envelope(snapshot.job, snapshot.variations))
        if snapshot.job["status"] in TERMINAL:
            return
        while True:
            changed = await watch.changed(org_id, job_id, version, timeout_seconds=heartbeat_seconds)
            if watch.stopping:
                # The client comes back, to another process, with its Last-Event-ID.
                return
            if changed is not None:
                snapshot = changed
                break
            yield b": still running\n\n"


def _event(version: int, envelope: dict[str, Any]) -> bytes:
    kind = "progress" if envelope["status"] == "running" else envelope["status"]
    data = json.dumps(envelope, ensure_ascii=False, separators=(",", ":"))
    return f"id: {version}\nevent: {kind}\ndata: {data}\n\n".encode("utf-8", "replace")
