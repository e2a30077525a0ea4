"""Bodies as strangers send them: every malformed one gets its status, every wrong field its name."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.pipeline import Tenant
from tests.http.answers import fields, refused
from tests.http.judge import Judge

JSON = {"Content-Type": "application/json"}
LIMIT_BYTES = 128 * 1024


def path() -> str:
    return f"/v1/content/{uuid.uuid4()}/clone-from-post"


def post_bytes(client: httpx.Client, content: bytes, **headers: str) -> httpx.Response:
    return client.post(path(), content=content, headers={**JSON, **headers})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" \r\n\t",
        b"{",
        b"not json",
        b"{'projectId': 1}",
        b'{"a": 1,}',
        b'{"a": 1} trailing',
        b'{"variations": NaN}',
        b'{"variations": Infinity}',
        b'{"a": "\x01"}',
        b"\xef\xbb\xbf{}",
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',
        '{"a": "é"}'.encode("utf-16"),
    ],
)
def test_what_is_no_json_is_400(client: httpx.Client, content: bytes) -> None:
    assert fields(post_bytes(client, content), 400) == [""]


@pytest.mark.parametrize(
    "content",
    [
        b'{"mode": "fork", "mode": "fork"}',
        b'{"overrides": {"cta": "a", "cta": "b"}}',
        b'{"mode": "fork", "\\u006dode": "fork"}',
        b'{"overrides": ' + b"[" * 40 + b"]" * 40 + b"}",
        b"[" * 60_000 + b"]" * 60_000,
        b'{"variations": ' + b"9" * 5_000 + b"}",
        b"[]",
        b"null",
        b'"text"',
        b"3",
    ],
)
def test_json_that_is_no_request_is_422(client: httpx.Client, content: bytes) -> None:
    assert fields(post_bytes(client, content)) == [""]


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "json", ""]
)
def test_what_is_not_sent_as_json_is_415(client: httpx.Client, tenant: Tenant, content_type: str) -> None:
    answer = client.post(path(), content=json.dumps(tenant.body()), headers={"Content-Type": content_type})
    refused(answer, 415, "VALIDATION_FAILED")


def test_no_content_type_at_all_is_415(client: httpx.Client, tenant: Tenant) -> None:
    refused(client.post(path(), content=json.dumps(tenant.body())), 415, "VALIDATION_FAILED")


@pytest.mark.parametrize(
    "content_type",
    ["application/json; charset=utf-8", "Application/JSON", "application/json;charset=UTF-8", "application/x.a+json"],
)
def test_json_may_be_called_by_its_other_names(client: httpx.Client, tenant: Tenant, content_type: str) -> None:
    answer = client.post(path(), content=json.dumps(tenant.body()), headers={"Content-Type": content_type})
    assert answer.status_code == 202


def test_a_body_above_the_limit_is_413_and_one_at_the_limit_is_read(client: httpx.Client, tenant: Tenant) -> None:
    text = json.dumps(tenant.body()).encode()
    at_the_limit = text + b" " * (LIMIT_BYTES - len(text))
    assert post_bytes(client, at_the_limit).status_code == 202
    refused(post_bytes(client, at_the_limit + b" "), 413, "VALIDATION_FAILED")


def test_a_body_without_a_length_is_counted_while_it_comes(client: httpx.Client, tenant: Tenant) -> None:
    text = json.dumps(tenant.body()).encode()

    def chunks(size: int) -> Iterator[bytes]:
        yield text
        for _ in range((size - len(text)) // 1_024):
            yield b" " * 1_024

    assert client.post(path(), content=chunks(LIMIT_BYTES), headers=JSON).status_code == 202
    refused(client.post(path(), content=chunks(LIMIT_BYTES + 4_096), headers=JSON), 413, "VALIDATION_FAILED")


def test_the_connection_serves_on_after_a_refused_body(client: httpx.Client, tenant: Tenant) -> None:
    refused(post_bytes(client, b" " * (LIMIT_BYTES * 4)), 413, "VALIDATION_FAILED")
    assert client.post(path(), json=tenant.body()).status_code == 202


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"projectId": None}, ["projectId"]),
        ({"projectId": ""}, ["projectId"]),
        ({"projectId": 7}, ["projectId"]),
        ({"projectId": "proj_01HX..."}, ["projectId"]),
        ({"projectId": "lay_01HXZ9G7KMV2QX8Y1S5RJW3B7T"}, ["projectId"]),
        ({"projectId": "{" + str(uuid.UUID(int=1)) + "}"}, ["projectId"]),
        ({"projectId": "proj_8ZZZZZZZZZZZZZZZZZZZZZZZZZ"}, ["projectId"]),
        ({"projectId": "proj_01HXZ9G7KMV2QX8Y1S5RJW3B7U"}, ["projectId"]),
        ({"projectLayerId": "x"}, ["projectLayerId"]),
        ({"projectLayerId": ["x"]}, ["projectLayerId"]),
        ({"sourcePlatformPostId": None}, ["sourcePlatformPostId"]),
        ({"sourcePlatformPostId": ""}, ["sourcePlatformPostId"]),
        ({"sourcePlatformPostId": 7301}, ["sourcePlatformPostId"]),
        ({"sourcePlatformPostId": "x" * 129}, ["sourcePlatformPostId"]),
        ({"sourcePlatformPostId": "a\x00b"}, ["sourcePlatformPostId"]),
        ({"mode": "copy"}, ["mode"]),
        ({"mode": "Fork"}, ["mode"]),
        ({"mode": ""}, ["mode"]),
        ({"mode": ["fork"]}, ["mode"]),
        ({"mode": {}}, ["mode"]),
        ({"variations": 0}, ["variations"]),
        ({"variations": 11}, ["variations"]),
        ({"variations": -1}, ["variations"]),
        ({"variations": 3.0}, ["variations"]),
        ({"variations": "3"}, ["variations"]),
        ({"variations": True}, ["variations"]),
        ({"variations": []}, ["variations"]),
        ({"overrides": "text"}, ["overrides"]),
        ({"overrides": []}, ["overrides"]),
        ({"overrides": {"caption": 1}}, ["overrides.caption"]),
        ({"overrides": {"caption": "x" * 2_201}}, ["overrides.caption"]),
        ({"overrides": {"cta": "🙂" * 121}}, ["overrides.cta"]),
        ({"overrides": {"voiceOverScript": "x" * 5_001}}, ["overrides.voiceOverScript"]),
        ({"overrides": {"cta": "a\x00"}}, ["overrides.cta"]),
        ({"overrides": {"hook": "x"}}, ["overrides.hook"]),
        ({"containerId": "x"}, ["containerId"]),
        ({"Mode": "fork"}, ["Mode"]),
        ({"x": 1, "mode": "y", "variations": 99}, ["x", "mode", "variations"]),
    ],
)
def test_each_wrong_field_is_named(
    client: httpx.Client, tenant: Tenant, changes: dict[str, Any], wrong: list[str]
) -> None:
    assert fields(client.post(path(), json=tenant.body(**changes))) == wrong


@pytest.mark.parametrize("text", [b"3.0", b"3e0", b"1E1", b'"3"', b"true", b"-0.0"])
def test_a_number_that_is_no_integer_is_none_however_it_is_written(
    client: httpx.Client, tenant: Tenant, text: bytes
) -> None:
    body = json.dumps(tenant.body(variations=0)).encode().replace(b'"variations": 0', b'"variations": ' + text)
    assert fields(post_bytes(client, body)) == ["variations"]


def test_a_lone_surrogate_is_refused(client: httpx.Client, tenant: Tenant) -> None:
    body = json.dumps(tenant.body(overrides={"caption": "@"})).encode().replace(b"@", b"\\ud800")
    assert fields(post_bytes(client, body)) == ["overrides.caption"]


def test_a_field_with_an_unprintable_name_is_named_safely(client: httpx.Client, tenant: Tenant) -> None:
    body = json.dumps(tenant.body() | {"@" * 200: 1}).encode().replace(b"@", b"\\ud800")
    (named,) = fields(post_bytes(client, body))
    assert named.isascii()
    assert len(named) < 600


def test_everything_that_is_missing_is_named_at_once(client: httpx.Client) -> None:
    assert fields(client.post(path(), json={})) == ["projectId", "sourcePlatformPostId"]


@pytest.mark.parametrize(
    "container", ["x", "cnt_", "job_01HXZ9G7KMV2QX8Y1S5RJW3B7T", "a" * 300, "%00", "%FF", "..", "é", "%252D", "1 2"]
)
def test_a_container_that_is_no_id_is_named(client: httpx.Client, tenant: Tenant, container: str) -> None:
    answer = client.post(f"/v1/content/x{container}/clone-from-post", json=tenant.body())
    assert fields(answer) == ["containerId"]


def test_texts_at_their_limits_pass(client: httpx.Client, tenant: Tenant, judge: Judge) -> None:
    container = uuid.uuid4()
    texts = {"caption": "🙂" * 2_200, "cta": "é" * 120, "voiceOverScript": "x" * 5_000}
    body = tenant.body(sourcePlatformPostId="s" * 128, overrides=texts, variations=10)
    assert client.post(f"/v1/content/{container}/clone-from-post", json=body).status_code == 202
    assert judge.request_for(container).record["overrides"] == texts


@pytest.mark.parametrize("key", ["", "x" * 256, "schlüssel", "a\tb"])
def test_an_idempotency_key_outside_the_rules_is_named(client: httpx.Client, tenant: Tenant, key: str) -> None:
    answer = client.post(path(), json=tenant.body(), headers={b"Idempotency-Key": key.encode()})
    assert fields(answer) == ["Idempotency-Key"]


@pytest.mark.parametrize("key", ["x", "x" * 255, str(uuid.UUID(int=7)), '"quoted"', "two words"])
def test_an_idempotency_key_within_the_rules_is_passed_on(
    client: httpx.Client, tenant: Tenant, judge: Judge, key: str
) -> None:
    container = uuid.uuid4()
    client.post(f"/v1/content/{container}/clone-from-post", json=tenant.body(), headers={"Idempotency-Key": key})
    assert judge.request_for(container).record["idempotencyKey"] == key


def test_nothing_that_is_refused_here_reaches_kafka(client: httpx.Client, tenant: Tenant, judge: Judge) -> None:
    refused_one, taken = uuid.uuid4(), uuid.uuid4()
    client.post(f"/v1/content/{refused_one}/clone-from-post", json=tenant.body(variations=11))
    client.post(f"/v1/content/{taken}/clone-from-post", json=tenant.body())
    judge.request_for(taken)
    assert str(refused_one) not in {seen.record["containerId"] for seen in judge.seen}
