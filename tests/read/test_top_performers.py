"""GET /v1/projects/{projectId}/top-performers: tracked posts by a metric of a window, best first."""

from typing import Any

import pytest

from schemas.http import TopPerformerPage
from schemas.ids import format_id
from tests.builders import Brand, Rows
from tests.read.conftest import Api

pytestmark = pytest.mark.anyio


async def ranked(api: Api, rows: Rows, brand: Brand, query: str) -> dict[str, Any]:
    answer = await api.get(f"/v1/projects/{brand.project_id}/top-performers?{query}", rows.key(brand.org_id))
    assert answer.status_code == 200, answer.text
    TopPerformerPage.model_validate(answer.json())
    found: dict[str, Any] = answer.json()
    return found


async def test_the_best_post_is_first(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    low, high = (rows.post(brand.org_id, metrics={"30d": {"views": views}}) for views in (10, 2_500_000))
    found = await ranked(api, rows, brand, "metric=views")
    assert found == {
        "items": [
            {
                "rank": rank,
                "sourcePlatformPostId": format_id("pp", post_id),
                "externalId": post_id.hex,
                "platform": "tiktok",
                "metric": "views",
                "metricValue": value,
                "window": "30d",
            }
            for rank, post_id, value in ((1, high, 2_500_000), (2, low, 10))
        ],
        "nextCursor": None,
    }


@pytest.mark.parametrize(
    ("metric", "stored", "value"),
    [
        ("views", "views", 5),
        ("engagement_rate", "engagementRate", 0.125),
        ("conversions", "conversions", 7),
        ("roas", "roas", 1.5),
        ("watch_time_ms", "watchTimeMs", 9_000_000_000),
    ],
)
@pytest.mark.parametrize("window", ["7d", "30d", "90d"])
async def test_every_metric_and_window_can_be_asked_for(
    api: Api, rows: Rows, metric: str, stored: str, value: float, window: str
) -> None:
    brand = rows.brand()
    rows.post(brand.org_id, metrics={window: {stored: value}})
    [item] = (await ranked(api, rows, brand, f"metric={metric}&window={window}"))["items"]
    assert (item["metric"], item["metricValue"], item["window"]) == (metric, value, window)
    assert isinstance(item["metricValue"], type(value))


async def test_posts_without_the_figure_are_left_out(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    for metrics in (None, {}, {"7d": {"views": 3}}, {"30d": {"roas": 1.0}}, {"30d": {"views": None}}):
        rows.post(brand.org_id, metrics=metrics)
    assert (await ranked(api, rows, brand, "metric=views"))["items"] == []


async def test_the_organisations_posts_and_the_projects_are_ranked_and_no_others(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    sibling, stranger = rows.brand(brand.org_id), rows.brand()
    metrics = {"30d": {"views": 1}}
    mine = {
        rows.post(brand.org_id, metrics=metrics),
        rows.post(brand.org_id, project_id=brand.project_id, metrics=metrics),
    }
    rows.post(brand.org_id, project_id=sibling.project_id, metrics=metrics)
    rows.post(stranger.org_id, metrics=metrics)
    items = (await ranked(api, rows, brand, "metric=views"))["items"]
    assert {item["sourcePlatformPostId"] for item in items} == {format_id("pp", post_id) for post_id in mine}


async def test_a_platform_can_be_chosen(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    rows.post(brand.org_id, platform="tiktok", metrics={"30d": {"views": 2}})
    rows.post(brand.org_id, platform="instagram", metrics={"30d": {"views": 1}})
    [item] = (await ranked(api, rows, brand, "metric=views&platform=instagram"))["items"]
    assert (item["platform"], item["rank"]) == ("instagram", 1)
    assert (await ranked(api, rows, brand, "metric=views&platform=%00"))["items"] == []


async def test_ranks_go_on_from_page_to_page(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    # Equal figures too: the order between them must not change from page to page.
    for views in (5, 4, 4, 4, 1):
        rows.post(brand.org_id, metrics={"30d": {"views": views}})
    seen, cursor = [], ""
    while True:
        page = await ranked(api, rows, brand, f"metric=views&limit=2{cursor}")
        seen += [(item["rank"], item["metricValue"], item["sourcePlatformPostId"]) for item in page["items"]]
        if page["nextCursor"] is None:
            break
        cursor = f"&cursor={page['nextCursor']}"
    assert [(rank, value) for rank, value, _ in seen] == [(1, 5), (2, 4), (3, 4), (4, 4), (5, 1)]
    assert len({post for _, _, post in seen}) == 5


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "metric"),
        ("metric=likes", "metric"),
        ("metric=engagementRate", "metric"),
        ("metric=views&window=1d", "window"),
        ("metric=views&limit=0", "limit"),
        ("metric=views&cursor=!", "cursor"),
        ("metric=views&cursor=LTE", "cursor"),
    ],
)
async def test_what_is_wrong_is_named(api: Api, rows: Rows, query: str, field: str) -> None:
    brand = rows.brand()
    answer = await api.get(f"/v1/projects/{brand.project_id}/top-performers?{query}", rows.key(brand.org_id))
    assert answer.status_code == 422
    assert [f["field"] for f in answer.json()["error"]["details"]["fields"]] == [field]
