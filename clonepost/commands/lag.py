"""`clonepost lag`: how far each stage is behind."""

from typing import Final

import typer
from rich.console import Console
from rich.table import Table

from clonepost.commands.options import HomeOption, JsonOption, broker_of, print_json
from runtime.kafka_admin import KafkaAdmin
from schemas.topics import ADMISSIONS, REQUESTS, VARIATION_RESULTS, Topic

STAGES: Final[dict[str, Topic]] = {"dedup": REQUESTS, "generate": ADMISSIONS, "project": VARIATION_RESULTS}


def lag(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show, per stage, how many records wait in its topic.

    Example:  clonepost lag --json
    """
    settings = broker_of(home)
    admin = KafkaAdmin(settings)
    rows = {stage: stage_lag(admin, settings.topic_prefix, stage) for stage in STAGES}
    if as_json:
        print_json(rows)
        return
    table = Table("stage", "topic", "records behind")
    for stage, behind in rows.items():
        table.add_row(stage, STAGES[stage].name, str(behind))
    Console().print(table)
    if any(rows.values()):
        typer.echo("A stage that stays behind: see `clonepost doctor`.")


def stage_lag(admin: KafkaAdmin, topic_prefix: str, stage: str) -> int:
    """Records that the stage has not committed yet. Raises BrokerUnavailable."""
    topic = topic_prefix + STAGES[stage].name
    ends = admin.end_offsets(topic)
    starts, committed = admin.start_offsets(topic, len(ends)), admin.committed_offsets(stage, topic, len(ends))
    return sum(max(0, end - committed.get(p, starts[p])) for p, end in ends.items())
