"""`clonepost run ROLE`: one role, alone, in the foreground."""

import importlib
from typing import Annotated

import typer

from clonepost.roles import BY_NAME, ROLES
from runtime.errors import ClonepostError


def run(
    role: Annotated[str, typer.Argument(help=" | ".join(f"{r.name}: {r.description}" for r in ROLES))],
) -> None:
    """Run one role until SIGTERM. DATABASE_URL, KAFKA_*, SCHEMA_REGISTRY_* and CLONEPOST_* configure it.

    Example:  DATABASE_URL=postgresql://… KAFKA_BOOTSTRAP_SERVERS=broker:9092 clonepost run dedup
    """
    found = BY_NAME.get(role)
    if found is None:
        raise ClonepostError(f"there is no role {role}; the roles are {', '.join(BY_NAME)}")
    importlib.import_module(found.module).main()
