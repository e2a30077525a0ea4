"""Files of reference data: JSON lines of any type, or CSV of one type.

A CSV has the same fields as the JSON object, one a column: texts as they are, everything else (numbers, objects, lists)
as JSON in its cell, and an empty cell for what is absent.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from schemas.reference import BadLine, LineType, ReferenceLine, parse_line, parse_object

MAX_LINE_BYTES: Final = 1 << 20
_SHOWN: Final = 20
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

COLUMNS: Final[Mapping[LineType, Sequence[str]]] = {
    "organization": ("id", "name", "maxRunningJobs"),
    "project": ("id", "organizationId", "name", "brand"),
    "layer": ("id", "projectId", "name", "status", "format", "platform", "language"),
    "source_post": (
        *("id", "organizationId", "projectId", "platform", "externalId", "format", "url", "caption", "durationMs"),
        *("transcript", "shots", "publishedAt", "metrics"),
    ),
    "credit_grant": ("id", "organizationId", "amount", "note"),
}
_JSON_COLUMNS: Final = frozenset({"maxRunningJobs", "brand", "durationMs", "transcript", "shots", "metrics", "amount"})


@dataclass(frozen=True, slots=True)
class LineProblem:
    """What is wrong with one line; lines count from 1."""

    number: int
    reason: str


class BadLines(ValueError):
    """Lines that cannot be imported; nothing of their file was. `problems` names each."""

    def __init__(self, problems: Iterable[LineProblem]) -> None:
        self.problems = sorted(problems, key=lambda problem: problem.number)
        shown = [f"line {problem.number}: {problem.reason}" for problem in self.problems[:_SHOWN]]
        if len(self.problems) > _SHOWN:
            shown.append(f"and {len(self.problems) - _SHOWN:,} more lines")
        super().__init__("\n".join(shown))


@dataclass(frozen=True, slots=True)
class Numbered:
    """A line and where it stands."""

    number: int
    row: ReferenceLine


def read_json_lines(lines: Iterable[bytes]) -> list[Numbered]:
    """Read JSON lines; empty ones are passed over. Raises BadLines with every line that is wrong."""

    def read(line: bytes) -> ReferenceLine:
        if len(line) > MAX_LINE_BYTES:
            raise BadLine(f"is longer than {MAX_LINE_BYTES:,} bytes")
        return parse_line(line)

    stripped = (line.removeprefix(_BYTE_ORDER_MARK).strip() for line in lines)
    return _read_all(((number, line) for number, line in enumerate(stripped, 1) if line), read)


def read_csv(content: bytes, line_type: LineType) -> list[Numbered]:
    """Read a CSV whose rows are all of one type. Raises BadLines."""
    try:
        text = content.removeprefix(_BYTE_ORDER_MARK).decode("utf-8")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise BadLines([LineProblem(number, f"is not UTF-8 (byte {error.start})")]) from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = next(reader, [])
    unknown = [name for name in header if name not in COLUMNS[line_type]]
    if unknown or not header:
        wanted = f"the columns of {line_type} are {', '.join(COLUMNS[line_type])}"
        raise BadLines([LineProblem(1, f"{'unknown ' + ', '.join(unknown) if unknown else 'no header'}; {wanted}")])
    return _read_all(_cells(reader), lambda cells: parse_object(_object(header, cells, line_type)))


def write_csv(rows: Iterable[Mapping[str, Any]], line_type: LineType) -> Iterator[str]:
    """The objects of one type as CSV lines, header first."""
    columns = COLUMNS[line_type]
    yield _csv_line(columns)
    for row in rows:
        yield _csv_line([_cell(name, row.get(name)) for name in columns])


def _read_all[Source](sources: Iterable[tuple[int, Source]], read: Callable[[Source], ReferenceLine]) -> list[Numbered]:
    found: list[Numbered] = []
    problems: list[LineProblem] = []
    for number, source in sources:
        try:
            found.append(Numbered(number, read(source)))
        except BadLine as error:
            problems.append(LineProblem(number, str(error)))
    if problems:
        raise BadLines(problems)
    return found
