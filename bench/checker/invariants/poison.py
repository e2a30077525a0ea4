"""10: each poison record is in the dead letters once, its key and value unchanged, and nothing else is there.

Delivery to clone.dead-letters is at least once: a crash between the letter and the offset writes it again, and readers
know the copies by their ce_id. So "once" is: one ce_id a source record, and copies that are the same. They are counted.
"""

from collections.abc import Mapping

from bench.checker.facts import Facts
from bench.checker.report import Findings
from bench.checker.requests import poison_reason
from bench.checker.snapshot import LogRecord
from bench.checker.system import ADMISSIONS, DEAD_LETTERS, REQUESTS, VARIATION_RESULTS

_READ_BY_STAGES = (REQUESTS, ADMISSIONS, VARIATION_RESULTS)


def judge(facts: Facts, found: Findings) -> None:
    """From the poison to its letter, from the letter to its poison, and from what clients produced to the poison."""
    poison: dict[tuple[str, int, int], LogRecord] = {}
    starts: dict[str, Mapping[int, int]] = {}
    for name in _READ_BY_STAGES:
        log = facts.snapshot.logs[name]
        starts[facts.snapshot.prefixed(name)] = log.starts
        for record in log.records:
            if poison_reason(name, record) is not None:
                poison[facts.snapshot.prefixed(name), record.partition, record.offset] = record
    for source, record in poison.items():
        _lettered(facts, found, source, record)
    for source, letters in facts.letters.items():
        if source not in poison and not _is_deleted(starts, source):
            found.violate(_place(letters[0]), f"its source {_source(source)} is no poison")
    _one_source_an_id(facts, found)
    for number, produced in enumerate(facts.snapshot.history.produced):
        if produced.what == "poison" and produced.partition is not None and produced.offset is not None:
            source = (produced.topic, produced.partition, produced.offset)
            there = source in poison or _is_deleted(starts, source)
            found.expect(there, f"history produced {number} ({_source(source)})", "is no poison in the log")


def _is_deleted(starts: Mapping[str, Mapping[int, int]], source: tuple[str, int, int]) -> bool:
    """Whether the record lay before what its topic still has."""
    topic, partition, offset = source
    return offset < starts.get(topic, {}).get(partition, 0)


def _lettered(facts: Facts, found: Findings, source: tuple[str, int, int], record: LogRecord) -> None:
    letters = facts.letters.get(source, [])
    ids = {letter.header("ce_id") for letter in letters}
    where = _source(source)
    if not ids and source[0] in {entry.topic for entry in facts.snapshot.history.records_deleted}:
        found.notes["poison that was deleted, perhaps before it was read, and came back"] += 1
        return
    if not found.expect(len(ids) == 1, where, f"is poison and has {len(ids)} dead letters"):
        return
    found.notes["copies of dead letters"] += len(letters) - 1
    for letter in letters:
        same = letter.key == record.key and (letter.value or b"") == (record.value or b"")
        found.expect(same, _place(letter), f"is not the record of {where} byte for byte")


def _one_source_an_id(facts: Facts, found: Findings) -> None:
    sources: dict[str, tuple[str, int, int]] = {}
    for source, letters in facts.letters.items():
        for letter in letters:
            first = sources.setdefault(letter.header("ce_id") or "", source)
            if first != source:
                found.violate(_place(letter), f"has the ce_id of the letter of {_source(first)}")


def _source(source: tuple[str, int, int]) -> str:
    return "/".join(map(str, source))


def _place(record: LogRecord) -> str:
    return f"{DEAD_LETTERS}/{record.partition}/{record.offset}"
