"""What /openapi.json, /asyncapi.json and /docs say is what the application does."""

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import ValidationError
from starlette.routing import Route

from producer.app import Application
from producer.auth import KeyRing
from producer.ingest.cancel import CancelRoute
from producer.ingest.clone import CloneRoute
from producer.openapi import document
from producer.pages import Readiness, open_routes
from producer.ratelimit import CountedOnly
from producer.read.assets import AssetRoutes
from producer.read.lookup import Lookup
from producer.read.routes import ReadRoutes
from producer.read.streams import OpenStreams
from producer.read.watch import JobWatch
from producer.routing import Gate
from schemas.asyncapi import document as asyncapi_document
from schemas.errors import HTTP_STATUS, ErrorCode
from schemas.events import EVENT_NAMES
from schemas.http import CloneFromPostBody
from schemas.ids import InvalidId, OrgId, parse_id
from schemas.request_rules import RequestInvalid, request_from_body
from schemas.topics import ALL_TOPICS
from storage.reads import Reads
from tests.e2e.pipeline import Tenant
from tests.http.documented import hold

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
ID = "01HXZ9G7KMV2QX8Y1S5RJW3B7T"


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document()["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def test_the_document_is_openapi_3_1(stranger: httpx.Client) -> None:
    served = stranger.get("/openapi.json").json()
    assert served == document()
    OpenAPIV31SpecValidator(served).validate()


@pytest.mark.parametrize("form", ["{0}", "{1}_{0}", "{1}_{2}", "{2}", "x_{0}", "{1}_{0}0", "{1}-{2}", "{1}_{2}0", ""])
def test_the_documented_form_of_an_id_is_the_one_that_is_taken(form: str) -> None:
    plain = uuid.UUID(int=2**120 + 7)
    forms = [form.format(plain, "job", ID), form.format(plain, "JOB", ID.lower())]
    pattern = document()["paths"]["/v1/jobs/{jobId}"]["get"]["parameters"][0]["schema"]["pattern"]
    for text in forms:
        try:
            parse_id("job", text)
            taken = True
        except InvalidId:
            taken = False
        assert taken == bool(re.search(pattern, text)), text


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(("path", "method"), [(path, method) for path, method, _ in operations()])
def test_every_documented_call_is_served_and_no_other_method(client: httpx.Client, path: str, method: str) -> None:
    place = re.sub(r"\{\w+\}", "x", path)
    answer = client.request(method.upper(), place)
    assert str(answer.status_code) in document()["paths"][path][method]["responses"]
    allowed = {"get": {"get", "head"}, "post": {"post"}}[method]
    for other in set(METHODS) - allowed:
        assert client.request(other.upper(), place).status_code == 405


def test_every_route_of_the_contract_is_documented() -> None:
    assert {(method, path) for path, method, _ in operations()} == {
        ("post", "/v1/content/{containerId}/clone-from-post"),
        ("get", "/v1/jobs/{jobId}"),
        ("get", "/v1/jobs"),
        ("get", "/v1/jobs/{jobId}/events"),
        ("post", "/v1/jobs/{jobId}/cancel"),
        ("get", "/v1/content/{containerId}"),
        ("get", "/v1/content/{containerId}/progress"),
        ("get", "/v1/content/{containerId}/variations/{variationId}/assets/{name}"),
        ("get", "/v1/projects/{projectId}/content"),
        ("get", "/v1/projects/{projectId}/top-performers"),
        ("get", "/v1/credits"),
        ("get", "/v1/whoami"),
        *(("get", path) for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/asyncapi.json")),
    }


def test_every_error_is_documented_as_the_envelope() -> None:
    envelope = {"$ref": "#/components/schemas/ErrorEnvelope"}
    for path, method, operation in operations():
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                [whole, narrowed] = answer["content"]["application/json"]["schema"]["allOf"]
                assert whole == envelope, (path, method, status)
                codes = narrowed["properties"]["error"]["properties"]["code"]["enum"]
                assert codes, (path, method, status)
                for code in codes:
                    # Some of VALIDATION_FAILED have a status of their own: malformed, too large, no JSON, no such
                    # range.
                    of_their_own = {"400", "413", "415", "416"} if code == "VALIDATION_FAILED" else set()
                    assert status in {str(HTTP_STATUS[ErrorCode(code)]), *of_their_own}, (path, method, status, code)


def test_every_code_of_the_contract_is_documented_somewhere() -> None:
    documented = {
        code
        for _, _, operation in operations()
        for status, answer in operation["responses"].items()
        if int(status) >= 400
        for code in answer["content"]["application/json"]["schema"]["allOf"][1]["properties"]["error"]["properties"][
            "code"
        ]["enum"]
    }
    # A wrong method is no operation, so its answer has no place in the document.
    assert documented == {code.value for code in HTTP_STATUS} - {"METHOD_NOT_ALLOWED"}


def test_the_document_has_the_application_s_routes_and_no_others() -> None:
    reads, gate = Reads("postgresql://nobody@127.0.0.1:1/nothing"), Gate(KeyRing(), CountedOnly())
    sender: Any = None

    async def nowhere(_org: uuid.UUID, _job: uuid.UUID) -> uuid.UUID:
        raise AssertionError("no request is made")

    lookup = Lookup(reads, sender)
    application = Application(
        gate,
        CloneRoute(sender, reply_partition=0, topic_prefix=""),
        CancelRoute(sender, nowhere, reply_partition=0, topic_prefix=""),
        [
            *ReadRoutes(reads, lookup, JobWatch(reads), OpenStreams(most=1)).routes(gate),
            *AssetRoutes(reads, lookup, None).routes(gate),
        ],
        open_routes(Readiness({})),
    )
    served = {
        (method.lower(), route.path)
        for route in application._starlette.routes
        if isinstance(route, Route)
        for method in route.methods or ()
        if method != "HEAD"
    }
    assert served == {(method, path) for path, method, _ in operations()}


def test_the_examples_fit_their_schemas_and_are_those_of_the_seed() -> None:
    spec = document()
    clone = spec["paths"]["/v1/content/{containerId}/clone-from-post"]["post"]["responses"]
    assert clone["404"]["content"]["application/json"]["example"]["error"]["message"] == "Source post not found."
    assert clone["409"]["content"]["application/json"]["example"]["error"] == {
        "code": "CONFLICT",
        "message": "Multiple content layers — pass projectLayerId to disambiguate.",
        "requestId": f"req_{ID}",
        "details": {"layerCount": 2},
    }
    (accepted,) = spec["components"]["schemas"]["Accepted"]["examples"]
    assert accepted == {
        "jobId": f"job_{ID}",
        "kind": "content_clone_from_post",
        "status": "running",
        "containerId": f"cnt_{ID}",
        "locationUrl": f"/v1/jobs/job_{ID}",
    }
    checked = 0
    for name, schema in spec["components"]["schemas"].items():
        for example in schema.get("examples", []):
            validate(spec, {"$ref": f"#/components/schemas/{name}"}, example)
            checked += 1
    for _, _, operation in operations():
        for answer in operation["responses"].values():
            content = answer.get("content", {}).get("application/json", {})
            if "example" in content:
                validate(spec, content["schema"], content["example"])
                checked += 1
    assert checked > 20


def test_every_header_of_an_answer_is_documented(client: httpx.Client, tenant: Tenant) -> None:
    place = "/v1/content/{containerId}/clone-from-post"
    answer = client.post(place.format(containerId=f"cnt_{ID}"), json=tenant.body())
    documented = {name.lower() for name in document()["paths"][place]["post"]["responses"]["202"]["headers"]}
    of_the_transport = {"date", "content-type", "content-length"}
    assert set(answer.headers) - of_the_transport <= documented


@given(
    body=st.fixed_dictionaries(
        {},
        optional={
            "projectId": st.sampled_from([ID, f"proj_{ID}", None]) | st.uuids().map(str),
            "projectLayerId": st.uuids().map(str) | st.none(),
            "sourcePlatformPostId": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
            | st.sampled_from(["x" * 128, "x" * 129])
            | st.none(),
            "mode": st.sampled_from(["fork", "reimagine", "copy", None, 1]),
            "variations": st.integers(-1, 12) | st.sampled_from([None, 3.5, "3", True]),
            "overrides": st.none()
            | st.just([])
            | st.fixed_dictionaries(
                {},
                optional={
                    "caption": st.sampled_from([None, "", "x" * 2_200, "x" * 2_201, 1]),
                    "cta": st.sampled_from([None, "é" * 120, "é" * 121]),
                    "voiceOverScript": st.sampled_from([None, "x" * 5_000, "x" * 5_001]),
                    "hook": st.just("x"),
                },
            ),
            "unknown": st.just(1),
        },
    )
)
def test_the_documented_body_is_what_the_rules_take(body: dict[str, Any]) -> None:
    try:
        request_from_body(OrgId(uuid.UUID(int=1)), f"cnt_{ID}", body)
        taken = True
    except RequestInvalid as error:
        # The document says nothing of the forms of ids, which are texts to it.
        only_the_form = {problem.field for problem in error.problems} == {"projectId"}
        taken = only_the_form and isinstance(body.get("projectId"), str)
    try:
        CloneFromPostBody.model_validate(body, strict=True)
        documented = True
    except ValidationError:
        documented = False
    assert taken == documented


def test_asyncapi_names_every_topic_and_record(stranger: httpx.Client) -> None:
    served = stranger.get("/asyncapi.json").json()
    assert served["asyncapi"].startswith("3.")
    assert {channel["address"] for channel in served["channels"].values()} == {topic.name for topic in ALL_TOPICS}
    assert set(served["components"]["messages"]) == set(EVENT_NAMES)
    assert served == json.loads(json.dumps(asyncapi_document()))


def test_the_page_for_people_has_every_call_and_needs_nothing_from_elsewhere(stranger: httpx.Client) -> None:
    page = stranger.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert all(path in page.text for path in document()["paths"])
    assert all(topic.name in page.text for topic in ALL_TOPICS)
    assert not re.search(r"<script|https?://|@import|src=", page.text)


def validate(spec: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    """Hold a value against a schema of the document."""
    whole = json.loads(json.dumps({**schema, "components": spec["components"]}))
    jsonschema.Draft202012Validator(whole).validate(value)


def test_an_answer_that_the_document_does_not_have_is_found() -> None:
    def answer(status: int, body: Any, method: str = "POST", **headers: str) -> httpx.Response:
        request = httpx.Request(method, f"http://api/v1/jobs/job_{ID}/cancel")
        return httpx.Response(status, json=body, headers={"x-request-id": f"req_{ID}", **headers}, request=request)

    def error(code: str) -> dict[str, Any]:
        return {"error": {"code": code, "message": "No.", "requestId": f"req_{ID}"}}

    hold(answer(202, {"jobId": f"job_{ID}", "accepted": True}))
    hold(answer(409, error("CONFLICT")))
    hold(answer(405, error("METHOD_NOT_ALLOWED"), method="PUT"))
    for status, body in ((201, {}), (402, error("BILLING_EXHAUSTED"))):
        with pytest.raises(AssertionError, match="is not documented"):
            hold(answer(status, body))
    with pytest.raises(AssertionError, match="headers that are not documented"):
        hold(answer(202, {"jobId": f"job_{ID}", "accepted": True}, **{"x-surprise": "1"}))
    for status, body in ((409, error("IDEMPOTENCY_CONFLICT")), (404, {"error": "gone"}), (202, {"accepted": True})):
        with pytest.raises(jsonschema.ValidationError):
            hold(answer(status, body))
