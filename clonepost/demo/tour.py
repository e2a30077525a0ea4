"""The guided first clone: import the demo data, send the request over HTTP, watch the job, show source beside clones.

Everything here goes through the public surfaces, the reference import and the HTTP API: what it shows is what a partner
gets.
"""

import json
import time
import uuid
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

import httpx
from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from clonepost.demo.pages import next_steps, side_by_side
from clonepost.localstack.home import Home
from runtime.errors import ClonepostError
from storage import keys, reference
from storage.connection import Database

_KEY_FILE: Final = "demo-key"
_PATIENCE_SECONDS: Final = 60.0
# The text is what was asked for; behind other clones' pictures these may take a minute.
_PICTURES_SECONDS: Final = 5.0


def tour(home: Home, addresses: Mapping[str, str], console: Console) -> None:
    """Import, ask, watch, show. Raises ClonepostError with what to look at when a step fails."""
    rows = demo_rows()
    database = Database(addresses["postgres"], application_name="clonepost-demo")
    with database.transaction() as connection:
        reference.import_lines(connection, demo_text().splitlines())
    project, source = showcase(rows)
    api_key = _demo_key(home, database, uuid.UUID(project["organizationId"]))
    database.close()
    console.print(f"  demo data: {len(rows)} rows imported", style="dim")
    request = {"projectId": project["id"], "sourcePlatformPostId": source["id"], "mode": "reimagine", "variations": 3}
    container = str(uuid.uuid4())
    with httpx.Client(base_url=addresses["http"], headers={"X-Api-Key": api_key}, timeout=30) as client:
        _await_key(client)
        started = time.monotonic()
        answer = client.post(f"/v1/content/{container}/clone-from-post", json=request)
        if answer.status_code != httpx.codes.ACCEPTED:
            raise ClonepostError(f"the demo's clone was refused: {answer.text}")
        job = _watch(client, answer.json()["locationUrl"], console)
        if not console.is_terminal:
            console.print()
        console.print(
            f"  POST to finished creatives: {(time.monotonic() - started) * 1000:.0f} ms, {job['status']}",
            style="green",
        )
        content = client.get(f"/v1/content/{container}").json()
        console.print(side_by_side(source, content))
        with console.status("rendering the first one's pictures"):
            content = _with_pictures(client, container)
    if content["variations"][0]["rendering"] is not None and not content["variations"][0]["assets"]:
        console.print("  its pictures are still being made: see below how to look for them", style="dim")
    for asset in content["variations"][0]["assets"]:
        console.print(f"  {asset['kind']:12}{addresses['http']}{asset['url']}", soft_wrap=True, highlight=False)
    steps = next_steps(addresses, api_key, project["organizationId"], container, request)
    console.print(steps, soft_wrap=True, highlight=False, markup=False)


def demo_text() -> str:
    """The demo data, in the import format."""
    return (files("clonepost.demo") / "reference.jsonl").read_text("utf-8")


def demo_rows() -> list[dict[str, Any]]:
    """The demo data's objects."""
    return [json.loads(line) for line in demo_text().splitlines() if line]


def showcase(rows: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The first project of the demo data, and the first video of its organisation."""
    project = next(row for row in rows if row["type"] == "project")
    source = next(
        row
        for row in rows
        if row["type"] == "source_post"
        and row["organizationId"] == project["organizationId"]
        and row["format"] == "video"
        and row.get("projectId") is None
    )
    return project, source


def _demo_key(home: Home, database: Database, org_id: uuid.UUID) -> str:
    """The demo's key: made once, kept in the home, so that yesterday's curl still works today."""
    file = home.folder / _KEY_FILE
    if file.exists():
        kept = file.read_text("utf-8").strip()
        parts = keys.split(kept)
        with database.transaction() as connection:
            known = {row.key_id for row in keys.list_keys(connection, org_id) if row.revoked_at is None}
        if parts is not None and parts[0] in known:
            return kept
    with database.transaction() as connection:
        _, api_key = keys.create(connection, org_id, scopes=["*"], tier="partner", environment="demo")
    file.touch(mode=0o600)
    file.write_text(api_key, "utf-8")
    return api_key


def _await_key(client: httpx.Client) -> None:
    # A new key reaches every API process with its next refresh.
    until = time.monotonic() + _PATIENCE_SECONDS
    while client.get("/v1/whoami").status_code == httpx.codes.UNAUTHORIZED:
        if time.monotonic() > until:
            raise ClonepostError("the API does not take the demo's key; see the log of the api process")
        time.sleep(0.1)


def _watch(client: httpx.Client, location: str, console: Console) -> dict[str, Any]:
    bars = Progress(TextColumn("  {task.description:17}"), BarColumn(40), TextColumn("{task.fields[note]}"))
    tasks: dict[str, TaskID] = {}
    until = time.monotonic() + _PATIENCE_SECONDS
    etag = ""
    with Live(bars, console=console, refresh_per_second=20, transient=False):
        while True:
            answer = client.get(location, headers={"Prefer": "wait=1", "If-None-Match": etag})
            if answer.status_code == httpx.codes.OK:
                etag = answer.headers["etag"]
                job: dict[str, Any] = answer.json()
                draw(bars, tasks, job)
                if job["status"] != "running":
                    return job
            if time.monotonic() > until:
                raise ClonepostError(f"the demo's job did not end within {_PATIENCE_SECONDS:.0f} s: `clonepost doctor`")


def _with_pictures(client: httpx.Client, container: str) -> dict[str, Any]:
    """The container once its first variation's assets have been made, if any are: they come later than the text."""
    until = time.monotonic() + _PICTURES_SECONDS
    while True:
        content: dict[str, Any] = client.get(f"/v1/content/{container}").json()
        rendering = content["variations"][0]["rendering"]
        if rendering is None or rendering["status"] in ("ready", "failed") or time.monotonic() > until:
            return content
        time.sleep(0.2)


def draw(bars: Progress, tasks: dict[str, TaskID], job: Mapping[str, Any]) -> None:
    """A bar for each stage that the job was seen in, and none for those that it skips or passes too quickly."""
    stage, running = job["stage"], job["status"] == "running"
    if stage not in tasks:
        # Without progress yet the bar has no length to fill: it pulses.
        tasks[stage] = bars.add_task(stage, total=None, note="running")
    for seen, task in tasks.items():
        if seen != stage:
            bars.update(task, total=1.0, completed=1.0, note="")
        elif not running:
            bars.update(task, total=1.0, completed=1.0, note=job["status"])
        elif job["progress"]:
            bars.update(task, total=1.0, completed=job["progress"])
