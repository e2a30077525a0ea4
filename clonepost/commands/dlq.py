"""`clonepost dlq list | show | redrive | discard`: what to do about records that could not be processed."""

import getpass
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from clonepost.commands.options import HomeOption, JsonOption, connect, print_json
from clonepost.deadletters.cases import STATES, Case, cases, read_letter
from clonepost.deadletters.filters import Filter, letter_id_of, read_filter
from clonepost.deadletters.redrive import Redriver
from clonepost.deadletters.redrive import discard as discard_cases
from runtime.errors import ClonepostError
from runtime.kafka_admin import KafkaAdmin
from runtime.publishing import Publisher
from runtime.schema_registry import connect_to_read
from runtime.settings import Settings
from runtime.tailing import tail
from schemas.headers import rfc3339
from schemas.topics import DEAD_LETTERS
from storage import dead_letters
from storage.connection import Database

app = typer.Typer(
    help="Dead letters: list them, look at one, send them again, or let them be.\n\n"
    "Example:  clonepost dlq list --stage dedup",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_CHUNK: Final = 100

Stage = Annotated[str | None, typer.Option("--stage", help="dedup, generate or project.")]
Reason = Annotated[str | None, typer.Option("--reason", help="The machine word, as `list` shows it.")]
Organization = Annotated[str | None, typer.Option("--organization", help="Of the record, where it can be read.")]
Key = Annotated[str | None, typer.Option("--key", help="The record's key: a container id.")]
Since = Annotated[str | None, typer.Option("--since", help="Failed at or after: 2026-01-31T12:00:00Z.")]
Until = Annotated[str | None, typer.Option("--until", help="Failed before: 2026-01-31T12:00:00Z.")]
Letters = Annotated[list[str] | None, typer.Argument(help="Letter ids; none means all that the filters take.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
By = Annotated[str | None, typer.Option("--by", help="Who decides, for the audit log; else the user's name.")]
Note = Annotated[str | None, typer.Option("--note", help="Why, for the audit log.")]


@app.command("list")
def list_(
    stage: Stage = None,
    reason: Reason = None,
    organization: Organization = None,
    key: Key = None,
    since: Since = None,
    until: Until = None,
    state: Annotated[
        list[str] | None, typer.Option("--state", help=f"{', '.join(STATES)}; repeat for more. Default: open.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List dead letters, one a record that failed, however often it did.

    Example:  clonepost dlq list --stage dedup --since 2026-01-31T12:00:00Z
    """
    wanted = read_filter(stage, reason, organization, key, since, until, states=state or ["open"])
    settings, database_url = connect(home)
    found = [case for case in _read(settings, database_url) if wanted.takes(case)]
    if as_json:
        print_json([_shown(case) for case in found])
        return
    table = Table("letter", "failed at", "stage", "reason", "record", "state", "redrives")
    for case in found:
        source = case.letter.source
        place = f"{source.topic}[{source.partition}]@{source.offset}"
        latest = case.latest
        cells = (str(case.letter.letter_id), rfc3339(latest.at_ms), latest.stage, latest.reason, place)
        table.add_row(*cells, case.state, str(case.redrives))
    Console().print(table if found else "no dead letters fit")


@app.command("show")
def show(letter: Annotated[str, typer.Argument(help="The letter's id.")], home: HomeOption = None) -> None:
    """Show one dead letter as JSON: why, where from, its bytes (decoded where they can be), and what was done about it.

    Example:  clonepost dlq show 0b0e2f3c-7a38-5f53-9f0c-5d1a2f6c9d11
    """
    wanted = Filter(ids=frozenset({letter_id_of(letter)}))
    settings, database_url = connect(home)
    case = next((case for case in _read(settings, database_url) if wanted.takes(case)), None)
    if case is None:
        raise ClonepostError(f"there is no dead letter {letter}; `clonepost dlq list` shows those that there are")
    print_json(
        {
            **_shown(case),
            "detail": case.latest.detail,
            "headers": {name: value.decode("utf-8", "replace") for name, value in case.letter.headers},
            "valueHex": None if case.letter.value is None else case.letter.value.hex(),
            "record": case.letter.fields,
            "actions": [
                {
                    "attempt": action.attempt,
                    "kind": action.kind,
                    "by": action.actor,
                    "note": action.note,
                    "at": rfc3339(action.began_at_ms),
                    "offset": action.record_offset,
                }
                for action in case.actions
            ],
        }
    )


@app.command("redrive")
def redrive(
    letters: Letters = None,
    stage: Stage = None,
    reason: Reason = None,
    organization: Organization = None,
    key: Key = None,
    since: Since = None,
    until: Until = None,
    dry_run: DryRun = False,
    cap: Annotated[int, typer.Option("--cap", min=1, help="At most so many in this run.")] = 1_000,
    rate: Annotated[int, typer.Option("--rate", min=1, help="At most so many a second.")] = 100,
    attempts: Annotated[int, typer.Option("--attempts", min=1, help="Skip what was sent again so often.")] = 3,
    by: By = None,
    note: Note = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send open dead letters again to the topic they came from, each once, whatever dies in between.

    Example:  clonepost dlq redrive --stage dedup --reason UNKNOWN_SCHEMA --dry-run
    """
    wanted = read_filter(stage, reason, organization, key, since, until, ids=letters, states=["open", "redriving"])
    settings, database_url = connect(home)
    found = [case for case in _read(settings, database_url) if wanted.takes(case)]
    # One in doubt is finished whatever the limit: its attempt is counted already.
    within = [case for case in found if case.state == "redriving" or case.redrives < attempts]
    chosen = within[:cap]
    if not dry_run:
        with closing(Database(database_url, application_name="clonepost-dlq")) as database:
            publisher = Publisher(settings)
            redriver = Redriver(settings, database, publisher, KafkaAdmin(settings), _actor(by), note)
            _paced(chosen, rate, redriver.redrive)
            publisher.close()
    _report(
        as_json,
        dry_run,
        "redriven",
        chosen,
        skipped={"attemptLimit": len(found) - len(within), "cap": len(within) - len(chosen)},
    )


@app.command("discard")
def discard(
    letters: Letters = None,
    stage: Stage = None,
    reason: Reason = None,
    organization: Organization = None,
    key: Key = None,
    since: Since = None,
    until: Until = None,
    dry_run: DryRun = False,
    by: By = None,
    note: Note = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decide that open dead letters need nothing more. They stay in their topic until it expires them.

    Example:  clonepost dlq discard --reason UNKNOWN_FRAMING --note "a test client wrote JSON"
    """
    wanted = read_filter(stage, reason, organization, key, since, until, ids=letters, states=["open"])
    settings, database_url = connect(home)
    chosen = [case for case in _read(settings, database_url) if wanted.takes(case)]
    if not dry_run:
        with closing(Database(database_url, application_name="clonepost-dlq")) as database:
            discard_cases(database, chosen, actor=_actor(by), note=note)
    _report(as_json, dry_run, "discarded", chosen, skipped={})


def _paced(chosen: Sequence[Case], rate: int, act: Callable[[Sequence[Case]], None]) -> None:
    size = min(_CHUNK, rate)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("redriving", total=len(chosen))
        for start in range(0, len(chosen), size):
            began = time.monotonic()
            act(chosen[start : start + size])
            progress.update(task, completed=min(start + size, len(chosen)))
            if start + size < len(chosen):
                time.sleep(max(0.0, size / rate - (time.monotonic() - began)))


def _read(settings: Settings, database_url: str) -> list[Case]:
    topic = settings.topic_prefix + DEAD_LETTERS.name
    with Console(stderr=True).status("reading dead letters"):
        partitions = KafkaAdmin(settings).topic(topic).partitions
        records = tail(settings, topic, partitions=partitions, from_beginning=True, until_end=True)
        framing = connect_to_read(settings)
        letters = [letter for record in records if (letter := read_letter(record, framing)) is not None]
        with (
            closing(Database(database_url, application_name="clonepost-dlq")) as database,
            database.transaction() as connection,
        ):
            actions = dead_letters.actions(connection)
    return cases(sorted(letters, key=lambda letter: letter.at_ms), actions)


def _report(as_json: bool, dry_run: bool, verb: str, chosen: Sequence[Case], *, skipped: dict[str, int]) -> None:
    reasons = Counter(f"{case.latest.stage}/{case.latest.reason}" for case in chosen)
    left = {name: count for name, count in skipped.items() if count}
    if as_json:
        print_json({verb: len(chosen), "dryRun": dry_run, "reasons": dict(reasons), "skipped": left})
        return
    typer.echo(f"{'would be ' if dry_run else ''}{verb}: {len(chosen)}")
    for name, count in reasons.most_common():
        typer.echo(f"  {count:6} {name}")
    if left.get("attemptLimit"):
        typer.echo(f"skipped: {left['attemptLimit']} were sent again often enough; raise --attempts to insist")
    if left.get("cap"):
        typer.echo(f"left: {left['cap']} for the next run; raise --cap to take more at once")


def _shown(case: Case) -> dict[str, Any]:
    letter, latest = case.letter, case.latest
    source = letter.source
    return {
        "letterId": str(letter.letter_id),
        "state": case.state,
        "stage": latest.stage,
        "reason": latest.reason,
        "failedAt": rfc3339(latest.at_ms),
        "topic": source.topic,
        "partition": source.partition,
        "offset": source.offset,
        "key": None if letter.key is None else letter.key.decode("utf-8", "replace"),
        "orgId": None if letter.org_id is None else str(letter.org_id),
        "redrives": case.redrives,
    }


def _actor(by: str | None) -> str:
    return by or getpass.getuser()
