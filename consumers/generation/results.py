"""From what a generator did to what is written: one outcome a task. Pure but for the call."""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, NamedTuple

import structlog
from prometheus_client import Histogram

from consumers.generation.generators import GenerationFailed, Generator, Made, Order, RetryLater
from consumers.generation.storable import storable_json, storable_labels, storable_reason
from consumers.generation.tasks import Task
from runtime import metrics
from schemas.errors import ErrorCode
from storage.variations import Failure, Success, to_json

_log = structlog.get_logger(__name__)

MAX_RETRIES: Final = 4
"""Five tries in all. Attempts that a stop or a lost worker ended are not among them."""
_FIRST_RETRY_SECONDS: Final = 1.0
_MAX_ASKED_SECONDS: Final = 3_600.0
"""However long a provider wants to be left alone: the job's deadline comes before."""


@dataclass(frozen=True, slots=True)
class PutBack:
    """Try again, not before `wait_seconds` from now."""

    wait_seconds: float


class Outcome(NamedTuple):
    """What became of one attempt."""

    task: Task
    result: Success | Failure | PutBack


def attempt(generator: Generator, task: Task) -> Outcome:
    """Run the generator once on a task. Never raises: a defect in a generator fails its variation, not its process."""
    lease = task.lease
    order = Order(str(lease.job_id), lease.index, lease.attempt, task.material, task.retries)
    task.start()
    try:
        result: Success | Failure | PutBack = _success(generator, task, generator.generate(order, task.report))
    except GenerationFailed as error:
        result = _failure(generator, task, error.code, str(error), error.made)
    except RetryLater as error:
        result = _retry(generator, task, error)
    except Exception:  # noqa: BLE001 -- the boundary of foreign code: logged in full, and an outcome like any other
        _log.exception("generator_defect", job_id=str(lease.job_id), index=lease.index, generator=generator.name)
        result = _failure(generator, task, ErrorCode.INTERNAL, "The generator failed unexpectedly.")
    if task.started_at is not None:
        _seconds_of(generator.name).observe(time.monotonic() - task.started_at)
    return Outcome(task, result)


def _success(generator: Generator, task: Task, made: Made) -> Success | Failure:
    creative = storable_json(made.creative)
    provenance = storable_json({"generator": generator.name, **made.provenance, "attempts": task.lease.attempt})
    if creative is None or provenance is None or not storable_labels(made):
        _log.error("unstorable_creative", job_id=str(task.lease.job_id), index=task.lease.index)
        return _failure(generator, task, ErrorCode.INTERNAL, "The generator made something that cannot be stored.")
    return Success(task.lease, made.hook_shape, made.visual_format, made.duration_ms, creative, provenance)


@cache
def _seconds_of(generator: str) -> Histogram:
    # Looking it up takes as long as counting.
    return metrics.VARIATION_SECONDS.labels(generator)


def _retry(generator: Generator, task: Task, error: RetryLater) -> Failure | PutBack:
    if task.retries >= MAX_RETRIES:
        return _failure(generator, task, error.code, str(error), error.made)
    ladder = _FIRST_RETRY_SECONDS * 4**task.retries
    asked = min(error.wait_seconds or 0.0, _MAX_ASKED_SECONDS)
    # Jitter upwards only: a provider that said when to return is not asked earlier.
    return PutBack(max(ladder, asked) * random.uniform(1.0, 1.25))  # noqa: S311 -- spreads load


def _failure(
    generator: Generator, task: Task, code: str, message: str, made: Mapping[str, Any] | None = None
) -> Failure:
    if not storable_reason(code, message):
        _log.error("unstorable_failure", job_id=str(task.lease.job_id), index=task.lease.index)
        code, message = ErrorCode.INTERNAL, "The generator failed, and its reason cannot be stored."
    told = {"generator": generator.name, "attempts": task.lease.attempt}
    return Failure(task.lease, code, message, storable_json({**(made or {}), **told}) or to_json(told))
