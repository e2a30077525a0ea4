"""Each stage's intake, in this process: a record is a decision or a dead letter, and the checker agrees which."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from bench.checker.requests import asked, poison_reason
from bench.checker.snapshot import LogRecord
from bench.checker.system import ADMISSIONS, REQUESTS, VARIATION_RESULTS
from bench.fuzz.records import Hostile
from consumers.dedup.intake import CloneQuestion, read_record
from consumers.generation.fanout import Admitted, is_passed_over
from consumers.projector.consumer import job_id_of
from runtime.dead_letters import dead_letter
from runtime.errors import Poison
from runtime.record import ClientHeaders, raw_bytes
from schemas.topics import DEAD_LETTERS, MAX_DEAD_LETTER_BYTES

_STAGES: Final[Mapping[str, str]] = {REQUESTS: "dedup", ADMISSIONS: "generate", VARIATION_RESULTS: "project"}
_MOST_FINDINGS: Final = 20


@dataclass(frozen=True, slots=True)
class Read:
    """A record as the client would hand it over."""

    hostile: Hostile
    at: int

    def topic(self) -> str:
        return self.hostile.topic

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self.at

    def key(self) -> bytes | str | None:
        return self.hostile.key

    def value(self) -> bytes | str | None:
        return self.hostile.value

    def headers(self) -> ClientHeaders:
        return self.hostile.headers

    def set_headers(self, headers: list[tuple[str, str | bytes | None]]) -> None:
        raise AssertionError("these can be read")

    def timestamp(self) -> tuple[int, int]:
        return 1, 0


@dataclass(slots=True)
class Tally:
    """What became of the records: by topic and outcome, by what was done to them; and what should not have been."""

    records: int = 0
    decisions: Counter[str] = field(default_factory=Counter)
    dead_letters: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Each record ended as one of the two, and nothing was found."""
        return not self.findings and self.records == self.decisions.total() + self.dead_letters.total()

    def find(self, what: str) -> None:
        """Keep the first few findings."""
        if len(self.findings) < _MOST_FINDINGS:
            self.findings.append(what)


def read_all(records: Iterable[Hostile]) -> Tally:
    """Have each record read by its stage. An exception that is no Poison is a finding, and so is another judgement."""
    tally = Tally()
    for number, hostile in enumerate(records):
        tally.records += 1
        tally.kinds[hostile.how] += 1
        record = Read(hostile, number)
        try:
            outcome = _READERS[hostile.topic](record)
        except Poison as poison:
            tally.dead_letters[f"{hostile.topic} {poison.reason}"] += 1
            _check_letter(tally, record, poison)
            dead = True
        except Exception as error:  # noqa: BLE001 -- what a stage would die of is what is sought
            tally.find(f"record {number} ({hostile.how}) on {hostile.topic}: {type(error).__name__}: {error}")
            continue
        else:
            tally.decisions[f"{hostile.topic} {outcome}"] += 1
            dead = False
        reason = poison_reason(hostile.topic, _logged(record))
        if (reason is not None) != dead:
            tally.find(f"record {number} ({hostile.how}) on {hostile.topic}: dead letter {dead}, the checker: {reason}")
    return tally


def _request(record: Read) -> str:
    question = read_record(record)
    seen = asked(_logged(record))
    expected = (seen.kind, seen.container, seen.org)
    kind = "clone" if isinstance(question, CloneQuestion) else "cancel"
    found = (kind, str(question.container_id), None if question.org_id is None else str(question.org_id))
    if (
        found != expected
        or (seen.job is None) != bool(question.problems)
        or seen.job not in (None, str(question.job_id))
    ):
        raise AssertionError(f"read as {found} {question.job_id}, by the checker as {expected} {seen.job}")
    return f"{kind}, malformed" if question.problems else kind


def _admission(record: Read) -> str:
    value = raw_bytes(record.value())
    if is_passed_over(value):
        return "passed over"
    admitted = Admitted()
    admitted.add(record, value)
    return "accepted" if admitted.accepted else "canceled"


def _wakeup(record: Read) -> str:
    job_id_of(record)
    return "wake-up"


_READERS: Final[Mapping[str, Callable[[Read], str]]] = {
    REQUESTS: _request,
    ADMISSIONS: _admission,
    VARIATION_RESULTS: _wakeup,
}


def _check_letter(tally: Tally, record: Read, poison: Poison) -> None:
    letter = dead_letter(record, poison, stage=_STAGES[record.topic()], dead_letters_topic=DEAD_LETTERS.name)
    headers = sum(len(name.encode()) + len(value or b"") for name, value in letter.headers)
    if len(letter.key or b"") + len(letter.value or b"") + headers > MAX_DEAD_LETTER_BYTES:
        tally.find(f"record {record.at} ({record.hostile.how}): its dead letter is larger than the topic takes")


def _logged(record: Read) -> LogRecord:
    pairs = tuple(
        (name, value.encode() if isinstance(value, str) else value)
        for name, value in record.hostile.headers
        if value is not None
    )
    return LogRecord(0, record.at, record.hostile.key, record.hostile.value, pairs)
