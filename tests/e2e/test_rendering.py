"""The whole pipeline with pictures: texts first, assets later, downloads, and a render role that is killed at work."""

import hashlib
import io
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest

from tests.awaiting import eventually
from tests.e2e.pipeline import Pipeline
from tests.e2e.running import running_pipeline

pytestmark = pytest.mark.slow


@pytest.fixture
def rendering(kafka: str, postgres: str, tmp_path: Path) -> Iterator[Pipeline]:
    """Every role; leases run out soon."""
    environment = {"CLONEPOST_ASSETS_FOLDER": str(tmp_path / "assets"), "CLONEPOST_LEASE_SECONDS": "3"}
    with running_pipeline(kafka, postgres, tmp_path, environment) as pipeline:
        yield pipeline


def test_texts_come_first_and_a_killed_renderer_costs_nothing_but_time(rendering: Pipeline) -> None:
    tenant, other, container = rendering.tenant(), rendering.tenant(), uuid.uuid4()
    with rendering.client(tenant) as client, rendering.client(other) as stranger:
        job = client.post(f"/v1/content/{container}/clone-from-post", json=tenant.body()).json()["jobId"]
        assert rendering.ended(client, job)["status"] == "completed"

        def variation() -> dict[str, Any]:
            shown: dict[str, Any] = client.get(f"/v1/content/{container}").json()["variations"][0]
            return shown

        assert variation()["rendering"]["status"] in ("pending", "running")
        assert client.get(f"/v1/content/{container}/progress").json()["stage"] == "rendering"
        eventually(lambda: variation()["rendering"]["status"] == "running", what="the render begins")
        killed = rendering.roles["render"]
        process = killed._process
        assert process is not None
        process.kill()
        process.wait()
        rendering.launch("render")
        made = eventually(
            lambda: shown if (shown := variation())["rendering"]["status"] == "ready" else None, what="it is ready"
        )
        assert {asset["kind"] for asset in made["assets"]} == {"storyboard", "video", "captions"}
        for asset in made["assets"]:
            answer = client.get(asset["url"])
            assert answer.status_code == 200
            assert hashlib.sha256(answer.content).hexdigest() == asset["sha256"]
            assert len(answer.content) == asset["bytes"]
            assert stranger.get(asset["url"]).status_code == 404
        video = next(asset for asset in made["assets"] if asset["kind"] == "video")
        part = client.get(video["url"], headers={"Range": "bytes=100-199"})
        whole = client.get(video["url"]).content
        assert (part.status_code, part.content) == (206, whole[100:200])
        with av.open(io.BytesIO(whole), "r") as film:
            assert (film.streams.video[0].width, film.streams.video[0].height) == (540, 960)
        assert client.get(f"/v1/content/{container}/progress").json()["stage"] == "finalizing"
    with rendering.database.transaction() as connection:
        row = connection.execute("SELECT attempt, losses FROM renders").fetchone()
    assert row is not None
    assert row[0] > 1
    assert row[1] == 1
