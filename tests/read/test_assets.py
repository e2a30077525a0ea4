"""Rendered files: shown when they are ready, downloaded whole or in ranges, by their organisation alone."""

import hashlib
import json
import uuid
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.read.ranges import NotSatisfiable, wanted
from schemas.http import Content, ContentProgress, Job
from schemas.ids import JobId, format_id, variation_id
from storage.asset_store import AssetMissing, LocalFolder, attempt_prefix
from storage.variations import Lease
from tests.builders import Brand, Rows
from tests.builders import Job as AcceptedJob
from tests.read.conftest import Api

pytestmark = pytest.mark.anyio

FILE: Final = bytes(range(256)) * 2_500
ASSET: Final[dict[str, Any]] = {
    "name": "video.mp4",
    "kind": "video",
    "contentType": "video/mp4",
    "bytes": len(FILE),
    "sha256": hashlib.sha256(FILE).hexdigest(),
    "width": 540,
    "height": 960,
    "durationMs": 21_000,
    "voiceOverMs": 15_000,
    "notes": [],
}


def completed(rows: Rows, brand: Brand, *, variations: int = 1) -> AcceptedJob:
    job = rows.job(brand, variations=variations)
    for index in range(variations):
        rows.variation(job, index, "succeeded")
    rows.end(job, "completed", succeeded=variations)
    return job


def render(rows: Rows, job: AcceptedJob, index: int, state: str) -> None:
    """What the render role has written by then."""
    ended = state in ("ready", "failed")
    rows.execute(
        """INSERT INTO renders (job_id, variation_index, org_id, state, attempt, lease_until, finished_at, assets,
             error_code, error_message)
           VALUES (%s, %s, %s, %s, 2, CASE WHEN %s THEN clock_timestamp() END,
             CASE WHEN %s THEN clock_timestamp() END, %s, %s, %s)
           ON CONFLICT (job_id, variation_index) DO UPDATE SET state = excluded.state,
             lease_until = excluded.lease_until, finished_at = excluded.finished_at, assets = excluded.assets,
             error_code = excluded.error_code, error_message = excluded.error_message""",
        *(job.job_id, index, job.org_id, state, state == "leased", ended),
        json.dumps([ASSET]) if state == "ready" else None,
        *(("RENDER_TIMEOUT", "Rendering took too long.") if state == "failed" else (None, None)),
    )


def ready(rows: Rows, folder: Path, brand: Brand) -> tuple[AcceptedJob, str]:
    """A job with one asset, and its address."""
    job = completed(rows, brand)
    render(rows, job, 0, "ready")
    LocalFolder(folder).put(f"{attempt_prefix(Lease(job.job_id, 0, 2))}/video.mp4", FILE)
    return job, address(job)


def address(job: AcceptedJob, index: int = 0, name: str = "video.mp4") -> str:
    variation = format_id("var", variation_id(JobId(job.job_id), index))
    return f"/v1/content/{format_id('cnt', job.container_id)}/variations/{variation}/assets/{name}"


async def test_content_links_to_what_is_ready_and_says_what_is_not(api: Api, rows: Rows, tmp_path: Path) -> None:
    brand = rows.brand()
    job, key = completed(rows, brand, variations=4), rows.key(brand.org_id)
    for index, state in enumerate(("pending", "leased", "ready", "failed")):
        render(rows, job, index, state)
    shown = (await api.get(f"/v1/content/{job.container_id}", key)).json()
    Content.model_validate(shown)
    assert [v["rendering"]["status"] for v in shown["variations"]] == ["pending", "running", "ready", "failed"]
    assert [len(v["assets"]) for v in shown["variations"]] == [0, 0, 1, 0]
    assert shown["variations"][2]["assets"] == [{**ASSET, "url": address(job, 2)}]
    assert shown["variations"][3]["rendering"]["error"]["code"] == "RENDER_TIMEOUT"
    # The texts and the job do not care.
    assert shown["status"] == "completed"
    assert {v["status"] for v in shown["variations"]} == {"completed"}


async def test_the_job_is_final_and_its_assets_show_with_a_new_etag(api: Api, rows: Rows, tmp_path: Path) -> None:
    brand = rows.brand()
    job, key = completed(rows, brand), rows.key(brand.org_id)
    path = f"/v1/jobs/{job.job_id}"
    before = await api.get(path, key)
    render(rows, job, 0, "pending")
    assert (await api.get(path, key, if_none_match=before.headers["etag"])).status_code == 304
    render(rows, job, 0, "ready")
    after = await api.get(path, key, if_none_match=before.headers["etag"])
    assert after.status_code == 200
    assert after.headers["etag"] != before.headers["etag"]
    was, now = before.json(), after.json()
    Job.model_validate(now)
    (variation,) = now["result"]["variations"]
    assert variation["assets"] == [{**ASSET, "url": address(job)}]
    variation["assets"] = []
    assert now == was
    assert (await api.get(path, key, if_none_match=after.headers["etag"])).status_code == 304


async def test_progress_is_at_rendering_until_the_last_asset_is_there(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    job, key = completed(rows, brand, variations=2), rows.key(brand.org_id)
    path, seen = f"/v1/content/{job.container_id}/progress", []
    for states in ((), ("pending", "leased"), ("ready", "leased"), ("ready", "failed")):
        for index, state in enumerate(states):
            render(rows, job, index, state)
        shown = (await api.get(path, key)).json()
        ContentProgress.model_validate(shown)
        seen.append((shown["status"], shown["stage"], shown["stageProgress"], shown["etaSeconds"] is None))
    assert seen == [
        ("completed", "finalizing", 1.0, False),
        ("completed", "rendering", 0.0, True),
        ("completed", "rendering", 0.5, False),
        ("completed", "finalizing", 1.0, False),
    ]


async def test_a_file_is_downloaded_whole(api: Api, rows: Rows, tmp_path: Path) -> None:
    brand = rows.brand()
    _, path = ready(rows, tmp_path, brand)
    answer = await api.get(path, rows.key(brand.org_id, "content:read"))
    assert (answer.status_code, answer.content) == (200, FILE)
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["content-length"] == str(len(FILE))
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "x-request-id" in answer.headers
    again = await api.get(path, rows.key(brand.org_id), if_none_match=answer.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=100-399999", 100, 400_000),
        ("bytes=639990-", 639_990, 640_000),
        ("bytes=-5", -5, None),
    ],
)
async def test_a_range_is_downloaded(
    api: Api, rows: Rows, tmp_path: Path, asked: str, start: int, end: int | None
) -> None:
    brand = rows.brand()
    _, path = ready(rows, tmp_path, brand)
    answer = await api.get(path, rows.key(brand.org_id), range=asked)
    assert (answer.status_code, answer.content) == (206, FILE[start:end])
    first = start % len(FILE)
    assert answer.headers["content-range"] == f"bytes {first}-{first + len(answer.content) - 1}/{len(FILE)}"


async def test_a_range_of_another_file_gets_the_whole(api: Api, rows: Rows, tmp_path: Path) -> None:
    brand = rows.brand()
    _, path = ready(rows, tmp_path, brand)
    key = rows.key(brand.org_id)
    etag = (await api.get(path, key)).headers["etag"]
    assert (await api.get(path, key, range="bytes=0-9", if_range=etag)).status_code == 206
    assert (await api.get(path, key, range="bytes=0-9", if_range='"another"')).status_code == 200


async def test_a_range_behind_the_end_is_416_in_the_envelope(api: Api, rows: Rows, tmp_path: Path) -> None:
    brand = rows.brand()
    _, path = ready(rows, tmp_path, brand)
    answer = await api.get(path, rows.key(brand.org_id), range="bytes=640000-")
    assert (answer.status_code, answer.json()["error"]["code"]) == (416, "VALIDATION_FAILED")
    assert answer.headers["content-range"] == "bytes */640000"


async def test_strangers_and_wrong_names_get_404(api: Api, rows: Rows, tmp_path: Path) -> None:
    brand = rows.brand()
    job, path = ready(rows, tmp_path, brand)
    assert (await api.get(path, rows.key(rows.organization()))).status_code == 404
    key = rows.key(brand.org_id)
    variation = format_id("var", uuid.uuid4())
    for wrong in (
        address(job, 0, "storyboard.webp"),
        address(job, 0, "..%2Fvideo.mp4"),
        address(job, 1),
        f"/v1/content/{job.container_id}/variations/{variation}/assets/video.mp4",
        f"/v1/content/{uuid.uuid4()}/variations/{variation}/assets/video.mp4",
    ):
        answer = await api.get(wrong, key)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND"), wrong
    other = completed(rows, rows.brand(brand.org_id))
    render(rows, other, 0, "pending")
    assert (await api.get(address(other), key)).status_code == 404


async def test_the_scope_is_needed(api: Api, rows: Rows, tmp_path: Path) -> None:
    brand = rows.brand()
    _, path = ready(rows, tmp_path, brand)
    answer = await api.get(path, rows.key(brand.org_id, "jobs:read"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN_SCOPE")


@pytest.mark.parametrize("cut", [None, 10])
async def test_a_file_that_is_gone_is_503_and_no_broken_download(
    api: Api, rows: Rows, tmp_path: Path, cut: int | None
) -> None:
    brand = rows.brand()
    job, path = ready(rows, tmp_path, brand)
    file = tmp_path / attempt_prefix(Lease(job.job_id, 0, 2)) / "video.mp4"
    file.unlink() if cut is None else file.write_bytes(FILE[:cut])
    answer = await api.get(path, rows.key(brand.org_id), range="bytes=20-")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "UNAVAILABLE")


@given(st.binary(max_size=40), st.integers(0, 60), st.integers(0, 60))
async def test_ranges_are_the_slices_that_they_name(content: bytes, first: int, last: int) -> None:
    for header, meant in (
        (f"bytes={first}-", content[first:]),
        (f"bytes=-{last}", content[-last:] if last else b""),
        (f"bytes={first}-{last}", content[first : last + 1]),
    ):
        try:
            part = wanted(header, len(content))
        except NotSatisfiable:
            assert not meant
            continue
        start, end = part or (0, len(content))
        assert content[start:end] == (meant if part else content)
        assert part is None or 0 <= start < end <= len(content)


@pytest.mark.parametrize(
    "header", [None, "", "bytes=", "bytes=-", "bytes=1-0", "items=0-1", "bytes=0-1,4-5", "bytes=a-b"]
)
def test_what_is_no_single_range_is_passed_over(header: str | None) -> None:
    assert wanted(header, 10) is None


def test_a_store_keeps_files_whole_and_apart(tmp_path: Path) -> None:
    store = LocalFolder(tmp_path)
    store.put("a/0/1/x", b"first")
    store.put("a/0/2/x", b"second")
    assert store.read("a/0/1/x", 1, 3) == b"irs"
    store.discard("a/0/1")
    store.discard("a/0/9")
    with pytest.raises(AssetMissing):
        store.read("a/0/1/x", 0, 1)
    assert store.read("a/0/2/x", 0, 99) == b"second"
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == ["x"]
