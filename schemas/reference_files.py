"""Files of reference data: JSON lines of any type, or CSV of one type.

A CSV has the same fields as the JSON object, one a column: texts as they are, everything else (numbers, objects, lists)
as JSON in its cell, and an empty cell for what is absent.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from schemas.reference import BadLine, Line, LineType, line_of
from schemas.strict_json import MalformedJson, parse_strict

Source = TypeVar("Source")

MAX_LINE_CHARACTERS: Final = 1 << 20
_BYTE_ORDER_MARK: Final = "\ufeff"

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
class Numbered:
    """A line that can be read, and where it stands; lines count from 1."""

    number: int
    line: Line


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one line."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class FileRead:
    """Everything that a file holds, and everything that is wrong with it."""

    lines: list[Numbered]
    problems: list[Problem]


def read_json_lines(lines: Iterable[str]) -> FileRead:
    """Read JSON lines; empty ones are passed over."""

    def read(text: str) -> Line:
        if len(text) > MAX_LINE_CHARACTERS:
            raise BadLine(f"is longer than {MAX_LINE_CHARACTERS:,} characters")
        return line_of(_json(text))

    stripped = (text.removeprefix(_BYTE_ORDER_MARK).strip() for text in lines)
    return _read_all(((number, text) for number, text in enumerate(stripped, 1) if text), read)


def read_csv(text: str, line_type: LineType) -> FileRead:
    """Read a CSV whose rows are all of one type."""
    records = _records(text.removeprefix(_BYTE_ORDER_MARK))
    try:
        _, header = next(records, (1, []))
        known = COLUMNS[line_type]
        wrong = [name for name in header if name not in known or header.count(name) > 1]
        if wrong or not header:
            found = f"unknown or repeated columns: {', '.join(wrong)}" if wrong else "there is no header"
            return FileRead([], [Problem(1, f"{found}; the columns of {line_type} are {', '.join(known)}")])
        return _read_all(records, lambda cells: line_of(_object(header, cells, line_type)))
    except _NoCsv as error:
        return FileRead([], [Problem(error.number, str(error))])


def write_csv(objects: Iterable[Mapping[str, Any]], line_type: LineType) -> Iterator[str]:
    """The objects of one type as CSV lines, header first."""
    columns = COLUMNS[line_type]
    yield _csv_line(columns)
    for value in objects:
        yield _csv_line([_cell(name, value.get(name)) for name in columns])


class _NoCsv(ValueError):
    def __init__(self, number: int, reason: str) -> None:
        super().__init__(f"is no CSV: {reason}")
        self.number = number


def _read_all(sources: Iterable[tuple[int, Source]], read: Callable[[Source], Line]) -> FileRead:
    result = FileRead([], [])
    for number, source in sources:
        try:
            result.lines.append(Numbered(number, read(source)))
        except BadLine as error:
            result.problems.append(Problem(number, str(error)))
    return result


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    """Each record and the line that it begins on: a quoted cell may go over several."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _NoCsv(number, str(error)) from error
        if cells:
            yield number, cells


def _object(header: Sequence[str], cells: Sequence[str], line_type: LineType) -> dict[str, Any]:
    if len(cells) != len(header):
        raise BadLine(f"has {len(cells)} cells, the header has {len(header)}")
    value: dict[str, Any] = {"type": line_type}
    for name, cell in zip(header, cells, strict=True):
        if cell == "":
            continue
        try:
            value[name] = _json(cell) if name in _JSON_COLUMNS else cell
        except BadLine as error:
            raise BadLine(f"{name}: {error}") from error
    return value


def _json(text: str) -> Any:
    try:
        return parse_strict(text.encode("utf-8", "surrogatepass"))
    except MalformedJson as error:
        raise BadLine(str(error).removeprefix("the body ")) from error


def _cell(name: str, value: object) -> str:
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if name in _JSON_COLUMNS else str(value)


def _csv_line(cells: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()
