"""`clonepost reference import`: an upsert by id, all or nothing, every bad line named."""

import json
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from schemas.ids import format_id
from storage.connection import Database
from storage.reference import BadLines, import_lines
from tests.reference.conftest import Run, complaint
from tests.reference.lines import everything, grant, jsonl, layer, organization, post, project

TABLES = ("organizations", "wallets", "projects", "project_layers", "source_posts", "credit_grants", "credit_ledger")


def counts(database: Database) -> dict[str, int]:
    with database.transaction() as connection:
        found = {}
        for table in TABLES:
            row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            found[table] = 0 if row is None else row[0]
        return found


def one(database: Database, statement: Any, *values: Any) -> Any:
    with database.transaction() as connection:
        row = connection.execute(statement, values).fetchone()
        return None if row is None else row[0] if len(row) == 1 else row


def test_a_file_of_every_type_is_imported(run: Run, database: Database, tmp_path: Path) -> None:
    file = tmp_path / "data.jsonl"
    file.write_text(jsonl(*everything()), "utf-8")
    result = run("reference", "import", str(file))
    assert json.loads(result.stdout) == {
        "imported": {"organization": 1, "project": 1, "layer": 1, "source_post": 2, "credit_grant": 1}
    }
    assert counts(database) == {
        "organizations": 1,
        "wallets": 1,
        "projects": 1,
        "project_layers": 1,
        "source_posts": 2,
        "credit_grants": 1,
        "credit_ledger": 1,
    }


def test_standard_input_is_read_and_lines_may_stand_in_any_order(run: Run, database: Database) -> None:
    lines = jsonl(*reversed(everything())).replace("\n", "\r\n\r\n")
    assert run("reference", "import", "-", stdin="\ufeff" + lines).exit_code == 0
    assert counts(database)["source_posts"] == 2


def test_an_import_again_changes_what_changed_and_adds_nothing(run: Run, database: Database) -> None:
    lines = everything()
    run("reference", "import", "-", stdin=jsonl(*lines))
    before = counts(database)
    org, brand, lay, first, _, _ = lines
    org.update(name="Acme & Sons", maxRunningJobs=5)
    brand["brand"] = {"name": "Luma Two"}
    lay.update(status="archived", language="de")
    first.update(caption="New", metrics=None, externalId="7301")
    result = run("reference", "import", "-", stdin=jsonl(*lines))
    # The grant was applied before.
    assert json.loads(result.stdout)["imported"] == {"organization": 1, "project": 1, "layer": 1, "source_post": 2}
    assert counts(database) == before
    assert one(database, "SELECT name, max_running_jobs FROM organizations") == ("Acme & Sons", 5)
    assert one(database, "SELECT brand FROM projects") == {"name": "Luma Two"}
    assert one(database, "SELECT status, language FROM project_layers") == ("archived", "de")
    changed = one(database, "SELECT caption, metrics, external_id FROM source_posts WHERE post_id = %s", first["id"])
    assert changed == ("New", None, "7301")


def test_a_grant_is_applied_once_per_id(run: Run, database: Database) -> None:
    org = organization()
    given = grant(org["id"], amount=500)
    for _ in range(3):
        assert run("reference", "import", "-", stdin=jsonl(org, given, given)).exit_code == 0
    run("reference", "import", "-", stdin=jsonl(grant(org["id"], amount=20)))
    assert one(database, "SELECT available, reserved FROM wallets") == (520, 0)
    assert one(database, "SELECT sum(available_delta)::bigint FROM credit_ledger") == 520


def test_ids_are_read_in_every_form(run: Run, database: Database) -> None:
    org, pid = uuid.uuid4(), uuid.uuid4()
    lines = [
        organization(id=format_id("org", org)),
        project(f"org_{org}", id=format_id("proj", pid).lower()),
        layer(str(pid).upper()),
    ]
    run("reference", "import", "-", stdin=jsonl(*lines))
    assert one(database, "SELECT org_id, project_id FROM project_layers") == (org, pid)


def test_what_may_be_missing_may_be_missing(run: Run, database: Database) -> None:
    org, pid = str(uuid.uuid4()), str(uuid.uuid4())
    lines = [
        {"type": "organization", "id": org, "name": "Acme"},
        {"type": "project", "id": pid, "organizationId": org, "name": "Luma"},
        {
            "type": "layer",
            "id": str(uuid.uuid4()),
            "projectId": pid,
            "name": "L",
            "status": "active",
            "format": "video",
        },
        {
            "type": "source_post",
            "id": str(uuid.uuid4()),
            "organizationId": org,
            "platform": "tiktok",
            "externalId": "1",
            "format": "slideshow",
        },
        {"type": "credit_grant", "id": str(uuid.uuid4()), "organizationId": org, "amount": 1},
    ]
    assert run("reference", "import", "-", stdin=jsonl(*lines)).exit_code == 0
    assert one(database, "SELECT max_running_jobs FROM organizations") == 1000
    assert one(database, "SELECT platform, language FROM project_layers") == (None, "en")
    assert one(database, "SELECT caption, transcript, shots, metrics FROM source_posts") == ("", None, None, None)


BROKEN: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "an unknown field": (lambda p: {**p, "likes": 3}, "likes: is not a field of this type"),
    "a missing field": (lambda p: {k: v for k, v in p.items() if k != "platform"}, "platform: is required"),
    "a bad id": (lambda p: {**p, "id": "x"}, "id: must be a UUID"),
    "a wrong prefix": (lambda p: {**p, "id": f"job_{p['id']}"}, "id: must be a UUID"),
    "a bad format": (lambda p: {**p, "format": "gif"}, "format: "),
    "a text for a number": (lambda p: {**p, "durationMs": "21000"}, "durationMs: "),
    "a fraction for a number": (lambda p: {**p, "durationMs": 21000.0}, "durationMs: "),
    "a truth for a number": (lambda p: {**p, "durationMs": True}, "durationMs: "),
    "a negative figure": (lambda p: {**p, "metrics": {"7d": {"views": -1}}}, "metrics.7d.views: "),
    "an unknown window": (lambda p: {**p, "metrics": {"1d": {"views": 1}}}, "metrics.1d"),
    "an unknown figure": (lambda p: {**p, "metrics": {"7d": {"likes": 1}}}, "metrics.7d.likes: is not a field"),
    "a time without an offset": (lambda p: {**p, "publishedAt": "2026-01-31T12:00:00"}, "publishedAt: must be an RFC"),
    "a bad nested field": (lambda p: {**p, "shots": [{"startMs": 0}]}, "shots.0.endMs: is required"),
    "NUL in a text": (lambda p: {**p, "caption": "a\x00b"}, "caption: must not contain NUL"),
    "a lone surrogate": (lambda p: {**p, "caption": "\ud800"}, "caption: Input should be a valid string"),
    "an external id that is too long": (lambda p: {**p, "externalId": "x" * 129}, "externalId: "),
    "an unknown type": (lambda p: {**p, "type": "post"}, "type: must be one of organization, project"),
    "no type": (lambda p: {k: v for k, v in p.items() if k != "type"}, "type: must be one of"),
    "no object": (lambda _: [1], "must be a JSON object"),
    "an unknown organization": (
        lambda p: {**p, "organizationId": str(uuid.uuid4())},
        "organizationId: there is no organization",
    ),
    "an unknown project": (
        lambda p: {**p, "projectId": str(uuid.uuid4())},
        "projectId: the organization has no project",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_bad_line_is_named_and_nothing_is_written(run: Run, database: Database, kind: str) -> None:
    breaking, reason = BROKEN[kind]
    lines = everything()
    broken = json.dumps(breaking(post(lines[0]["id"])))
    said = complaint(run("reference", "import", "-", stdin=jsonl(*lines) + broken + "\n"))
    assert f"line 7: {reason}" in said
    assert "nothing was imported" in said
    assert set(counts(database).values()) == {0}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "line 1: is not valid JSON"),
        ('{"type":"organization","type":"project"}', 'line 1: the key "type" stands twice'),
        ("\n\nnull", "line 3: must be a JSON object"),
        ('{"type":"organization"} {}', "line 1: goes on after the JSON value"),
        ("[" * 100 + "]" * 100, "line 1: nested deeper"),
    ],
)
def test_what_is_no_json_is_named(run: Run, text: str, reason: str) -> None:
    assert reason in complaint(run("reference", "import", "-", stdin=text))


def test_every_bad_line_is_named_at_once(run: Run) -> None:
    org = organization()
    said = complaint(run("reference", "import", "-", stdin=jsonl({}, org, {"type": "layer"}, post(org["id"], id="x"))))
    assert [line.partition(":")[0] for line in said.splitlines()] == [
        "line 1",
        "line 3",
        "line 4",
        "nothing was imported",
    ]


def test_a_file_full_of_faults_is_not_printed_whole(run: Run) -> None:
    said = complaint(run("reference", "import", "-", stdin="{}\n" * 500)).splitlines()
    assert said[-2:] == ["and 480 more", "nothing was imported"]
    assert len(said) == 22


def test_bytes_that_are_no_text_are_named(run: Run) -> None:
    assert "line 2: is not UTF-8" in complaint(run("reference", "import", "-", stdin=b"{}\n\xff\n"))


def test_a_file_that_is_not_there_is_named(run: Run) -> None:
    assert "cannot read /nowhere.jsonl: No such file" in complaint(run("reference", "import", "/nowhere.jsonl"))


@pytest.mark.parametrize("moved", ["project", "layer", "source_post", "credit_grant"])
def test_nothing_moves_to_another_owner(run: Run, database: Database, moved: str) -> None:
    mine, theirs = everything(), everything()
    run("reference", "import", "-", stdin=jsonl(*mine, *theirs))
    before = one(database, "SELECT array_agg(w.available ORDER BY org_id) FROM wallets w")
    line = next(line for line in mine if line["type"] == moved)
    stolen = {**line, "organizationId": theirs[0]["id"]} if moved != "layer" else {**line, "projectId": theirs[1]["id"]}
    stolen.pop("projectId", None) if moved == "source_post" else None
    said = complaint(run("reference", "import", "-", stdin=jsonl(stolen)))
    assert "line 1: id: " in said
    assert "belongs to another" in said
    assert one(database, "SELECT array_agg(w.available ORDER BY org_id) FROM wallets w") == before


def test_two_posts_cannot_share_a_platforms_id(run: Run, database: Database) -> None:
    org = organization()
    first, second = (post(org["id"], externalId="7301") for _ in range(2))
    assert "line 3: externalId: the post" in complaint(
        run("reference", "import", "-", stdin=jsonl(org, *sorted((first, second), key=lambda p: p["id"])))
    )
    run("reference", "import", "-", stdin=jsonl(org, first))
    assert "line 1: externalId: the post" in complaint(run("reference", "import", "-", stdin=jsonl(second)))
    # Another platform, and another organisation, have ids of their own.
    other = organization()
    lines = jsonl({**second, "platform": "instagram"}, other, post(other["id"], externalId="7301"))
    assert run("reference", "import", "-", stdin=lines).exit_code == 0
    assert counts(database)["source_posts"] == 3


def test_lines_that_contradict_each_other_are_named(run: Run) -> None:
    org = organization()
    said = complaint(run("reference", "import", "-", stdin=jsonl(org, org, {**org, "name": "Other"})))
    assert f"line 3: id: {org['id']} stands on line 1 with other values" in said


def test_a_large_file_is_imported_whole(run: Run, database: Database) -> None:
    org = organization()
    posts = [post(org["id"], externalId=str(number)) for number in range(2_500)]
    assert run("reference", "import", "-", stdin=jsonl(*posts, org)).exit_code == 0
    assert counts(database)["source_posts"] == 2_500


def test_two_imports_of_the_same_at_once_do_not_deadlock(database: Database, database_url: str) -> None:
    organizations = [organization() for _ in range(30)]
    lines = [*organizations]
    for one_of_them in organizations:
        owner = one_of_them["id"]
        brand = project(owner)
        lines += [brand, layer(brand["id"]), post(owner), post(owner), grant(owner), grant(owner)]
    orders = (lines, lines[::-1])
    together = threading.Barrier(len(orders))

    def run(order: list[dict[str, Any]]) -> None:
        with closing(Database(database_url, application_name="test-import")) as own:
            for _ in range(4):
                together.wait(60)
                with own.transaction() as connection:
                    import_lines(connection, jsonl(*order).splitlines())

    with ThreadPoolExecutor(len(orders)) as pool:
        for ran in [pool.submit(run, order) for order in orders]:
            ran.result()
    assert counts(database)["credit_grants"] == 60
    assert one(database, "SELECT sum(available) FROM wallets") == 60 * 100_000
    assert one(database, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0


def test_two_imports_that_name_the_same_posts_by_other_ids_do_not_deadlock(
    database: Database, database_url: str
) -> None:
    """One of them is imported, and the other one hears that its posts are there."""
    org = organization()
    handles = [f"{number:03}" for number in range(200)]
    ids = sorted(str(uuid.uuid4()) for _ in range(400))
    # Written in the order of their ids, they come to the same handles from two ends.
    orders = (
        [post(org["id"], id=id_, externalId=handle) for id_, handle in zip(ids[::2], handles, strict=True)],
        [post(org["id"], id=id_, externalId=handle) for id_, handle in zip(ids[1::2], handles[::-1], strict=True)],
    )
    with database.transaction() as connection:
        import_lines(connection, [json.dumps(org)])
    together = threading.Barrier(len(orders))

    def run(order: list[dict[str, Any]]) -> str:
        together.wait(60)
        with closing(Database(database_url, application_name="test-import")) as own:
            try:
                with own.transaction() as connection:
                    import_lines(connection, jsonl(*order).splitlines())
            except BadLines:
                return "told"
        return "imported"

    with ThreadPoolExecutor(len(orders)) as pool:
        assert sorted(pool.map(run, orders)) == ["imported", "told"]
    assert counts(database)["source_posts"] == 200
