"""A signal ends a measurement wherever it meets the interpreter."""

import os
import signal
import sys
import weakref
from collections.abc import Iterator
from itertools import count

import pytest

from bench.pipeline.interrupting import interruptible
from tests.awaiting import eventually

_NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)


@pytest.fixture
def asked() -> Iterator[list[int]]:
    """What was asked; the handlers of the test run come back afterwards."""
    before = {number: signal.getsignal(number) for number in _NUMBERS}
    yield []
    signal.set_wakeup_fd(-1)
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_signal_that_meets_a_weak_references_call_back_is_not_lost(
    asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: dropped.append(what.exc_type))

    class Thing:
        """Something that a weak reference may name."""

    def die(_reference: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        sum(range(10))

    thing = [Thing()]
    reference = weakref.ref(thing[0], die)

    def work() -> None:
        thing.clear()
        for _ in count():
            pass

    with pytest.raises(KeyboardInterrupt), interruptible(lambda: asked.append(1)):
        work()
    assert reference() is None
    eventually(lambda: asked == [1], what="the signal is heard")
    assert dropped == [KeyboardInterrupt]


def test_behind_it_a_signal_interrupts_nothing_and_is_heard(asked: list[int]) -> None:
    with interruptible(lambda: asked.append(1)):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    eventually(lambda: asked == [1], what="the signal is heard")


def test_the_first_is_only_a_warning_where_that_is_asked_for(asked: list[int]) -> None:
    def send(number: signal.Signals) -> None:
        os.kill(os.getpid(), number)
        # The interpreter looks for signals between steps.
        sum(range(10))
        passed.append(number)

    passed: list[signal.Signals] = []
    with interruptible(lambda: asked.append(1), warnings=1):
        send(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)
    assert passed == [signal.SIGTERM]
    eventually(lambda: asked == [1, 1], what="both are heard")
