"""Which cases a command is about, and how its options say so."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from clonepost.deadletters.cases import STATES, Case, State
from runtime.errors import ClonepostError
from schemas.ids import InvalidId, parse_id, parse_uuid


@dataclass(frozen=True, slots=True)
class Filter:
    """Which cases a command is about; what is empty excludes nothing. Times are Unix ms of the last failure."""

    ids: frozenset[uuid.UUID] = frozenset()
    states: frozenset[State] = frozenset()
    stage: str | None = None
    reason: str | None = None
    org_id: uuid.UUID | None = None
    key: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    def takes(self, case: Case) -> bool:
        """Whether the case fits all of it."""
        letter = case.latest
        return (
            (not self.ids or case.letter.letter_id in self.ids)
            and (not self.states or case.state in self.states)
            and self.stage in (None, letter.stage)
            and self.reason in (None, letter.reason)
            and self.org_id in (None, letter.org_id)
            and (self.key is None or self.key.encode() == letter.key)
            and (self.since_ms is None or letter.at_ms >= self.since_ms)
            and (self.until_ms is None or letter.at_ms < self.until_ms)
        )


def read_filter(
    stage: str | None,
    reason: str | None,
    organization: str | None,
    key: str | None,
    since: str | None,
    until: str | None,
    *,
    states: Sequence[str],
    ids: Sequence[str] | None = None,
) -> Filter:
    """The filter that these options ask for. Raises ClonepostError that names what is wrong with one."""
    unknown = [state for state in states if state not in STATES]
    if unknown:
        raise ClonepostError(f"there is no state {unknown[0]}; the states are {', '.join(STATES)}")
    org_id: uuid.UUID | None = None
    if organization is not None:
        try:
            org_id = parse_id("org", organization)
        except InvalidId as error:
            raise ClonepostError(f"--organization {error}") from error
    return Filter(
        ids=frozenset(map(letter_id_of, ids or ())),
        states=frozenset(state for state in STATES if state in states),
        stage=stage,
        reason=reason,
        org_id=org_id,
        key=key,
        since_ms=_time_ms("--since", since),
        until_ms=_time_ms("--until", until),
    )


def letter_id_of(text: str) -> uuid.UUID:
    """A letter's id from a command line. Raises ClonepostError."""
    letter_id = parse_uuid(text)
    if letter_id is None:
        raise ClonepostError(f"{text} is no letter id; `clonepost dlq list` shows them")
    return letter_id


def _time_ms(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ClonepostError(f"{option} takes a time with its zone, such as 2026-01-31T12:00:00Z")
    return int(at.timestamp() * 1000)
