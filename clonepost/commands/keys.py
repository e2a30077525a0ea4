"""`clonepost keys create | revoke | list`."""

import uuid
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from clonepost.commands.options import HomeOption, JsonOption, print_json
from clonepost.commands.tables import transaction
from runtime.errors import ClonepostError
from schemas.headers import rfc3339
from schemas.ids import InvalidId, format_id, parse_id
from storage import keys

app = typer.Typer(
    help="API keys. A key is shown once, when it is made.\n\nExample:  clonepost keys list --json",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Organization = Annotated[str, typer.Option("--organization", help="The organisation's id.")]


@app.command("create")
def create(
    organization: Organization,
    scope: Annotated[list[str], typer.Option("--scope", help=f"One of {', '.join(keys.SCOPES)}; repeat for more.")],
    tier: Annotated[str, typer.Option("--tier", help=f"One of {', '.join(keys.TIERS)}.")] = "standard",
    environment: Annotated[str, typer.Option("--environment", help="The middle of the key: live, test, …")] = "live",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key. It is printed now and never again.

    Example:  clonepost keys create --organization org_… --scope content:write --scope jobs:read --tier pilot --json
    """
    unknown = [name for name in scope if name not in keys.SCOPES]
    if unknown or tier not in keys.TIERS:
        raise ClonepostError(f"scopes are {', '.join(keys.SCOPES)}; tiers are {', '.join(keys.TIERS)}")
    if not environment.isalnum():
        raise ClonepostError("--environment takes letters and digits only")
    org_id = organization_id(organization)
    try:
        with transaction(home, "keys") as connection:
            key_id, api_key = keys.create(connection, org_id, scopes=scope, tier=tier, environment=environment)
    except keys.UnknownOrganization as error:
        raise ClonepostError(str(error)) from error
    if as_json:
        print_json({"keyId": key_id, "apiKey": api_key})
    else:
        typer.echo(f"key id   {key_id}\napi key  {api_key}\nKeep it: it is not shown again.")


@app.command("revoke")
def revoke(key_id: Annotated[str, typer.Argument()], home: HomeOption = None) -> None:
    """Revoke a key; every API process drops it within five seconds.

    Example:  clonepost keys revoke 3f2a9c0d1e4b5a67
    """
    with transaction(home, "keys") as connection:
        if not keys.revoke(connection, key_id):
            raise ClonepostError(f"no key {key_id} is in force; see `clonepost keys list`")
    typer.echo(f"revoked {key_id}")


@app.command("list")
def list_(
    organization: Annotated[str | None, typer.Option("--organization", help="Only of this organisation.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List keys, without their secrets.

    Example:  clonepost keys list --json
    """
    org_id = None if organization is None else organization_id(organization)
    with transaction(home, "keys") as connection:
        rows = keys.list_keys(connection, org_id)
    shown = [
        {
            "keyId": row.key_id,
            "organizationId": format_id("org", row.org_id),
            "scopes": row.scopes,
            "tier": row.tier,
            "createdAt": _time(row.created_at),
            "revokedAt": None if row.revoked_at is None else _time(row.revoked_at),
        }
        for row in rows
    ]
    if as_json:
        print_json(shown)
        return
    table = Table("key id", "organisation", "scopes", "tier", "revoked")
    for key in shown:
        table.add_row(
            str(key["keyId"]),
            str(key["organizationId"]),
            " ".join(key["scopes"] or ()),
            str(key["tier"]),
            str(key["revokedAt"] or ""),
        )
    Console().print(table)


def organization_id(text: str) -> uuid.UUID:
    """An organisation's id in any of its forms. Raises ClonepostError."""
    try:
        return parse_id("org", text)
    except InvalidId as error:
        raise ClonepostError(f"--organization {error}") from error


def _time(at: datetime) -> str:
    return rfc3339(round(at.timestamp() * 1000))
