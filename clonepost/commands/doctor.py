"""`clonepost doctor`: test each dependency and setting, and name the fix."""

import json
from collections.abc import Callable, Mapping
from typing import Annotated, Final

import typer
from rich.console import Console

from clonepost.commands.lag import STAGES, stage_lag
from clonepost.commands.options import HomeOption, JsonOption, connect, print_json, running_stack
from clonepost.localstack.home import Home, home_at
from runtime.errors import ClonepostError
from runtime.kafka_admin import KafkaAdmin
from runtime.schema_registry import SchemaRegistry
from runtime.settings import Settings
from schemas import avsc
from schemas.topics import ALL_TOPICS
from storage.admin import answers
from storage.migrate import pending_migrations, upgrade

Check = Callable[[], str | None]
"""None when all is well, else what is wrong and what to do."""

_LAST_LINES: Final = 200
_NEEDS: Final = {"topics": ("kafka",), "migrations": ("postgres",), "lag": ("kafka", "topics")}


def doctor(
    home: HomeOption = None,
    as_json: JsonOption = False,
    fix: Annotated[bool, typer.Option("--fix", help="Create missing topics, apply missing migrations.")] = False,
) -> None:
    """Test Kafka, Postgres, topics, migrations, lag, and the processes of a local stack; say what to do about what is
    wrong. Exits with 1 if anything is.

    Example:  clonepost doctor --fix
    """
    settings, database_url = connect(home)
    admin = KafkaAdmin(settings)
    if fix:
        _fix(database_url, admin)
    with Console(stderr=True).status("testing"):
        local = {"processes": lambda: processes(home_at(home))}
        results = examine({**checks(settings, database_url, admin), **local})
    if as_json:
        print_json(results)
    else:
        console = Console()
        for name, problem in results.items():
            console.print(f"[green]ok[/green]    {name}" if problem is None else f"[red]wrong[/red] {name}: {problem}")
    if any(results.values()):
        raise typer.Exit(1)


def _fix(database_url: str, admin: KafkaAdmin) -> None:
    # What does not answer cannot be fixed; the checks say so.
    with Console(stderr=True).status("fixing"):
        if answers(database_url):
            upgrade(database_url)
        if admin.answers():
            admin.create_topics(ALL_TOPICS)


def examine(checks: Mapping[str, Check]) -> dict[str, str | None]:
    """What is wrong, by check. A check whose foundation does not stand is not made."""
    results: dict[str, str | None] = {}
    for name, check in checks.items():
        missing = next((other for other in _NEEDS.get(name, ()) if results.get(other) is not None), None)
        results[name] = _result(check) if missing is None else f"cannot be tested before {missing} is right"
    return results


def checks(settings: Settings, database_url: str, admin: KafkaAdmin) -> dict[str, Check]:
    """Every check by name, in the order in which one needs the other."""

    def kafka() -> str | None:
        if admin.answers():
            return None
        return f"no broker answers at {settings.bootstrap_servers}: is it up, are KAFKA_* right (TLS, SASL)?"

    def topics() -> str | None:
        for topic in ALL_TOPICS:
            found = admin.topic(settings.topic_prefix + topic.name)
            if found.partitions < topic.partitions:
                return f"{topic.name} has {found.partitions} partitions, the contract says {topic.partitions}"
        return None

    def postgres() -> str | None:
        return None if answers(database_url) else "no server answers at DATABASE_URL"

    def migrations() -> str | None:
        missing = pending_migrations(database_url)
        return f"migrations are missing ({', '.join(missing)}): run `clonepost doctor --fix`" if missing else None

    def lag() -> str | None:
        behind = {stage: stage_lag(admin, settings.topic_prefix, stage) for stage in STAGES}
        late = [f"{stage} is {count:,} records behind" for stage, count in behind.items() if count > 10_000]
        return "; ".join(late) + ": start more processes of it, up to the partitions" if late else None

    def schema_registry() -> str | None:
        with SchemaRegistry(settings) as registry:
            registry.find("CloneRequested", avsc.written("CloneRequested"))
        return None

    found: dict[str, Check] = {"kafka": kafka, "topics": topics, "postgres": postgres, "migrations": migrations}
    if settings.schema_registry.get("url"):
        found["schema_registry"] = schema_registry
    return {**found, "lag": lag}


def processes(home: Home) -> str | None:
    """What a process of a local stack that does not run said last; None where all run, or no stack does."""
    state = running_stack(home)
    down = [] if state is None else [process for process in state.processes if process.state != "running"]
    said = [
        f"{process.role} is {process.state} after {process.restarts} restarts: {last_words(home, process.role)}"
        for process in down
    ]
    return "; ".join(said) or None


def last_words(home: Home, role: str) -> str:
    """Why the role halted, if it said so near the end of its log; else where to look."""
    log = home.logs / f"{role}.log"
    try:
        lines = log.read_text("utf-8", "replace").splitlines()[-_LAST_LINES:]
    except OSError:
        lines = []
    for line in reversed(lines):
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("event") == "role_halted":
            return str(entry.get("reason"))
    return f"see {log}"


def _result(check: Check) -> str | None:
    try:
        return check()
    except ClonepostError as error:
        return str(error)
