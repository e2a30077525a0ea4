"""How the generator `openai` is configured, and what a mistake says. A key is never shown."""

import logging
import subprocess
import sys
from typing import Any, Final

import pytest
from pydantic import ValidationError

from clonepost.run.generate import new_generator
from consumers.generation.fallback import FallbackGenerator
from consumers.generation.generators import GenerationFailed, RetryLater
from runtime.errors import Fatal
from runtime.settings import Settings
from tests.generation.openai_world import KEY, always, openai, outcome
from tests.generation.orders import order
from tests.generation.provider_server import Reply, completion, replies

GIVEN: Final[dict[str, Any]] = {"generator": "openai", "openai_model": "m", "openai_base_url": "http://127.0.0.1:9/v1"}


def test_the_fallback_is_a_choice() -> None:
    assert isinstance(new_generator(Settings(**GIVEN)), FallbackGenerator)
    alone = new_generator(Settings(**GIVEN, openai_fallback="fail"))
    assert not isinstance(alone, FallbackGenerator)
    assert (alone.name, alone.waits) == ("openai/1", True)


def test_a_process_leases_no_more_than_it_may_ask_for() -> None:
    assert new_generator(Settings(**GIVEN, openai_concurrency=3)).lease_ahead == 3
    assert new_generator(Settings(**GIVEN, openai_concurrency=30, generate_concurrency=5)).lease_ahead == 5


def test_without_a_model_it_says_what_to_set() -> None:
    with pytest.raises(Fatal, match="CLONEPOST_OPENAI_MODEL"):
        new_generator(Settings(generator="openai"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("openai_base_url", "api.example/v1"),
        ("openai_base_url", f"https://user:{KEY}@api.example/v1"),
        ("openai_api_key", f"{KEY}\n"),
        ("openai_api_key", f"{KEY}…"),
        ("openai_timeout_seconds", 0),
        ("openai_concurrency", 0),
        ("openai_input_usd_per_million", -1),
    ],
)
def test_a_bad_value_is_named_and_not_shown(name: str, value: Any) -> None:
    variable = f"CLONEPOST_{name.upper()}"
    program = [sys.executable, "-m", "clonepost", "run", "generate"]
    done = subprocess.run(program, env={variable: str(value)}, capture_output=True, text=True, check=False)
    assert done.returncode == 78
    assert variable in done.stderr
    assert KEY not in done.stderr
    with pytest.raises(ValidationError):
        Settings(**{name: value})


def test_the_key_is_in_no_text_of_settings() -> None:
    settings = Settings(**GIVEN, openai_api_key=KEY)
    assert KEY not in f"{settings!r} {settings} {settings.model_dump_json()}"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(401, f'{{"error": {{"message": "bad key {KEY}"}}}}'.encode()),
        Reply(500, KEY.encode()),
        Reply(reset=True),
        completion(f"{KEY}"),
    ],
    ids=["refused", "trouble", "reset", "words"],
)
def test_the_key_is_in_no_error_and_no_log(
    reply: Reply, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG), openai(replies(always(reply))) as (generator, _):
        failed = outcome(generator, order())
    assert isinstance(failed, (GenerationFailed, RetryLater))
    shown = [str(failed), repr(failed), repr(failed.made), repr(failed.__cause__), caplog.text, *capfd.readouterr()]
    assert KEY not in "\n".join(shown)
    assert failed.__suppress_context__ or failed.__context__ is None
