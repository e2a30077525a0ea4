"""The one table of roles: what the supervisor starts, what docker-compose.yml runs, what `clonepost run` knows."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Role:
    """One kind of process. `module` has a `main()`; `clonepost run <name>` calls it."""

    name: str
    module: str
    description: str
    needs_http_port: bool = False


ROLES: Final = (
    Role("api", "clonepost.run.api", "HTTP for partners", needs_http_port=True),
    Role("dedup", "clonepost.run.dedup", "judges requests, once each"),
    Role("generate", "clonepost.run.generate", "makes variations"),
    Role("project", "clonepost.run.project", "keeps the read table, settles credits"),
    Role("relay", "clonepost.run.relay", "publishes completions exactly once"),
)
BY_NAME: Final = {role.name: role for role in ROLES}
