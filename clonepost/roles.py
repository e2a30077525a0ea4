"""The one table of roles: what the supervisor starts, what docker-compose.yml runs, what `clonepost run` knows."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Role:
    """One kind of process; stateless, so that any number of it may run.

    `module` has a `main()` that `clonepost run <name>` calls. Its service in docker-compose.yml has the same name.
    """

    name: str
    module: str
    description: str
    processes: int = 1
    """How many one machine starts. More of them share the partitions."""
    listens: bool = False
    """Whether it takes HTTP requests, from a socket that all of its processes on a machine share."""
    ready_path: str | None = None
    """Where it answers 200 over HTTP once it can serve; None for a role that nobody waits for: work waits in topics."""

    @property
    def arguments(self) -> tuple[str, str]:
        """What follows `clonepost` on its command line, in every deployment."""
        return ("run", self.name)


ROLES: Final = (
    Role("api", "clonepost.run.api", "HTTP for partners", listens=True, ready_path="/readyz"),
    Role("dedup", "clonepost.run.dedup", "judges requests, once each"),
    Role("generate", "clonepost.run.generate", "makes variations"),
    Role("project", "clonepost.run.project", "keeps the read table, settles credits"),
    Role("render", "clonepost.run.render", "makes pictures and films of finished variations"),
    Role("relay", "clonepost.run.relay", "publishes completions exactly once"),
)
BY_NAME: Final = {role.name: role for role in ROLES}
