"""What the tour prints. Pure: rows in, renderables and text out."""

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table


def side_by_side(source: Mapping[str, Any], content: Mapping[str, Any]) -> RenderableType:
    """The source in the first column, every finished creative beside it."""
    table = Table(show_lines=True, expand=True)
    table.add_column("", style="bold", no_wrap=True)
    table.add_column(f"source ({source['platform']})", ratio=1)
    made = [variation for variation in content["variations"] if variation["status"] == "completed"]
    for variation in made:
        table.add_column(f"variation {variation['index']}: {variation['hookShape']}", ratio=1)
    spoken = " ".join(part["text"] for part in source.get("transcript") or ())
    opening = (source.get("transcript") or [{"text": source["caption"]}])[0]["text"]
    table.add_row("hook", opening, *(variation["hook"] for variation in made))
    table.add_row("caption", source["caption"], *(variation["caption"] for variation in made))
    table.add_row("script", spoken, *(variation["voiceOverScript"] for variation in made))
    table.add_row("call", "", *(variation["cta"] for variation in made))
    shots = len(source.get("shots") or ())
    table.add_row(
        "shape",
        f"{shots} shots, {(source.get('durationMs') or 0) / 1000:.1f} s",
        *(f"{len(v['shots'])} shots, {v['durationMs'] / 1000:.1f} s, {v['visualFormat']}" for v in made),
    )
    return Group(table)


def next_steps(
    addresses: Mapping[str, str], api_key: str, organization: str, container: str, request: Mapping[str, Any]
) -> str:
    """Lines to copy: a clone, its replay, a conflict, a clone straight to Kafka, the completions, the key."""
    body = json.dumps(request)
    other = json.dumps({**request, "mode": "fork"})
    url = f"{addresses['http']}/v1/content"
    headers = "-H 'X-Api-Key: '$KEY -H 'Content-Type: application/json'"
    new_id = ".venv/bin/python -c 'import uuid; print(uuid.uuid4())'"
    environment = f"KAFKA_BOOTSTRAP_SERVERS={addresses['kafka']}"
    return "\n".join(
        [
            "",
            "Try next:",
            f"  export KEY={api_key}",
            "  # a clone of your own",
            f"  curl -X POST {url}/$({new_id})/clone-from-post {headers} -d '{body}'",
            "  # a replay: the same container and request give the first answer, byte for byte",
            f"  curl -i -X POST {url}/{container}/clone-from-post {headers} -d '{body}'",
            "  # a conflict: the same container, another request",
            f"  curl -X POST {url}/{container}/clone-from-post {headers} -d '{other}'",
            "  # a clone event straight to Kafka",
            f"  {environment} .venv/bin/python docs/examples/publish_clone.py --organization {organization}"
            f" --project {request['projectId']} --source {request['sourcePlatformPostId']}",
            "  # what was rendered: links with each variation",
            f"  curl {url}/{container} -H 'X-Api-Key: '$KEY",
            "  # the completion events, as analysts read them",
            f"  {environment} .venv/bin/clonepost tail clone.jobs-completed --from-beginning",
            f"  # every route: {addresses['http']}/docs",
            "",
        ]
    )
