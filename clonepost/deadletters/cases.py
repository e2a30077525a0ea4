"""From the records of clone.dead-letters and the audit log to cases: one a record that failed, however often. Pure.

A record that was sent again and failed again is the same case: the audit log says where it was sent to, and the new
letter says that it came from there. A header alone is not believed, since anyone who may write a topic may set it.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from runtime.errors import RegistryUnavailable
from runtime.framing import Framing
from runtime.record import Record, header, header_pairs, raw_bytes
from schemas import codec, headers
from schemas.events import EVENT_NAMES
from schemas.ids import parse_uuid
from storage.dead_letters import Action

State = Literal["open", "redriving", "redriven", "discarded"]
STATES: Final[tuple[State, ...]] = ("open", "redriving", "redriven", "discarded")
_ANY_RECORD = frozenset(EVENT_NAMES)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stood, by its topic's full name."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter. `headers` are the record's own, as it came; `fields` is None where it cannot be decoded."""

    letter_id: uuid.UUID
    source: Place
    stage: str
    reason: str
    detail: str
    at_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    fields: Mapping[str, Any] | None
    whole: bool
    """False where the record was too large to be kept: key, value and headers are then not its own."""

    @property
    def org_id(self) -> uuid.UUID | None:
        """The organisation that the record names."""
        return parse_uuid((self.fields or {}).get("orgId") or "")


@dataclass(frozen=True, slots=True)
class Case:
    """A record that failed. `letter` is its first letter and names it, `latest` the one of its last failure."""

    letter: Letter
    latest: Letter
    actions: tuple[Action, ...]
    state: State

    @property
    def redrives(self) -> int:
        """How often it was sent again."""
        return sum(action.kind == "redrive" for action in self.actions)


def read_letter(record: Record, framing: Framing | None = None) -> Letter | None:
    """The letter that a record of clone.dead-letters is; None for what no stage of ours has written.

    `framing` is the schema registry's, where there is one: its bytes stay as they came, and `fields` can be read.
    """
    letter_id = parse_uuid(header(record, headers.CE_ID) or "")
    topic = header(record, headers.DEAD_LETTER_TOPIC)
    numbers = [
        header(record, name) or ""
        for name in (headers.DEAD_LETTER_PARTITION, headers.DEAD_LETTER_OFFSET, headers.DEAD_LETTER_TIME)
    ]
    if letter_id is None or topic is None or not all(text.isascii() and text.isdigit() for text in numbers):
        return None
    partition, offset, at_ms = map(int, numbers)
    value = raw_bytes(record.value())
    return Letter(
        letter_id=letter_id,
        source=Place(topic, partition, offset),
        stage=header(record, headers.DEAD_LETTER_STAGE) or "",
        reason=header(record, headers.DEAD_LETTER_REASON) or "",
        detail=header(record, headers.DEAD_LETTER_DETAIL) or "",
        at_ms=at_ms,
        key=raw_bytes(record.key()),
        value=value,
        headers=tuple(_own_headers(record)),
        fields=_decoded(value, framing),
        whole=header(record, headers.DEAD_LETTER_OMITTED) is None,
    )


def cases(letters: Iterable[Letter], actions: Sequence[Action]) -> list[Case]:
    """Every case, by the order of its first letter."""
    sent_to = {place: action.letter_id for action in actions if (place := _sent_to(action)) is not None}
    files: dict[uuid.UUID, _File] = {}
    # A letter that a crash wrote twice has one id.
    for letter in {letter.letter_id: letter for letter in letters}.values():
        files.setdefault(sent_to.get(letter.source, letter.letter_id), _File()).letters.append(letter)
    for action in actions:
        files.setdefault(action.letter_id, _File()).actions.append(action)
    return [case for case_id, file in files.items() if (case := _case(case_id, file)) is not None]


@dataclass(slots=True)
class _File:
    letters: list[Letter] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)


def _case(case_id: uuid.UUID, file: _File) -> Case | None:
    first = next((letter for letter in file.letters if letter.letter_id == case_id), None)
    if first is None:
        # Only what was done about it is left: its record has expired.
        return None
    latest = first
    state: State = "open"
    if file.actions:
        failed_again = {letter.source: letter for letter in file.letters}
        for action in file.actions:
            if (place := _sent_to(action)) is not None:
                latest = failed_again.get(place, latest)
        state = _state(file.actions[-1], latest)
    return Case(first, latest, tuple(file.actions), state)


def _state(last: Action, latest: Letter) -> State:
    if last.kind == "discard":
        return "discarded"
    place = _sent_to(last)
    if place is None:
        return "redriving"
    return "open" if latest.source == place else "redriven"


def _own_headers(record: Record) -> Iterable[tuple[str, bytes]]:
    for name, value in header_pairs(record):
        if value is None or name == headers.CE_ID:
            continue
        if name == headers.DEAD_LETTER_CE_ID:
            yield headers.CE_ID, value
        elif not name.startswith(headers.DEAD_LETTER_PREFIX):
            yield name, value


def _decoded(value: bytes | None, framing: Framing | None) -> Mapping[str, Any] | None:
    try:
        fields: Mapping[str, Any] = codec.decode(framing.incoming(value) if framing else value, _ANY_RECORD).record
    except (codec.UndecodableRecord, RegistryUnavailable):
        # A registry that is away makes a letter less readable; it can be sent again all the same.
        return None
    return fields


def _sent_to(action: Action) -> Place | None:
    """Where a redrive was found in the log."""
    if action.record_offset is None:
        return None
    return Place(action.topic or "", action.partition or 0, action.record_offset)
