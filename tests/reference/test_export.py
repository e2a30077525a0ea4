"""`clonepost reference export`: the import's own format, JSONL and CSV; what goes out comes back in."""

import csv
import io
import json
from typing import Any

import pytest

from schemas.reference import TYPES, LineType
from schemas.reference_files import COLUMNS
from storage.connection import Database
from tests.reference.conftest import Run, complaint
from tests.reference.lines import everything, jsonl, organization, post
from tests.reference.test_import import TABLES


def by_id(text: str) -> dict[str, dict[str, Any]]:
    return {line["id"]: line for line in map(json.loads, text.splitlines())}


def empty(database: Database) -> None:
    with database.transaction() as connection:
        for table in reversed(TABLES):
            connection.execute(f"DELETE FROM {table}")


def test_what_was_imported_is_exported(run: Run) -> None:
    lines = everything()
    run("reference", "import", "-", stdin=jsonl(*lines))
    assert by_id(run("reference", "export").stdout) == {line["id"]: line for line in lines}


def test_an_export_imported_into_an_empty_database_exports_the_same(run: Run, database: Database) -> None:
    run("reference", "import", "-", stdin=jsonl(*everything(), *everything()))
    exported = run("reference", "export").stdout
    empty(database)
    assert run("reference", "export").stdout == ""
    assert run("reference", "import", "-", stdin=exported).exit_code == 0
    assert run("reference", "export").stdout == exported


def test_an_export_stands_in_an_order_in_which_owners_come_first(run: Run) -> None:
    run("reference", "import", "-", stdin=jsonl(*everything(), *everything()))
    types = [json.loads(line)["type"] for line in run("reference", "export").stdout.splitlines()]
    assert types == sorted(types, key=TYPES.index)


def test_what_is_absent_is_left_out(run: Run) -> None:
    org = organization()
    bare = post(org["id"])
    for name in ("url", "durationMs", "transcript", "shots", "publishedAt", "metrics"):
        del bare[name]
    run("reference", "import", "-", stdin=jsonl(org, bare))
    assert by_id(run("reference", "export").stdout)[bare["id"]] == bare


def test_csv_of_each_type_goes_out_and_comes_back(run: Run, database: Database) -> None:
    run("reference", "import", "-", stdin=jsonl(*everything()))
    exported = run("reference", "export").stdout
    files = {line_type: run("reference", "export", "--csv", line_type).stdout for line_type in TYPES}
    empty(database)
    for line_type, text in files.items():
        assert run("reference", "import", "-", "--csv", line_type, stdin=text).exit_code == 0
    assert run("reference", "export").stdout == exported


@pytest.mark.parametrize("line_type", TYPES)
def test_a_csvs_columns_are_the_fields(run: Run, line_type: LineType) -> None:
    lines = everything()
    run("reference", "import", "-", stdin=jsonl(*lines))
    header, *rows = csv.reader(io.StringIO(run("reference", "export", "--csv", line_type).stdout))
    full = next(line for line in lines if line["type"] == line_type)
    assert set(header) == set(COLUMNS[line_type]) == set(full) - {"type"}
    assert len(rows) == sum(line["type"] == line_type for line in lines)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "line 1: there is no header; the columns of organization are id, name, maxRunningJobs"),
        ("id,nom\n", "line 1: unknown or repeated columns: nom"),
        ("id,id,name\n", "line 1: unknown or repeated columns: id, id"),
        ("id,name\nx,y\n", "line 2: id: must be a UUID"),
        ("id,name\nx\n", "line 2: has 1 cells, the header has 2"),
        ('id,name\n"a\nb",y\nx,y\n', "line 4: id: must be a UUID"),
        ('id,name\n"open,y\n', "line 2: is no CSV"),
        (
            "id,name,maxRunningJobs\n8f0cdbe2-b6d8-54e0-95e9-4859311c322f,A,many\n",
            "line 2: maxRunningJobs: is not valid",
        ),
        ("id,name,maxRunningJobs\n8f0cdbe2-b6d8-54e0-95e9-4859311c322f,A,1.5\n", "line 2: maxRunningJobs: "),
    ],
)
def test_a_bad_csv_is_named(run: Run, text: str, reason: str) -> None:
    assert reason in complaint(run("reference", "import", "-", "--csv", "organization", stdin=text))


def test_a_spreadsheets_csv_is_read(run: Run) -> None:
    text = '\ufeffname,id\r\n"Acme, Ltd.",8f0cdbe2-b6d8-54e0-95e9-4859311c322f\r\n\r\n'
    assert run("reference", "import", "-", "--csv", "organization", stdin=text).exit_code == 0
    [line] = by_id(run("reference", "export").stdout).values()
    assert line == {
        "type": "organization",
        "id": "8f0cdbe2-b6d8-54e0-95e9-4859311c322f",
        "name": "Acme, Ltd.",
        "maxRunningJobs": 1000,
    }


def test_an_unknown_type_of_csv_is_refused(run: Run) -> None:
    result = run("reference", "import", "-", "--csv", "posts")
    assert result.exit_code == 2
    assert "source_post" in result.output


@pytest.mark.parametrize("arguments", [("import",), ("export",)])
def test_help_has_an_example(run: Run, arguments: tuple[str, ...]) -> None:
    assert "Example:  clonepost reference" in run("reference", *arguments, "--help").output
