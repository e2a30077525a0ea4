"""`clonepost credits balance | ledger`."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from clonepost.commands.keys import organization_id
from clonepost.commands.options import HomeOption, JsonOption, print_json
from clonepost.commands.tables import transaction
from runtime.errors import ClonepostError
from storage import credits as credit_reads

app = typer.Typer(
    help="Credits of an organisation. Grants come in by `clonepost reference import`.\n\n"
    "Example:  clonepost credits ledger --organization org_… --json",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Organization = Annotated[str, typer.Option("--organization", help="The organisation's id.")]


@app.command("balance")
def balance(organization: Organization, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show what is available and reserved, and that the ledger agrees.

    Example:  clonepost credits balance --organization org_…
    """
    with transaction(home, "credits") as connection:
        found = credit_reads.balance(connection, organization_id(organization))
    if found is None:
        raise _unknown(organization)
    agrees = (found.available, found.reserved) == (found.ledger_available, found.ledger_reserved)
    shown = {
        "balance": found.available + found.reserved,
        "available": found.available,
        "reservedCredits": found.reserved,
        "ledgerAgrees": agrees,
    }
    if as_json:
        print_json(shown)
    else:
        for name, value in shown.items():
            typer.echo(f"{name:16} {value}")


@app.command("ledger")
def ledger(organization: Organization, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List every entry: grants, reservations, settlements.

    Example:  clonepost credits ledger --organization org_… --json
    """
    with transaction(home, "credits") as connection:
        org_id = organization_id(organization)
        if credit_reads.balance(connection, org_id) is None:
            raise _unknown(organization)
        entries = credit_reads.ledger(connection, org_id)
    if as_json:
        print_json(entries)
        return
    table = Table("time", "kind", "job or grant", "available", "reserved")
    for entry in entries:
        entry_id = entry.get("jobId") or entry.get("grantId")
        table.add_row(
            entry["createdAt"], entry["kind"], str(entry_id), str(entry["availableDelta"]), str(entry["reservedDelta"])
        )
    Console().print(table)


def _unknown(organization: str) -> ClonepostError:
    return ClonepostError(f"there is no organisation {organization}; `clonepost reference export` lists them")
