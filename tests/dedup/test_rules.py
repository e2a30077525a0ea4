"""Every rule of a clone request and their order, on real Postgres."""

import uuid
from typing import Any

import pytest

from schemas.ids import format_id
from tests.dedup.records import Read, clone, clone_fields, encoded, job_of
from tests.dedup.stage import Stage
from tests.dedup.world import SLIDESHOW_PRICE, VIDEO_PRICE, World

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS


def _now_ms(world: World) -> int:
    return int(world.rows("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS at")[0]["at"])


def test_an_accepted_request_is_a_claim_a_running_job_a_reservation_and_an_event(stage: Stage, world: World) -> None:
    project = world.project(credit=1_000)
    request = clone(project, variations=3, overrides={"caption": "", "cta": "Buy \u2713", "voiceOverScript": None})

    outputs = stage.feed(request.asking(7, "req-1"))

    [(name, event)] = outputs.admissions()
    [claim] = world.rows("SELECT * FROM claims")
    [job] = world.rows("SELECT * FROM jobs")
    assert name == "CloneAccepted"
    assert event["jobId"] == str(claim["job_id"]) == str(job["job_id"]) == str(job_of(request))
    assert event["projectLayerId"] == str(claim["layer_id"]) == str(project.layer_id)
    assert event["sourcePostId"] == str(claim["source_post_id"]) == str(project.post_id)
    assert claim["overrides"] == {"caption": "", "cta": "Buy \u2713"}
    assert claim["deadline_at"].timestamp() - claim["accepted_at"].timestamp() == pytest.approx(3_600)
    assert round(claim["accepted_at"].timestamp() * 1_000) == event["acceptedAt"]
    assert (job["status"], job["stage"], job["version"]) == ("running", "queued", 1)
    assert world.wallet(project.org_id) == (1_000 - 3 * VIDEO_PRICE, 3 * VIDEO_PRICE, 1)
    [reply] = outputs.replies()
    assert (reply["requestId"], reply["outcome"], reply["jobId"]) == ("req-1", "accepted", event["jobId"])
    assert [r.partition for r in outputs.records if r.topic == "clone.replies"] == [7]


def test_each_rule_wins_over_every_rule_behind_it(stage: Stage, world: World) -> None:
    # One request that breaks every rule at once; each step mends what was refused, and the next rule speaks.
    project = world.project(credit=VIDEO_PRICE, max_running_jobs=1)
    other = world.project(project.org_id)
    taken = clone(project, idempotencyKey="used")
    assert stage.feed(taken).codes() == ["CloneAccepted"]
    crowded = world.project(project.org_id, layers=2)
    request: dict[str, Any] = dict(
        clone_fields(
            project,
            containerId=str(taken.key_bytes, "ascii") if taken.key_bytes else "",
            projectId=str(uuid.uuid4()),
            sourcePlatformPostId="unknown",
            variations=11,
            idempotencyKey="used",
            deadlineAt=1,
        )
    )

    def refused_with(code: str, message: str | None = None, **mended: Any) -> dict[str, Any]:
        request.update(mended)
        [(_, event)] = stage.feed(encoded("CloneRequested", request)).admissions()
        assert (event.get("code"), message or event["message"]) == (code, event["message"])
        return event

    refused_with("VALIDATION_FAILED")
    refused_with("IDEMPOTENCY_CONFLICT", variations=1)
    refused_with("CONFLICT", "Container id already exists with a different request.", idempotencyKey="fresh")
    refused_with("DEADLINE_EXCEEDED", containerId=str(uuid.uuid4()))
    refused_with("NOT_FOUND", "Project not found.", deadlineAt=None)
    refused_with("NOT_FOUND", "Source post not found.", projectId=str(crowded.project_id))
    event = refused_with(
        "CONFLICT",
        "Multiple content layers \u2014 pass projectLayerId to disambiguate.",
        sourcePlatformPostId=str(project.post_id),
    )
    assert event["details"] == '{"layerCount": 2}'
    refused_with("RATE_LIMITED", projectId=str(other.project_id))
    world.execute("UPDATE organizations SET max_running_jobs = 2")
    refused_with("BILLING_EXHAUSTED")
    assert world.wallet(project.org_id) == (0, VIDEO_PRICE, 1)
    world.top_up(project.org_id, VIDEO_PRICE)
    assert stage.feed(encoded("CloneRequested", request)).codes() == ["CloneAccepted"]
    assert world.wallet(project.org_id) == (0, 2 * VIDEO_PRICE, 2)


def test_an_unknown_organization_is_not_found(stage: Stage, world: World) -> None:
    project = world.project()
    [(name, event)] = stage.feed(clone(project, orgId=str(uuid.uuid4()))).admissions()
    assert (name, event["code"]) == ("CloneRejected", "NOT_FOUND")


def test_a_malformed_request_is_refused_with_every_field_and_a_short_echo(stage: Stage, world: World) -> None:
    project = world.project()
    outputs = stage.feed(clone(project, orgId="x" * 900_000, variations=11))
    [(name, event)] = outputs.admissions()
    assert (name, event["code"]) == ("CloneRejected", "VALIDATION_FAILED")
    assert '"orgId"' in event["details"]
    assert '"variations"' in event["details"]
    # An answer as long as its question could exceed what the broker takes, and would then be retried for ever.
    assert event["orgId"] == "x" * 128
    assert sum(len(record.value or b"") for record in outputs.records) < 2_000


@pytest.mark.parametrize("thing", ["project", "layer", "post"])
def test_what_belongs_to_another_organization_does_not_exist(stage: Stage, world: World, thing: str) -> None:
    mine, theirs = world.project(), world.project()
    changes: dict[str, Any] = {
        "project": {"projectId": str(theirs.project_id)},
        "layer": {"projectLayerId": str(theirs.layer_id)},
        "post": {"sourcePlatformPostId": str(theirs.post_id)},
    }[thing]
    assert stage.feed(clone(mine, **changes)).codes() == ["NOT_FOUND"]


def test_one_container_id_serves_two_organizations(stage: Stage, world: World) -> None:
    container = uuid.uuid4()
    outputs = stage.feed(clone(world.project(), container), clone(world.project(), container))
    assert outputs.codes() == ["CloneAccepted", "CloneAccepted"]


def test_the_layer_is_chosen_only_where_there_is_no_choice(stage: Stage, world: World) -> None:
    project = world.project()
    archived = world.layer(project, status="archived")
    sibling = world.project(project.org_id)
    bare = world.project(project.org_id, layers=0)

    def code(**changes: Any) -> tuple[str, str | None]:
        [(name, event)] = stage.feed(clone(project, **changes)).admissions()
        return event.get("code", name), event.get("details")

    assert code() == ("CloneAccepted", None)
    assert code(projectLayerId=format_id("lay", project.layer_id)) == ("CloneAccepted", None)
    assert code(projectLayerId=str(archived)) == ("CONFLICT", None)
    assert code(projectLayerId=str(sibling.layer_id)) == ("NOT_FOUND", None)
    assert code(projectId=str(bare.project_id)) == ("CONFLICT", '{"layerCount": 0}')
    world.layer(project)
    assert code() == ("CONFLICT", '{"layerCount": 2}')
    assert code(projectLayerId=str(project.layer_id)) == ("CloneAccepted", None)


def test_a_source_is_found_by_either_id_and_never_guessed(stage: Stage, world: World) -> None:
    project = world.project()
    sibling = world.project(project.org_id)
    unique = world.post(project.org_id, external_id="7301")
    world.post(project.org_id, external_id="twice", platform="tiktok")
    world.post(project.org_id, external_id="twice", platform="youtube")
    elsewhere = world.post(project.org_id, project_id=sibling.project_id, external_id="elsewhere")

    def event(source: str) -> dict[str, Any]:
        [(_, event)] = stage.feed(clone(project, sourcePlatformPostId=source)).admissions()
        return event

    assert event("7301")["sourcePostId"] == str(unique)
    assert event(str(unique).upper())["sourcePostId"] == str(unique)
    assert event(format_id("pp", unique))["sourcePostId"] == str(unique)
    assert event("elsewhere")["code"] == event(str(elsewhere))["code"] == "NOT_FOUND"
    ambiguous = event("twice")
    assert ambiguous["code"] == "CONFLICT"
    assert ambiguous["details"].count('"externalId": "twice"') == 2


def test_an_ambiguous_source_outside_the_project_is_no_ambiguity(stage: Stage, world: World) -> None:
    project = world.project()
    sibling = world.project(project.org_id)
    mine = world.post(project.org_id, external_id="both", platform="tiktok")
    world.post(project.org_id, external_id="both", platform="youtube", project_id=sibling.project_id)
    [(_, event)] = stage.feed(clone(project, sourcePlatformPostId="both")).admissions()
    assert event["sourcePostId"] == str(mine)


def test_the_price_follows_the_layer(stage: Stage, world: World) -> None:
    project = world.project(credit=1_000)
    slideshow = world.layer(project, layer_format="slideshow")
    stage.feed(clone(project, projectLayerId=str(slideshow), variations=10))
    assert world.wallet(project.org_id) == (1_000 - 10 * SLIDESHOW_PRICE, 10 * SLIDESHOW_PRICE, 1)


def test_a_deadline_shortens_the_hour_and_never_lengthens_it(stage: Stage, world: World) -> None:
    project = world.project()
    soon, late = _now_ms(world) + _HOUR_MS // 2, _now_ms(world) + 5 * _HOUR_MS
    outputs = stage.feed(clone(project, deadlineAt=soon), clone(project, deadlineAt=late))
    (_, short), (_, capped) = outputs.admissions()
    assert short["deadlineAt"] == soon
    assert capped["deadlineAt"] == capped["acceptedAt"] + _HOUR_MS


def test_the_cap_on_running_jobs_counts_the_batch_and_frees_with_its_jobs(stage: Stage, world: World) -> None:
    project = world.project(max_running_jobs=2)
    outputs = stage.feed(*(clone(project) for _ in range(4)))
    assert outputs.codes() == ["CloneAccepted", "CloneAccepted", "RATE_LIMITED", "RATE_LIMITED"]
    world.execute("UPDATE wallets SET running_jobs = 1 WHERE org_id = %s", project.org_id)
    assert stage.feed(clone(project), clone(project)).codes() == ["CloneAccepted", "RATE_LIMITED"]


def test_jobs_of_a_project_are_numbered_without_gaps(stage: Stage, world: World) -> None:
    project = world.project(credit=3 * VIDEO_PRICE)
    outputs = stage.feed(clone(project), clone(project, variations=11), clone(project))
    outputs.records.extend(stage.feed(clone(project), clone(project)).records)
    ordinals = [event["ordinal"] for name, event in outputs.admissions() if name == "CloneAccepted"]
    assert ordinals == [0, 1, 2]


def test_a_refusal_claims_nothing(stage: Stage, world: World) -> None:
    project = world.project(credit=0)
    request = clone(project)
    assert stage.feed(request).codes() == ["BILLING_EXHAUSTED"]
    world.top_up(project.org_id, VIDEO_PRICE)
    assert stage.feed(request).codes() == ["CloneAccepted"]


def test_a_replay_survives_an_archived_layer_and_an_empty_wallet(stage: Stage, world: World) -> None:
    project = world.project(credit=VIDEO_PRICE)
    request = clone(project)
    stage.feed(request)
    world.execute("UPDATE project_layers SET status = 'archived'")
    outputs = stage.feed(request.asking(0))
    assert outputs.admissions() == []
    assert [reply["outcome"] for reply in outputs.replies()] == ["replayed"]
    assert world.count("refusals") == 0


def _same_key(project: Any) -> tuple[Read, Read]:
    return clone(project, idempotencyKey="K"), clone(project, idempotencyKey="K")


def test_an_idempotency_key_stands_for_24_hours_of_the_database(stage: Stage, world: World) -> None:
    one, other = _same_key(world.project())
    assert stage.feed(one).codes() == ["CloneAccepted"]
    world.execute("UPDATE idempotency_keys SET accepted_at = clock_timestamp() - interval '23 hours 59 minutes'")
    assert stage.feed(other).codes() == ["IDEMPOTENCY_CONFLICT"]
    world.execute("UPDATE idempotency_keys SET accepted_at = clock_timestamp() - interval '24 hours 1 second'")
    assert stage.feed(other).codes() == ["CloneAccepted"]
    [key] = world.rows("SELECT job_id FROM idempotency_keys")
    assert key["job_id"] == job_of(other)


def test_an_idempotency_key_is_kept_for_accepted_requests_only(stage: Stage, world: World) -> None:
    project = world.project()
    refused = clone(project, idempotencyKey="K", projectId=str(uuid.uuid4()))
    one, other = _same_key(project)
    assert stage.feed(refused, one, other).codes() == ["NOT_FOUND", "CloneAccepted", "IDEMPOTENCY_CONFLICT"]


def test_an_idempotency_key_belongs_to_its_organization(stage: Stage, world: World) -> None:
    outputs = stage.feed(clone(world.project(), idempotencyKey="K"), clone(world.project(), idempotencyKey="K"))
    assert outputs.codes() == ["CloneAccepted", "CloneAccepted"]


def test_same_key_same_container_another_body_is_the_keys_conflict(stage: Stage, world: World) -> None:
    project, container = world.project(), uuid.uuid4()
    outputs = stage.feed(
        clone(project, container, idempotencyKey="K"), clone(project, container, idempotencyKey="K", variations=2)
    )
    assert outputs.codes() == ["CloneAccepted", "IDEMPOTENCY_CONFLICT"]


def test_a_replay_binds_the_key_that_it_brings(stage: Stage, world: World) -> None:
    project, container = world.project(), uuid.uuid4()
    outputs = stage.feed(
        clone(project, container), clone(project, container, idempotencyKey="K"), clone(project, idempotencyKey="K")
    )
    assert outputs.codes() == ["CloneAccepted", "IDEMPOTENCY_CONFLICT"]
