"""Schemathesis reads our document and asks the whole pipeline what it can think of: no 5xx, nothing undocumented.

That /openapi.json serves this very document, `test_contracts` says.
"""

import uuid
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from producer.openapi import document
from tests.e2e.conftest import pipeline as pipeline
from tests.e2e.pipeline import SOURCE, Pipeline, Tenant

pytestmark = pytest.mark.slow

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]
THOROUGHLY = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def owner(pipeline: Pipeline) -> Tenant:
    """Whose key Schemathesis has."""
    return pipeline.tenant()


schema = schemathesis.openapi.from_dict(document())


@schema.parametrize()
@THOROUGHLY
def test_nothing_that_is_asked_finds_a_gap(case: schemathesis.Case[Any], pipeline: Pipeline, owner: Tenant) -> None:
    case.call_and_validate(base_url=pipeline.address, headers={"X-Api-Key": owner.api_key}, checks=CHECKS)


@schema.include(operation_id="cloneFromPost").parametrize()
@THOROUGHLY
def test_nothing_behind_the_first_checks_does_either(
    case: schemathesis.Case[Any], pipeline: Pipeline, owner: Tenant
) -> None:
    # Made-up ids end at 404. With real ones, and few containers, requests are accepted, replayed and in conflict.
    case.path_parameters = {"containerId": str(uuid.uuid5(owner.org_id, str(len(str(case.body)) % 8)))}
    if isinstance(case.body, dict):
        case.body |= {"projectId": str(owner.project_id), "sourcePlatformPostId": SOURCE}
        case.body.pop("projectLayerId", None)
    case.call_and_validate(base_url=pipeline.address, headers={"X-Api-Key": owner.api_key}, checks=CHECKS)
