"""Outputs are a function of the verdict alone: what Postgres does to JSON in between must not show in the bytes."""

import uuid

from consumers.dedup.decide import Refused
from consumers.dedup.intake import read_record
from consumers.dedup.outputs import outputs
from storage.admission import AdmissionState, Refusal
from storage.place import Place
from tests.dedup.records import clone
from tests.dedup.stage import TOPIC_ID
from tests.dedup.world import Project


def test_the_order_of_the_keys_of_details_does_not_show() -> None:
    # JSONB gives keys back shortest first. A refusal is published once as decided and again as read from the table.
    project = Project(uuid.uuid4(), uuid.uuid4(), uuid.uuid4(), uuid.uuid4())
    question = read_record(clone(project).asking(0, "req"))
    decided = {"longest": 1, "mid": {"zz": 1, "a": 2}, "z": [{"bb": 1, "a": "\u2014"}]}
    stored = {"z": [{"a": "\u2014", "bb": 1}], "mid": {"a": 2, "zz": 1}, "longest": 1}

    def published(details: dict[str, object]) -> list[bytes | None]:
        refusal = Refusal(
            kind="clone",
            org_id=project.org_id,
            container_id=question.container_id,
            job_id=question.job_id,
            project_id=project.project_id,
            code="CONFLICT",
            message="No.",
            details=details,
            refused_at_ms=1_760_000_000_000,
            place=Place(0, 0),
        )
        state = AdmissionState(TOPIC_ID, 1_760_000_000_000)
        return [record.value for record in outputs([question], [Refused(refusal)], state, "", range(1))]

    assert list(decided) != list(stored)
    assert published(decided) == published(stored)
