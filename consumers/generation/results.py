"""From what a generator did to what is written: one outcome a task. Pure but for the call."""

import time
from dataclasses import dataclass
from typing import Final

import structlog

from consumers.generation.generators import GenerationFailed, Generator, Order, RetryLater
from consumers.generation.tasks import Task
from runtime import metrics
from schemas.errors import ErrorCode
from storage.variations import Failure, Success, to_json

_log = structlog.get_logger(__name__)

MAX_ATTEMPTS: Final = 5
_FIRST_RETRY_SECONDS: Final = 1.0
_MAX_RETRY_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class PutBack:
    """Try again, not before `wait_seconds` from now."""

    wait_seconds: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt."""

    task: Task
    result: Success | Failure | PutBack


def attempt(generator: Generator, task: Task) -> Outcome:
    """Run the generator once on a task. Never raises: a defect in a generator fails its variation, not its process."""
    lease = task.lease
    order = Order(str(lease.job_id), lease.index, lease.attempt, task.material)
    task.start()
    try:
        made = generator.generate(order, task.report)
    except GenerationFailed as error:
        result: Success | Failure | PutBack = _failure(generator, task, error.code, str(error))
    except RetryLater as error:
        result = _retry(generator, task, error)
    except Exception:  # noqa: BLE001 -- the boundary of foreign code: logged in full, and an outcome like any other
        _log.exception("generator_defect", job_id=str(lease.job_id), index=lease.index, generator=generator.name)
        result = _failure(generator, task, ErrorCode.INTERNAL, "The generator failed unexpectedly.")
    else:
        provenance = {**made.provenance, "generator": generator.name, "attempts": lease.attempt}
        result = Success(
            lease, made.hook_shape, made.visual_format, made.duration_ms, to_json(made.creative), to_json(provenance)
        )
    if task.started_at is not None:
        metrics.VARIATION_SECONDS.labels(generator.name).observe(time.monotonic() - task.started_at)
    return Outcome(task, result)


def _retry(generator: Generator, task: Task, error: RetryLater) -> Failure | PutBack:
    if task.lease.attempt >= MAX_ATTEMPTS:
        return _failure(generator, task, error.code, str(error))
    ladder = min(_FIRST_RETRY_SECONDS * 4 ** (task.lease.attempt - 1), _MAX_RETRY_SECONDS)
    return PutBack(max(ladder, error.wait_seconds or 0.0))


def _failure(generator: Generator, task: Task, code: str, message: str) -> Failure:
    provenance = to_json({"generator": generator.name, "attempts": task.lease.attempt})
    return Failure(task.lease, code, message, provenance)
