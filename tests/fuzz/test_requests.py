"""Hostile HTTP requests: each answer is documented, and the fuzzer notices one that is not."""

import itertools

import psutil

from bench.fuzz.http_requests import Known, Request, hostile_requests
from bench.fuzz.over_http import Answers, Judge, ask
from bench.fuzz.target import hire
from tests.e2e.conftest import pipeline as pipeline
from tests.e2e.pipeline import Pipeline

SEED = 20
KNOWN = Known(["lp_test_x"], {"jobId": ["job_x"]}, [{"projectId": "proj_x", "sourcePlatformPostId": "1"}])


def test_the_same_seed_gives_the_same_requests_for_every_route() -> None:
    document = Judge(Answers()).document
    some = list(itertools.islice(hostile_requests(SEED, document, KNOWN), 5_000))
    assert some == list(itertools.islice(hostile_requests(SEED, document, KNOWN), 5_000))
    assert {request.template for request in some} == {"", *document["paths"]}


def test_answers_that_are_not_documented_are_found() -> None:
    judge = Judge(Answers())
    asked = Request("GET", "/v1/whoami", b"", "as documented")
    for status, media_type, body in (
        (500, "application/json", b"{}"),
        (418, "application/json", b"{}"),
        (200, "text/html", b"<p>"),
        (200, "application/json", b'{"no": "field of it"}'),
        (401, "application/json", b"not JSON"),
    ):
        before = len(judge.answers.findings)
        judge.hear(asked, status, {"content-type": media_type}, body)
        assert len(judge.answers.findings) == before + 1, (status, media_type)
    assert not judge.answers.ok


def test_nothing_is_found_in_a_few_hundred_requests(pipeline: Pipeline) -> None:
    url = pipeline.settings.database_url
    assert url is not None
    api = psutil.Process(pipeline.roles["api"].state.pid)
    answers = ask(pipeline.address, hire(url.get_secret_value(), SEED), api, 400, seed=SEED, say=lambda _: None)
    assert answers.findings == []
    assert answers.ok
    assert answers.requests == 400
