"""`clonepost tail TOPIC`: what goes through a topic, as JSON lines."""

import json
from typing import Annotated, Any

import typer

from clonepost.commands.options import HomeOption, broker_of
from runtime.errors import ClonepostError
from runtime.kafka_admin import KafkaAdmin
from runtime.record import Record, header_pairs, raw_bytes
from runtime.schema_registry import connect_to_read
from runtime.tailing import tail as tail_records
from schemas import codec
from schemas.topics import ALL_TOPICS


def tail(
    topic: Annotated[str, typer.Argument(help=" | ".join(topic.name for topic in ALL_TOPICS))],
    home: HomeOption = None,
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="Not only what comes from now on.")] = False,
    until_end: Annotated[bool, typer.Option("--until-end", help="Stop at the present end.")] = False,
) -> None:
    """Print a topic's committed records, one JSON object a line, until Ctrl-C.

    Example:  clonepost tail clone.jobs-completed --from-beginning
    """
    known = next((known for known in ALL_TOPICS if known.name == topic), None)
    if known is None:
        raise ClonepostError(f"there is no topic {topic}; the topics are {', '.join(t.name for t in ALL_TOPICS)}")
    settings = broker_of(home)
    full_name = settings.topic_prefix + topic
    partitions = KafkaAdmin(settings).topic(full_name).partitions
    framing = connect_to_read(settings)
    records = tail_records(
        settings, full_name, partitions=partitions, from_beginning=from_beginning, until_end=until_end
    )
    try:
        for record in records:
            shown = _shown(record if framing is None else framing.record(record))
            typer.echo(json.dumps(shown, ensure_ascii=False))
    except KeyboardInterrupt:
        return


def _shown(record: Record) -> dict[str, Any]:
    value = raw_bytes(record.value())
    key = raw_bytes(record.key())
    name = None if value is None else codec.event_name(value)
    body: Any = None
    if name is not None:
        try:
            body = codec.decode(value, frozenset({name})).record
        except codec.UndecodableRecord as error:
            body = {"undecodable": error.reason}
    return {
        "partition": record.partition(),
        "offset": record.offset(),
        "key": None if key is None else key.decode("utf-8", "replace"),
        "record": name,
        "headers": {n: None if v is None else v.decode("utf-8", "replace") for n, v in header_pairs(record)},
        "value": body,
    }
