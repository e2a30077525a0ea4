"""Hostile records through a real broker to the real consumers; then the checker counts decisions and dead letters."""

import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from confluent_kafka import KafkaError, Message, Producer

from bench.checker import System, wait_until_drained
from bench.checker.checking import collect
from bench.checker.facts import Facts
from bench.checker.history import History
from bench.checker.invariants import decided, drained, money, poison
from bench.checker.report import Findings, Report
from bench.checker.requests import poison_reason
from bench.checker.snapshot import LogRecord
from bench.checker.system import REQUESTS
from bench.fuzz.raw_producer import RawProducer
from bench.fuzz.records import TOPICS, Hostile, hostile_records
from bench.fuzz.target import fuzz_stack
from bench.load.tenants import Tenant

_FLUSH_SECONDS: Final = 30.0
_NO_TEXT: Final = b"\xff\xfe"
_RAW_KEY: Final = b"raw-"
_NO_TEXT_RECORDS: Final = 20
_DRAIN_SECONDS: Final = 240.0
# What a broker takes: a record of 1 MB, its frame and all.
_MOST_BYTES: Final = 1_048_000


@dataclass(frozen=True, slots=True)
class Sent:
    """What went in, by topic, what the broker would not take, and what the checker says of the end.

    `decisions` and `dead_letters` are by topic too: records that are no poison, and letters by their source.
    """

    records: Counter[str]
    too_large: int
    drained_seconds: float | None
    decisions: Counter[str]
    dead_letters: Counter[str]
    verdict: Report

    @property
    def ok(self) -> bool:
        """Every record was taken to its end, every invariant holds, and the counts meet."""
        meet = all(n == self.decisions[topic] + self.dead_letters[topic] for topic, n in self.records.items())
        return self.drained_seconds is not None and self.verdict.ok and meet


def send_all(records: int, *, seed: int, say: Callable[[str], None]) -> Sent:
    """Start a stack and feed it. Raises ClonepostError."""
    with fuzz_stack(seed, say) as target:
        return feed(target.system, target.tenants, records, seed=seed, say=say)


def feed(system: System, tenants: Sequence[Tenant], records: int, *, seed: int, say: Callable[[str], None]) -> Sent:
    """Write the records, wait until every stage is at its end, judge. Nobody else may write hostile records there."""
    sent: Counter[str] = Counter()
    places: dict[str, set[tuple[int, int]]] = {topic: set() for topic in TOPICS}
    too_large = _produce(system, tenants, records, seed, sent, places)
    say(f"{sent.total()} records are written; the stages read them")
    waited = wait_until_drained(system, within_seconds=_DRAIN_SECONDS)
    say(waited.waiting_for or f"read to the end in {waited.seconds:.0f} s; the checker reads everything")
    facts = Facts(collect(system, History(drained=[waited])))
    return Sent(sent, too_large, waited.seconds, *_ends(facts, places), _verdict(facts))


def _ends(facts: Facts, places: Mapping[str, set[tuple[int, int]]]) -> tuple[Counter[str], Counter[str]]:
    """How each record of ours ended; one that has neither a decision nor a letter is in neither count."""
    decisions: Counter[str] = Counter()
    letters: Counter[str] = Counter()
    for topic in TOPICS:
        for record in facts.snapshot.logs[topic].records:
            place = (record.partition, record.offset)
            # Others than we write to the topics behind clone.requests: what they wrote is no record of ours.
            if place not in places[topic] and not (record.key or b"").startswith(_RAW_KEY):
                continue
            if (facts.snapshot.prefixed(topic), *place) in facts.letters:
                letters[topic] += 1
            elif _is_decided(facts, topic, record):
                decisions[topic] += 1
    return decisions, letters


def _is_decided(facts: Facts, topic: str, record: LogRecord) -> bool:
    if topic == REQUESTS:
        return len(facts.decisions(facts.asked_at[record.partition, record.offset])) == 1
    # There it is a wake-up: read, and its offset committed, as invariant 11 says.
    return poison_reason(topic, record) is None


def _verdict(facts: Facts) -> Report:
    """Those invariants that hold whoever writes to a topic: money, dead letters, ends, decisions."""
    judges = {4: money.judge, 10: poison.judge, 11: drained.judge, 12: decided.judge_decisions}
    findings = []
    for number, judge in judges.items():
        found = Findings(number)
        judge(facts, found)
        findings.append(found)
    return Report(tuple(findings))


def _produce(
    system: System,
    tenants: Sequence[Tenant],
    records: int,
    seed: int,
    sent: Counter[str],
    places: Mapping[str, set[tuple[int, int]]],
) -> int:
    refused: list[KafkaError] = []

    def delivered(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            refused.append(error)
        else:
            topic = (message.topic() or "").removeprefix(system.topic_prefix)
            places[topic].add((message.partition() or 0, message.offset() or 0))

    settings: Mapping[str, str | int | bool] = {
        **system.kafka,
        "linger.ms": 20,
        "message.max.bytes": _MOST_BYTES,
        "allow.auto.create.topics": False,
    }
    producer = Producer(dict(settings))
    too_large = 0
    for hostile in itertools.islice(hostile_records(seed, tenants), records):
        if _size(hostile) > _MOST_BYTES:
            too_large += 1
            continue
        while True:
            try:
                producer.produce(
                    system.topic(hostile.topic),
                    hostile.value,
                    hostile.key,
                    headers=hostile.headers,
                    on_delivery=delivered,
                )
            except BufferError:
                producer.poll(0.1)
            else:
                break
        producer.poll(0)
        sent[hostile.topic] += 1
    if producer.flush(_FLUSH_SECONDS) or refused:
        raise RuntimeError(f"the broker did not take everything: {refused[:3]}")
    raw = RawProducer(str(system.kafka["bootstrap.servers"]))
    try:
        for number, topic in enumerate(itertools.islice(itertools.cycle(TOPICS), _NO_TEXT_RECORDS)):
            raw.send(system.topic(topic), _RAW_KEY + str(number).encode(), b"noise", _NO_TEXT)
            sent[topic] += 1
    finally:
        raw.close()
    return too_large


def _size(hostile: Hostile) -> int:
    headers = sum(len(name.encode()) + len(value or b"") + 20 for name, value in hostile.headers)
    return len(hostile.key or b"") + len(hostile.value or b"") + headers + 200
