"""What a check found: for each invariant how much was looked at, and which records or rows break it."""

import dataclasses
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

INVARIANTS: Final = {
    1: "every 202 ends",
    2: "one winner per organisation and container: the lowest offset that was accepted",
    3: "same request, same answer; a different one is a conflict; never both accepted",
    4: "available + reserved + spent is constant, never negative; one reserve and one settle a job",
    5: "each variation ends once, and no stale attempt writes",
    6: "one completion record per completed job; a live analyst and a rescan agree",
    7: "the event ids in the log are those of the outbox",
    8: "the envelope is the fold of claims and variations",
    9: "what a client sees of a job never goes back",
    10: "each poison record is dead-lettered, once",
    11: "everything drains within its time; processes stay flat",
    12: "every record of clone.requests has exactly one decision",
}
_KEPT: Final = 200


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise. `where` names the record or row: `topic/partition/offset`, `table key`, `history …`."""

    invariant: int
    where: str
    what: str

    def __str__(self) -> str:
        return f"[{self.invariant}] {self.where}: {self.what}"


@dataclass(slots=True)
class Findings:
    """What one invariant came to. Only the first 200 violations are kept; `broken` counts them all."""

    invariant: int
    checked: int = 0
    broken: int = 0
    violations: list[Violation] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    """Things that are allowed and worth a number, such as copies of at-least-once records."""

    def expect(self, holds: bool, where: str, what: str) -> bool:
        """Count one check. Returns `holds`."""
        self.checked += 1
        if not holds:
            self.violate(where, what)
        return holds

    def violate(self, where: str, what: str) -> None:
        """Note a violation."""
        self.broken += 1
        if len(self.violations) < _KEPT:
            self.violations.append(Violation(self.invariant, where, what))


@dataclass(frozen=True, slots=True)
class Report:
    """All findings of one check."""

    findings: tuple[Findings, ...]

    @property
    def violations(self) -> list[Violation]:
        """Every violation that was kept, by invariant."""
        return [violation for findings in self.findings for violation in findings.violations]

    @property
    def ok(self) -> bool:
        """Whether nothing is broken."""
        return not any(findings.broken for findings in self.findings)

    def raise_if_broken(self) -> None:
        """Raise AssertionError with the whole report when something is broken."""
        if not self.ok:
            raise AssertionError(f"the checker found violations\n{self}")

    def as_json(self) -> dict[str, Any]:
        """A JSON-ready form."""
        return {
            "ok": self.ok,
            "invariants": [
                {
                    "number": f.invariant,
                    "name": INVARIANTS[f.invariant],
                    "checked": f.checked,
                    "broken": f.broken,
                    "notes": dict(f.notes),
                    "violations": [dataclasses.asdict(violation) for violation in f.violations],
                }
                for f in self.findings
            ],
        }

    def __str__(self) -> str:
        lines = []
        for f in self.findings:
            state = "BROKEN" if f.broken else "ok" if f.checked else "unseen"
            lines.append(
                f"{f.invariant:>2} {state:<7}{f.checked:>9} checked{f.broken:>7} broken  {INVARIANTS[f.invariant]}"
            )
            lines += [f"     note: {count} {note}" for note, count in sorted(f.notes.items())]
            lines += [f"     {violation.where}: {violation.what}" for violation in f.violations]
            if f.broken > len(f.violations):
                lines.append(f"     and {f.broken - len(f.violations)} more")
        return "\n".join(lines)
