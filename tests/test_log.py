"""What a log may show: where a defect is, never what was being worked on."""

import subprocess
import sys
from typing import Final

import pytest

from runtime.settings import Settings

_PROGRAM: Final = """
import structlog
from runtime import log
from runtime.settings import Settings

log.configure(Settings(log_format="{log_format}"), role="test")

def work(payload):
    raise ValueError("what went wrong")

try:
    work("a partner's " + "words")
except ValueError:
    structlog.get_logger("test").exception("defect", job="job_1")
"""


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_the_traceback_of_a_defect_shows_no_variables(log_format: str) -> None:
    program = [sys.executable, "-c", _PROGRAM.format(log_format=log_format)]
    shown = subprocess.run(program, capture_output=True, text=True, check=True).stderr
    assert "what went wrong" in shown
    assert "work" in shown
    assert "a partner's words" not in shown


def test_settings_show_no_password() -> None:
    settings = Settings(kafka={"sasl.password": "the-password"}, schema_registry={"basic.auth.user.info": "u:the-pass"})
    assert "the-pass" not in repr(settings)
