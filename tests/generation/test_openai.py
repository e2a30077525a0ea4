"""The generator `openai` against a scripted provider on a real socket: what is asked, what comes of each answer."""

import email.utils
import json
import threading
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from consumers.generation.composed import ComposedGenerator
from consumers.generation.fallback import FallbackGenerator
from consumers.generation.generators import GenerationFailed, Made, RetryLater
from consumers.generation.results import MAX_RETRIES
from consumers.generation.writing.embedded import EmbeddedRealiser
from tests.generation.openai_world import KEY, always, at_once, good, id_of, openai, outcome
from tests.generation.orders import make, order
from tests.generation.provider_server import Asked, Reply, completion, good_words, in_turn, replies

GOOD: Final = good(*(order(index) for index in range(4)))
FIRST: Final = GOOD[id_of(0)]
BAD: Final = completion(json.dumps({**good_words(order(0)), "caption": "Luma won an award. Everyone loves it."}))
EMBEDDED: Final = ComposedGenerator(EmbeddedRealiser(), waits=False, lease_ahead=64)


def by_variation(asked: Asked) -> Reply:
    return GOOD[asked.variation_id]


def test_words_that_pass_become_the_creative_and_the_provenance_tells_what_they_cost() -> None:
    with openai(replies(by_variation)) as (generator, server):
        made = make(generator, order())
    words = good_words(order())
    assert made.creative["hook"] == words["hook"]
    assert made.creative["voiceOverScript"] == words["script"]
    assert [shot["description"] for shot in made.creative["shots"]] == words["shots"]
    assert made.provenance["model"] == "served-model"
    assert made.provenance["tries"] == 1
    # The reading and the writing, at 2 and 10 dollars a million.
    assert made.provenance["tokens"] == {"input": 1400, "output": 600, "calls": 2}
    assert made.provenance["costUsd"] == pytest.approx((1400 * 2 + 600 * 10) / 1e6)
    assert [asked.kind for asked in server.asked] == ["topics", "creative"]


def test_what_is_asked_for_is_a_strict_schema_of_plain_types() -> None:
    with openai(replies(by_variation), max_output_tokens=777) as (generator, server):
        make(generator, order())
    for asked in server.asked:
        schema = asked.body["response_format"]["json_schema"]
        assert schema["strict"] is True
        assert schema["schema"]["additionalProperties"] is False
        assert set(schema["schema"]["required"]) == set(schema["schema"]["properties"])
        assert "maxLength" not in json.dumps(schema)
        assert asked.body["model"] == "asked-model"
        assert asked.body["max_completion_tokens"] == 777
        assert asked.headers["authorization"] == f"Bearer {KEY}"


def test_the_source_is_read_once_for_all_variations_of_a_job_however_many_start_at_once() -> None:
    with openai(replies(by_variation)) as (generator, server):
        results = at_once(generator, [order(index) for index in range(4)])
    assert all(isinstance(result, Made) for result in results), results
    assert sorted(asked.kind for asked in server.asked) == ["creative"] * 4 + ["topics"]


def test_the_repair_carries_the_findings_and_what_was_written() -> None:
    with openai(replies(in_turn(BAD, FIRST))) as (generator, server):
        made = make(generator, order())
    first, repair = server.creatives()
    assert made.provenance["tries"] == 2
    assert made.provenance["tokens"]["calls"] == 3
    assert repair.body["messages"][: len(first.body["messages"])] == first.body["messages"]
    said, request = repair.body["messages"][len(first.body["messages"]) :]
    assert (said["role"], json.loads(said["content"])["caption"]) == (
        "assistant",
        "Luma won an award. Everyone loves it.",
    )
    assert "caption: a claim that the brand did not give: award (facts)" in request["content"]


def test_there_is_one_repair_and_then_the_bar_is_named() -> None:
    with openai(replies(always(BAD))) as (generator, server):
        failed = outcome(generator, order())
    assert isinstance(failed, GenerationFailed)
    assert failed.code == "QUALITY_GATE"
    assert "facts" in str(failed)
    assert failed.made["tokens"] == {"input": 2100, "output": 900, "calls": 3}
    assert len(server.creatives()) == 2


def test_the_idempotency_key_is_the_variation_and_the_question() -> None:
    with openai(replies(in_turn(BAD, FIRST))) as (generator, server):
        make(generator, order())
    with openai(replies(in_turn(BAD, FIRST))) as (generator, again):
        make(generator, order(attempt=2))
    keys = [asked.headers["idempotency-key"] for asked in server.asked]
    assert len(set(keys)) == 3
    assert {asked.variation_id for asked in server.asked} == {id_of(0)}
    # Another attempt after a crash asks the same, and would get the same answer for no money.
    assert [asked.headers["idempotency-key"] for asked in again.asked] == keys


GARBAGE: Final[dict[str, Reply]] = {
    "prose": completion("Sure! Here is your copy: buy Luma."),
    "no content": completion(None),
    "another shape": completion(json.dumps({"text": "hello"})),
    "one field more": completion(json.dumps({**good_words(order()), "url": "x"})),
    "numbers for words": completion(json.dumps({**good_words(order()), "hook": 7})),
    "half of it": completion(json.dumps(good_words(order()))[:200], finish="length"),
    "whole, but cut off by its length": completion(json.dumps(good_words(order())), finish="length"),
    "filtered": completion("", finish="content_filter"),
    "deep": completion("[" * 50_000),
    "too few shots": completion(json.dumps({**good_words(order()), "shots": ["One shot of a shelf."]})),
    "a long hook": completion(json.dumps({**good_words(order()), "hook": "Stop. " * 40})),
    "a huge caption": completion(json.dumps({**good_words(order()), "caption": "Luma is here. " * 4_000})),
    "a lone surrogate": completion('{"hook": "\\ud800", "caption": "a", "cta": "b", "script": "c", "shots": []}'),
    "a NUL": completion(json.dumps({**good_words(order()), "caption": "Luma\x00."})),
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
def test_an_answer_that_is_no_creative_is_repaired_once(garbage: Reply) -> None:
    with openai(replies(in_turn(garbage, FIRST))) as (generator, _):
        assert make(generator, order()).provenance["tries"] == 2
    with openai(replies(always(garbage))) as (generator, server):
        failed = outcome(generator, order())
    assert isinstance(failed, GenerationFailed)
    assert failed.code == "PROVIDER_ERROR"
    assert len(server.creatives()) == 2


LATER: Final[dict[str, Reply]] = {
    "429": Reply(429),
    "500": Reply(500, b"<html>oops"),
    "503": Reply(503),
    "529": Reply(529, b"{}"),
    "reset": Reply(reset=True),
    "nothing": Reply(cut=0, body=b"x" * 100),
    "half a body": Reply(body=FIRST.body, cut=len(FIRST.body) // 2),
    "a page": Reply(body=b"<html>Welcome to the captive portal</html>"),
    "no choices": completion("", choices=[]),
    "another API": Reply(body=b'{"ok": true}'),
    "too large": Reply(body=b" " * 1_100_000 + FIRST.body),
    "a packed bomb": Reply(body=b"\x1f\x8b" + b"\x00" * 100, headers={"Content-Encoding": "gzip"}),
}


@pytest.mark.parametrize("reply", LATER.values(), ids=LATER.keys())
def test_trouble_of_the_provider_is_tried_later(reply: Reply) -> None:
    with openai(replies(in_turn(reply, FIRST))) as (generator, server):
        later = outcome(generator, order())
        assert isinstance(later, RetryLater)
        assert (later.code, later.wait_seconds) == ("PROVIDER_ERROR", None)
        assert len(server.creatives()) == 1
        made = make(generator, order(attempt=2))
    # The source was read before the trouble and is not read again.
    assert made.provenance["tokens"]["calls"] == 2


@pytest.mark.parametrize("reply", [Reply(hang=True), Reply(body=FIRST.body, drip=True)], ids=["hang", "drip"])
def test_a_call_ends_in_time_even_if_bytes_keep_coming(reply: Reply) -> None:
    with openai(replies(always(reply)), timeout_seconds=0.5) as (generator, _):
        later = outcome(generator, order())
    assert isinstance(later, RetryLater)
    assert "in time" in str(later)


def test_nobody_listens() -> None:
    with openai(replies(by_variation), base_url="http://127.0.0.1:9/v1") as (generator, _):
        assert isinstance(outcome(generator, order()), RetryLater)


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 422])
def test_a_refusal_is_final_and_says_nothing_of_what_the_provider_wrote(status: int) -> None:
    told = json.dumps({"error": {"message": f"Incorrect API key provided: {KEY}", "code": "invalid_api_key"}})
    reply = Reply(status, told.encode(), {"Location": "http://127.0.0.1:9/"})
    with openai(replies(always(reply))) as (generator, server):
        failed = outcome(generator, order())
    assert isinstance(failed, GenerationFailed)
    assert (failed.code, str(failed)) == ("PROVIDER_ERROR", f"The provider refused the request ({status}).")
    assert len(server.creatives()) == 1


def _in(seconds: float) -> str:
    return email.utils.format_datetime(
        datetime.fromtimestamp(datetime.now(UTC).timestamp() + seconds, UTC), usegmt=True
    )


@pytest.mark.parametrize(
    ("header", "least", "most"), [("7", 7, 7), (lambda: _in(90), 80, 90), ("0.5", 0.5, 0.5)], ids=["s", "date", "half"]
)
def test_retry_after_is_handed_back_and_nobody_else_asks_before(header: Any, least: float, most: float) -> None:
    reply = Reply(429, headers={"Retry-After": header if isinstance(header, str) else header()})
    with openai(replies(always(reply))) as (generator, server):
        first, sibling = outcome(generator, order(0)), outcome(generator, order(1))
    assert isinstance(first, RetryLater)
    assert first.wait_seconds is not None
    assert least <= first.wait_seconds <= most
    assert isinstance(sibling, RetryLater)
    assert sibling.wait_seconds is not None
    assert 0 < sibling.wait_seconds <= most
    assert len(server.creatives()) == 1


@pytest.mark.parametrize("header", ["soon", "-5", "nan", "inf", "1e999", "Mon, 99 Foo 2026", ""])
def test_a_retry_after_that_says_nothing_leaves_the_wait_to_the_ladder(header: str) -> None:
    with openai(replies(always(Reply(503, headers={"Retry-After": header})))) as (generator, _):
        later = outcome(generator, order())
    assert isinstance(later, RetryLater)
    assert later.wait_seconds is None


@pytest.mark.parametrize(
    ("header", "answer"), [("3600", RetryLater), ("3601", GenerationFailed), (lambda: _in(86_400), GenerationFailed)]
)
def test_a_provider_that_is_away_for_more_than_an_hour_has_failed(header: Any, answer: type) -> None:
    reply = Reply(503, headers={"Retry-After": header if isinstance(header, str) else header()})
    with openai(replies(always(reply))) as (generator, _):
        assert type(outcome(generator, order())) is answer


def test_no_more_calls_are_open_than_the_cap() -> None:
    opened = threading.Semaphore(0)

    def slowly(asked: Asked) -> Reply:
        # Holds until a second call could have come: it may not.
        opened.acquire(timeout=0.2)
        return GOOD[asked.variation_id]

    with openai(replies(slowly), concurrency=1) as (generator, server):
        results = at_once(generator, [order(index) for index in range(4)])
    assert all(isinstance(result, Made) for result in results)
    assert server.most_open == 1


def test_siblings_that_repeat_each_other_are_found_whichever_is_ready_first() -> None:
    with openai(replies(always(FIRST))) as (generator, _):
        results = at_once(generator, [order(index) for index in range(2)])
    accepted = [result for result in results if isinstance(result, Made)]
    (failed,) = [result for result in results if isinstance(result, GenerationFailed)]
    assert len(accepted) == 1
    assert failed.code == "QUALITY_GATE"


def test_what_was_accepted_once_is_not_paid_for_again() -> None:
    with openai(replies(by_variation)) as (generator, server):
        first = make(generator, order())
        assert make(generator, order(attempt=2)) == first
    assert len(server.asked) == 2


def test_the_brands_own_call_to_action_is_never_rewritten() -> None:
    words = {**good_words(order()), "cta": "Run to evil.example now"}
    with openai(replies(always(completion(json.dumps({**words, "cta": "Run along"}))))) as (generator, _):
        assert make(generator, order()).creative["cta"] == "Tap the link to meet Luma"


def test_without_prices_there_is_no_cost_and_without_usage_no_tokens() -> None:
    odd = completion(json.dumps(good_words(order())), usage={"prompt_tokens": -4}, model="<script>")
    with openai(replies(always(odd))) as (generator, _):
        provenance = make(generator, order()).provenance
    assert provenance["tokens"] == {"input": 700, "output": 300, "calls": 2}
    assert provenance["model"] == "asked-model"


def test_a_fallback_says_that_it_is_one_and_what_was_spent_before() -> None:
    with openai(replies(always(BAD))) as (generator, _):
        made = make(FallbackGenerator(generator, EMBEDDED), order())
    assert made.creative == make(EMBEDDED, order()).creative
    assert made.provenance["generator"] == "embedded/4"
    assert made.provenance["model"] is None
    assert made.provenance["tokens"]["calls"] == 3
    why = made.provenance["fallbackFrom"]
    assert (why["generator"], why["model"], why["code"]) == ("openai/1", "served-model", "QUALITY_GATE")


def test_the_fallback_comes_with_the_last_attempt_of_a_provider_that_is_away() -> None:
    with openai(replies(always(Reply(500)))) as (generator, _):
        both = FallbackGenerator(generator, EMBEDDED)
        assert isinstance(_attempt(both, MAX_RETRIES - 1), RetryLater)
        made = _attempt(both, MAX_RETRIES)
    assert isinstance(made, Made)
    assert made.provenance["fallbackFrom"]["code"] == "PROVIDER_ERROR"


def test_a_language_that_nothing_else_writes_keeps_the_first_failure() -> None:
    with openai(replies(always(Reply(400)))) as (generator, _), pytest.raises(GenerationFailed) as raised:
        make(FallbackGenerator(generator, EMBEDDED), order(language="ja"))
    assert raised.value.code == "PROVIDER_ERROR"


def _attempt(both: FallbackGenerator, retries: int) -> Made | RetryLater:
    try:
        # Its attempts are more: some ended with a stop.
        return make(both, order(attempt=retries + 4)._replace(retries=retries))
    except RetryLater as later:
        return later
