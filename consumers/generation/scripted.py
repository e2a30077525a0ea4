"""The generator `scripted`: does what a line in a caption says, so that failures can be tried and tested.

The line stands in the caption override, else in the source post's caption:

    @@generator delay=2s fail=1,3 error=PROVIDER_ERROR retry=2 crash=1 hang=4 lost=5 for=9s attempts=1

`delay` waits so long in each variation (s or ms). The rest name variations, counted from 1: `fail` those that fail for
good with `error`; `retry` those that ask to be tried later; `crash` those that kill the process; `hang` those that
never return, or that are given up after `for` and tried later; `lost` those that are made, but whose answer is lost on
its way back, so that they are tried later. `attempts=N` ends all of this trouble after so many attempts; without it the
trouble never ends. What the line does not stop is made by the embedded generator, or with `by=instant` by `instant`, at
no cost. Only with CLONEPOST_GENERATOR=scripted.
"""

import os
import re
import signal
import threading
from typing import Final

from consumers.generation.generators import GenerationFailed, Generator, Made, Order, ReportStep, RetryLater
from consumers.generation.instant import InstantGenerator
from schemas.errors import ErrorCode

_LINE: Final = re.compile(r"@@generator([^\n]*)")
_OPTION: Final = re.compile(r"(\w+)=(\S+)")
_DELAY: Final = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)(ms|s)")


class ScriptedGenerator:
    """Obeys the script, then leaves the creative to another generator. Only for trying and testing."""

    name = "scripted/1"
    waits = True
    lease_ahead = None
    needs_material = True

    def __init__(self, then: Generator) -> None:
        self._then = then
        self._instant = InstantGenerator()

    def generate(self, order: Order, report: ReportStep) -> Made:
        """Delay, fail, retry, crash or hang as told; else what the other generator makes."""
        options = script(order)
        report("generating")
        threading.Event().wait(_seconds(options.get("delay", "0s")))
        troubled = order.attempt <= _most_attempts(options)
        if troubled:
            _make_trouble(options, order.index + 1)
        made = (self._instant if options.get("by") == "instant" else self._then).generate(order, report)
        if troubled and order.index + 1 in _numbers(options.get("lost", "")):
            raise RetryLater(ErrorCode.PROVIDER_ERROR.value, "The script says that this variation's answer is lost.")
        return made


def script(order: Order) -> dict[str, str]:
    """The options of the order's script line; empty without one."""
    material = order.material
    if material is None:
        return {}
    captions = (material.overrides.get("caption"), material.source.get("caption"))
    line = next((found for caption in captions if caption and (found := _LINE.search(str(caption)))), None)
    return dict(_OPTION.findall(line.group(1))) if line else {}


def _make_trouble(options: dict[str, str], number: int) -> None:
    if number in _numbers(options.get("crash", "")):
        os.kill(os.getpid(), signal.SIGKILL)
    code = options.get("error", ErrorCode.PROVIDER_ERROR.value)
    if number in _numbers(options.get("hang", "")):
        threading.Event().wait(_seconds(options["for"]) if "for" in options else None)
        raise RetryLater(code, "The script says that this variation's provider did not answer in time.")
    if number in _numbers(options.get("fail", "")):
        raise GenerationFailed(code, "The script says that this variation fails.")
    if number in _numbers(options.get("retry", "")):
        raise RetryLater(code, "The script says that this variation is to be tried later.")


def _most_attempts(options: dict[str, str]) -> float:
    text = options.get("attempts", "")
    return int(text) if _is_number(text) else float("inf")


def _seconds(text: str) -> float:
    match = _DELAY.fullmatch(text)
    if match is None:
        return 0.0
    return float(match.group(1)) / (1000 if match.group(2) == "ms" else 1)


def _numbers(text: str) -> frozenset[int]:
    return frozenset(int(part) for part in text.split(",") if _is_number(part))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
