"""`clonepost credits`: the balance, and the ledger whose sum it is."""

import json
import re
import uuid
from collections.abc import Iterator

import psycopg
import pytest

from schemas.ids import format_id
from storage import wallets
from storage.connection import Database
from tests.builders import Rows
from tests.reference.conftest import Run, complaint
from tests.reference.lines import grant, jsonl, organization

AT_MS = 4_000_000_000_000


@pytest.fixture
def rows(database_url: str) -> Iterator[Rows]:
    """Reads tables."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield Rows(connection)


def spend(database: Database, org_id: uuid.UUID) -> uuid.UUID:
    """One job of three videos, of which two are charged."""
    job_id = uuid.uuid4()
    with database.transaction() as connection:
        wallets.reserve(connection, [wallets.Reservation(org_id, job_id, 360, AT_MS)])
        wallets.settle(connection, [wallets.Settlement(org_id, job_id, 360, 240, AT_MS + 1)])
    return job_id


def test_the_ledger_lists_every_entry_in_order(run: Run, database: Database) -> None:
    org = organization()
    given = grant(org["id"], amount=1_000)
    other = organization()
    run("reference", "import", "-", stdin=jsonl(org, given, other, grant(other["id"])))
    job_id = spend(database, uuid.UUID(org["id"]))
    entries = json.loads(run("credits", "ledger", "--organization", org["id"], "--json").stdout)
    assert [(entry["kind"], entry["availableDelta"], entry["reservedDelta"]) for entry in entries] == [
        ("grant", 1_000, 0),
        ("reserve", -360, 360),
        ("settle", 120, -360),
    ]
    assert entries[0]["grantId"] == given["id"]
    assert [entry["jobId"] for entry in entries[1:]] == [format_id("job", job_id)] * 2
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["createdAt"]) for entry in entries)


def test_the_balance_is_the_sum_of_the_ledger(run: Run, database: Database) -> None:
    org = organization()
    run("reference", "import", "-", stdin=jsonl(org, grant(org["id"], amount=1_000)))
    spend(database, uuid.UUID(org["id"]))
    shown = json.loads(
        run("credits", "balance", "--organization", format_id("org", uuid.UUID(org["id"])), "--json").stdout
    )
    assert shown == {"balance": 760, "available": 760, "reservedCredits": 0, "ledgerAgrees": True}
    entries = json.loads(run("credits", "ledger", "--organization", org["id"], "--json").stdout)
    assert sum(entry["availableDelta"] + entry["reservedDelta"] for entry in entries) == shown["balance"]


def test_a_wallet_that_is_not_its_ledgers_sum_is_shown_as_such(run: Run, rows: Rows) -> None:
    org_id = rows.organization(available=5)
    shown = json.loads(run("credits", "balance", "--organization", str(org_id), "--json").stdout)
    assert shown["ledgerAgrees"] is False


@pytest.mark.parametrize("command", ["balance", "ledger"])
def test_an_unknown_organization_is_said(run: Run, command: str) -> None:
    unknown = str(uuid.uuid4())
    assert f"there is no organisation {unknown}" in complaint(run("credits", command, "--organization", unknown))
    assert "--organization must be a UUID" in complaint(run("credits", command, "--organization", "acme"))


@pytest.mark.parametrize("command", ["balance", "ledger"])
def test_people_are_shown_the_same(run: Run, command: str) -> None:
    org = organization()
    run("reference", "import", "-", stdin=jsonl(org, grant(org["id"], amount=1_234)))
    assert "1234" in run("credits", command, "--organization", org["id"]).output


@pytest.mark.parametrize("command", ["balance", "ledger"])
def test_help_has_an_example(run: Run, command: str) -> None:
    assert f"Example:  clonepost credits {command}" in run("credits", command, "--help").output


def test_without_a_stack_the_way_out_is_said(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.delenv("DATABASE_URL")
    said = complaint(run("credits", "balance", "--organization", str(uuid.uuid4()), "--home", str(tmp_path)))
    assert "clonepost up" in said
