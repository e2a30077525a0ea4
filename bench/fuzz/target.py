"""What is fuzzed: a stack of its own as `clonepost up` runs it, and organisations whose names hostile input may use."""

import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.checker import System
from bench.load import Tenant, make_tenants, reference_lines
from bench.pipeline.stack import Stack, running_stack
from storage import keys, reference
from storage.connection import Database

# All of it may be poison, and the stages are to go on.
_ENVIRONMENT = {"CLONEPOST_POISON_LIMIT_COUNT": "1000000000"}


@dataclass(frozen=True, slots=True)
class Target:
    """A stack, for the checker and for who sends; `tenants` have keys."""

    stack: Stack
    system: System
    tenants: Sequence[Tenant]
    folder: Path


@contextmanager
def fuzz_stack(seed: int, say: Callable[[str], None]) -> Iterator[Target]:
    """Every role, and the seed's organisations; gone afterwards. Raises ClonepostError."""
    with (
        tempfile.TemporaryDirectory(prefix="clonepost-fuzz-") as folder,
        running_stack(None, say, _ENVIRONMENT) as stack,
    ):
        tenants = hire(stack.database_url, seed)
        kafka = {"bootstrap.servers": str(stack.settings.bootstrap_servers), "log_level": "0"}
        yield Target(stack, System(kafka, stack.database_url), tenants, Path(folder))


def hire(database_url: str, seed: int) -> list[Tenant]:
    """Organisations with keys; an API that runs already takes them within two seconds."""
    tenants = make_tenants(seed=seed)
    database = Database(database_url, application_name="fuzz")
    with database.transaction() as connection:
        reference.import_lines(connection, reference_lines(tenants))
        for tenant in tenants:
            _, tenant.api_key = keys.create(
                connection, uuid.UUID(tenant.org), scopes=["*"], tier="partner", environment="test"
            )
    database.close()
    return tenants
