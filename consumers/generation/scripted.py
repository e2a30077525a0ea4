"""The generator `scripted`: does what a line in a caption says, so that failures can be tried and tested.

The line stands in the caption override or in the source post's caption:

    @@generator delay=2s fail=1,3 error=PROVIDER_ERROR retry=2 crash=1 hang=0

`delay` waits so long in each variation (s or ms); `fail` lists the variations (from 1) that fail for good with `error`;
`retry` lists those that ask to be tried later, every time; `crash` kills the process at those; `hang` never returns
from those.
"""

import os
import re
import signal
import threading
from typing import Final

from consumers.generation.generators import GenerationFailed, Generator, Made, Order, ReportStep, RetryLater
from schemas.errors import ErrorCode

_LINE: Final = re.compile(r"@@generator([^\n]*)")
_OPTION: Final = re.compile(r"(\w+)=(\S+)")
_DELAY: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s)")


class ScriptedGenerator:
    """Obeys the script, then leaves the creative to another generator. Only for trying and testing."""

    name = "scripted/1"
    waits = True
    lease_ahead = None
    needs_material = True

    def __init__(self, then: Generator) -> None:
        self._then = then

    def generate(self, order: Order, report: ReportStep) -> Made:
        """Delay, fail, retry, crash or hang as told; else what the other generator makes."""
        options = script(order)
        number = order.index + 1
        report("generating")
        threading.Event().wait(_seconds(options.get("delay", "0s")))
        if number in _numbers(options.get("crash", "")):
            os.kill(os.getpid(), signal.SIGKILL)
        if number in _numbers(options.get("hang", "")):
            threading.Event().wait()
        code = options.get("error", ErrorCode.PROVIDER_ERROR.value)
        if number in _numbers(options.get("fail", "")):
            raise GenerationFailed(code, "The script says that this variation fails.")
        if number in _numbers(options.get("retry", "")):
            raise RetryLater(code, "The script says that this variation is to be tried later.")
        return self._then.generate(order, report)


def script(order: Order) -> dict[str, str]:
    """The options of the order's script line; empty without one."""
    material = order.material
    if material is None:
        return {}
    captions = (material.overrides.get("caption"), material.source.get("caption"))
    line = next((found for caption in captions if caption and (found := _LINE.search(str(caption)))), None)
    return dict(_OPTION.findall(line.group(1))) if line else {}


def _seconds(text: str) -> float:
    match = _DELAY.fullmatch(text)
    if match is None:
        return 0.0
    return float(match.group(1)) / (1000 if match.group(2) == "ms" else 1)


def _numbers(text: str) -> frozenset[int]:
    return frozenset(int(part) for part in text.split(",") if part.isdigit())
