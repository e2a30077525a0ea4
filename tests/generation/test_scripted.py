"""The generators that serve tries and benchmarks."""

import threading
import uuid
from typing import Any

import pytest

from clonepost.run.generate import new_generator
from consumers.generation.generators import GenerationFailed, Made, Order, ReportStep, RetryLater
from consumers.generation.instant import InstantGenerator
from consumers.generation.scripted import ScriptedGenerator, script
from runtime.settings import Settings
from storage.connection import Database
from tests.generation.conftest import NewPool
from tests.generation.orders import SOURCE, make, order
from tests.generation.test_pool import all_ended
from tests.generation.test_transitions import fan_out
from tests.generation.world import MADE, Jobs, Steered, made


def scripted() -> ScriptedGenerator:
    return ScriptedGenerator(Steered(made))


def told(line: str, index: int = 0, **changes: Any) -> Order:
    return order(index, overrides={"caption": line}, **changes)


def test_without_a_line_it_makes_what_the_other_makes() -> None:
    assert make(scripted(), order()) == MADE


def test_it_fails_those_it_is_told_to_counted_from_one() -> None:
    line = "Hello @@generator delay=1ms fail=1,3 error=PROVIDER_ERROR\nand more"
    outcomes: list[str | Made] = []
    for index in range(4):
        try:
            outcomes.append(make(scripted(), told(line, index)))
        except GenerationFailed as failed:
            outcomes.append(failed.code)
    assert outcomes == ["PROVIDER_ERROR", MADE, "PROVIDER_ERROR", MADE]


def test_the_source_can_carry_the_line_and_the_override_comes_first() -> None:
    source = {**SOURCE, "caption": "@@generator fail=1 error=QUALITY_GATE"}
    with pytest.raises(GenerationFailed) as raised:
        make(scripted(), order(source=source))
    assert raised.value.code == "QUALITY_GATE"
    assert script(order(source=source, overrides={"caption": "@@generator fail=2"})) == {"fail": "2"}


def test_it_asks_to_be_tried_later() -> None:
    with pytest.raises(RetryLater):
        make(scripted(), told("@@generator retry=1"))
    assert make(scripted(), told("@@generator retry=1", 1)) == MADE


def test_trouble_can_end_with_an_attempt() -> None:
    line = "@@generator retry=1 attempts=2"
    for attempt in (1, 2):
        with pytest.raises(RetryLater):
            make(scripted(), told(line, attempt=attempt))
    assert make(scripted(), told(line, attempt=3)) == MADE


def test_hanging_never_returns() -> None:
    returned = threading.Event()

    def call() -> None:
        make(scripted(), told("@@generator hang=1"))
        returned.set()

    threading.Thread(target=call, daemon=True).start()
    assert not returned.wait(0.3)


def test_a_provider_that_hangs_can_be_given_up() -> None:
    with pytest.raises(RetryLater):
        make(scripted(), told("@@generator hang=1 for=10ms attempts=1"))
    assert make(scripted(), told("@@generator hang=1 for=10ms attempts=1", attempt=2)) == MADE


def test_an_answer_is_lost_after_it_was_made() -> None:
    calls: list[int] = []

    def counted(order: Order, report: ReportStep) -> Made:
        calls.append(order.attempt)
        return made(order, report)

    generator = ScriptedGenerator(Steered(counted))
    with pytest.raises(RetryLater):
        make(generator, told("@@generator lost=1 attempts=1"))
    assert make(generator, told("@@generator lost=1 attempts=1", attempt=2)) == MADE
    assert calls == [1, 2]


def test_crashing_kills_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    monkeypatch.setattr("os.kill", lambda pid, number: killed.append(number))
    make(scripted(), told("@@generator crash=2"))
    assert killed == []
    make(scripted(), told("@@generator crash=2", 1))
    assert killed == [9]


@pytest.mark.parametrize("line", ["@@generator", "@@generator delay=soon fail=x,, error", "@@generator \x00 =1"])
def test_a_garbled_line_is_no_line(line: str) -> None:
    assert make(scripted(), told(line)) == MADE


def test_a_partial_success_through_the_pool(database: Database, jobs: Jobs, new_pool: NewPool) -> None:
    job = jobs.accept(variations=3, overrides={"caption": "@@generator fail=1,3 error=PROVIDER_ERROR"})
    fan_out(database, job, uuid.uuid4(), room=0)
    new_pool(new_generator(Settings(generator="scripted")))
    all_ended(jobs, job)
    rows = jobs.variations(job)
    assert [row["error_code"] for row in rows] == ["PROVIDER_ERROR", None, "PROVIDER_ERROR"]
    assert rows[1]["creative"]["caption"] == "@@generator fail=1,3 error=PROVIDER_ERROR"
    assert rows[1]["provenance"]["generator"] == "scripted/1"


def test_a_project_without_a_brand_gets_its_own_name(database: Database, jobs: Jobs, new_pool: NewPool) -> None:
    job = jobs.accept(jobs.project(), variations=1)
    fan_out(database, job, uuid.uuid4(), room=0)
    new_pool(new_generator(Settings(generator="embedded")))
    all_ended(jobs, job)
    assert "Luma" in jobs.variations(job)[0]["creative"]["caption"]


def test_another_language_fails_with_its_own_code(database: Database, jobs: Jobs, new_pool: NewPool) -> None:
    job = jobs.accept(jobs.branded(language="ja"), variations=2)
    fan_out(database, job, uuid.uuid4(), room=0)
    new_pool(new_generator(Settings(generator="embedded")))
    all_ended(jobs, job)
    assert [row["error_code"] for row in jobs.variations(job)] == ["LANGUAGE_UNSUPPORTED"] * 2


def test_instant_makes_the_same_every_time_without_material() -> None:
    generator = InstantGenerator()
    first = make(generator, Order(str(uuid.uuid4()), 0, 1, None))
    assert make(generator, Order(str(uuid.uuid4()), 9, 3, None)) == first
    shots = first.creative["shots"]
    assert (shots[0]["startMs"], shots[-1]["endMs"]) == (0, first.duration_ms)
