"""The cancel matrix, on real Postgres."""

import json
import uuid

import pytest

from tests.dedup.records import cancel_of, clone, job_of
from tests.dedup.stage import Stage
from tests.dedup.world import World


def test_a_cancel_of_a_running_job_is_accepted_once_and_fanned_out_once(stage: Stage, world: World) -> None:
    project = world.project()
    request = clone(project)
    outputs = stage.feed(request, cancel_of(request, reason="typo").asking(1), cancel_of(request).asking(1))
    assert outputs.names() == ["CloneAccepted", "CloneCanceled"]
    [_, (_, event)] = outputs.admissions()
    [row] = world.rows("SELECT * FROM cancellations")
    assert event["jobId"] == str(row["job_id"]) == str(job_of(request))
    assert (event["reason"], event["requestedBy"]) == ("typo", "test")
    assert [reply["outcome"] for reply in outputs.replies()] == ["accepted", "replayed"]
    # The job itself is the projector's to end, and its credits stay reserved until then.
    assert world.rows("SELECT status FROM jobs") == [{"status": "running"}]
    assert world.wallet(project.org_id)[2] == 1


def test_a_cancel_may_come_in_a_later_batch(stage: Stage, world: World) -> None:
    request = clone(world.project())
    stage.feed(request)
    assert stage.feed(cancel_of(request)).names() == ["CloneCanceled"]
    assert stage.feed(cancel_of(request)).names() == []


def _refused(stage: Stage, world: World, request: object, **changes: object) -> tuple[str, dict[str, str]]:
    outputs = stage.feed(cancel_of(request, **changes).asking(2))  # type: ignore[arg-type]  # a Read
    [(name, event)] = outputs.admissions()
    [reply] = outputs.replies()
    assert name == "CancelRejected"
    assert (reply["outcome"], reply["code"], reply["details"]) == ("refused", event["code"], event["details"])
    assert world.count("cancellations") == 0
    return event["code"], json.loads(event["details"] or "{}")


def test_a_cancel_of_an_unknown_job_is_not_found(stage: Stage, world: World) -> None:
    assert _refused(stage, world, clone(world.project())) == ("NOT_FOUND", {})


def test_a_cancel_of_another_organizations_job_is_not_found(stage: Stage, world: World) -> None:
    request, stranger = clone(world.project()), world.organization()
    stage.feed(request)
    assert _refused(stage, world, request, orgId=str(stranger)) == ("NOT_FOUND", {})
    assert _refused(stage, world, request, orgId=str(uuid.uuid4())) == ("NOT_FOUND", {})


def test_a_cancel_under_another_container_is_not_found(stage: Stage, world: World) -> None:
    request = clone(world.project())
    stage.feed(request)
    assert _refused(stage, world, request, containerId=str(uuid.uuid4())) == ("NOT_FOUND", {})


@pytest.mark.parametrize("status", ["completed", "failed", "canceled"])
def test_a_cancel_of_an_ended_job_says_how_it_ended(stage: Stage, world: World, status: str) -> None:
    request = clone(world.project())
    stage.feed(request)
    world.end_job(job_of(request), status)
    assert _refused(stage, world, request) == ("CONFLICT", {"reason": f"ALREADY_{status.upper()}"})


def test_a_cancel_of_a_job_that_was_refused_says_that_it_failed(stage: Stage, world: World) -> None:
    request = clone(world.project(credit=0))
    stage.feed(request)
    assert _refused(stage, world, request) == ("CONFLICT", {"reason": "ALREADY_FAILED"})


def test_a_refused_job_of_another_organization_is_not_found(stage: Stage, world: World) -> None:
    request, stranger = clone(world.project(credit=0)), world.organization()
    stage.feed(request)
    assert _refused(stage, world, request, orgId=str(stranger)) == ("NOT_FOUND", {})


def test_a_job_that_only_has_to_be_counted_cannot_be_canceled(stage: Stage, world: World) -> None:
    project = world.project()
    request = clone(project, variations=2)
    stage.feed(request)
    world.end_variations(job_of(request), project.org_id, 2)
    assert _refused(stage, world, request) == ("CONFLICT", {"subcode": "JOB_CANCEL_UNAVAILABLE"})


def test_a_job_with_one_open_variation_can_be_canceled(stage: Stage, world: World) -> None:
    project = world.project()
    request = clone(project, variations=2)
    stage.feed(request)
    world.end_variations(job_of(request), project.org_id, 1)
    assert stage.feed(cancel_of(request)).names() == ["CloneCanceled"]


def test_a_malformed_cancel_is_refused_with_its_job_id_as_it_came_but_short(stage: Stage, world: World) -> None:
    request = clone(world.project())
    [(name, event)] = stage.feed(cancel_of(request, jobId="j" * 900_000)).admissions()
    assert (name, event["code"], event["jobId"]) == ("CancelRejected", "VALIDATION_FAILED", "j" * 128)


def test_a_refused_cancel_never_shows_as_a_failed_job(stage: Stage, world: World) -> None:
    request = clone(world.project())
    stage.feed(cancel_of(request))
    assert _refused(stage, world, request) == ("NOT_FOUND", {})
    assert world.rows("SELECT DISTINCT kind FROM refusals") == [{"kind": "cancel"}]
