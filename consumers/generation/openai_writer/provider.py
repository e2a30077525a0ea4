"""Asks an endpoint that speaks OpenAI's chat completions. A call ends in time, within its size, and keeps its key.

All calls of a process run on one event loop, for there a time limit is one: it also ends an answer that drips.
"""

import asyncio
import hashlib
import json
import threading
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import httpx2
import structlog
from openai import APIConnectionError, APIStatusError, AsyncOpenAI, DefaultAsyncHttpxClient
from pydantic import SecretStr

from consumers.generation.generators import GenerationFailed, RetryLater
from consumers.generation.openai_writer import failures
from consumers.generation.openai_writer.answer import MAX_ANSWER_BYTES, Answer, NoCompletion, read_answer
from consumers.generation.openai_writer.spending import Ledger
from consumers.generation.openai_writer.wire import Asked, response_format
from runtime import metrics
from schemas.errors import ErrorCode

_log = structlog.get_logger(__name__)

Message = dict[str, str]
_CONNECT_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to ask, and how much of it. An empty key is for servers that ask for none."""

    base_url: str
    api_key: SecretStr
    model: str
    timeout_seconds: float = 60.0
    concurrency: int = 4
    max_output_tokens: int = 4_096


class Provider:
    """One endpoint, for all threads of a process."""

    def __init__(self, endpoint: Endpoint, ledger: Ledger) -> None:
        self._endpoint = endpoint
        self._ledger = ledger
        self._quiet_until = 0.0
        self._slots = asyncio.Semaphore(endpoint.concurrency)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="openai", daemon=True)
        self._thread.start()
        self._client = AsyncOpenAI(
            base_url=endpoint.base_url,
            # Never the key of the environment, nor none, which the package takes for a mistake.
            api_key=endpoint.api_key.get_secret_value() or "none",
            # The retry ladder of the variation waits, not a thread of ours.
            max_retries=0,
            timeout=httpx2.Timeout(endpoint.timeout_seconds, connect=min(_CONNECT_SECONDS, endpoint.timeout_seconds)),
            default_headers={"Accept-Encoding": "identity"},
            http_client=DefaultAsyncHttpxClient(follow_redirects=False, event_hooks={"response": [_bound]}),
        )

    def close(self) -> None:
        """End the connections and the loop, once no call runs. A process that ends anyway need not."""
        asyncio.run_coroutine_threadsafe(self._client.close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.close()

    def ask(self, messages: Sequence[Message], wanted: type[Asked], variation_id: uuid.UUID) -> Answer:
        """The model's answer, entered in the ledger. The same question for a variation has the same idempotency key.

        Raises RetryLater or GenerationFailed PROVIDER_ERROR; what either says is ours and not the provider's.
        """
        try:
            answer = self._answer(messages, wanted, variation_id)
        except (RetryLater, GenerationFailed) as failure:
            failure.made = self.made(variation_id)
            raise
        self._ledger.add(variation_id, answer.spent)
        return answer

    def made(self, variation_id: uuid.UUID, answer: Answer | None = None) -> dict[str, Any]:
        """What provenance tells of the model that was asked, and of all that it was asked for this variation."""
        model = (answer and answer.model) or self._endpoint.model
        return {"model": model, **self._ledger.told(variation_id)}

    def _answer(self, messages: Sequence[Message], wanted: type[Asked], variation_id: uuid.UUID) -> Answer:
        quiet_seconds = self._quiet_until - time.monotonic()
        if quiet_seconds > 0:
            raise RetryLater(ErrorCode.PROVIDER_ERROR, "The provider asked for a pause.", quiet_seconds)
        try:
            answer = asyncio.run_coroutine_threadsafe(self._ask(messages, wanted, variation_id), self._loop).result()
        except (RetryLater, GenerationFailed) as failure:
            metrics.PROVIDER_CALLS.labels("later" if isinstance(failure, RetryLater) else "refused").inc()
            if isinstance(failure, RetryLater) and failure.wait_seconds is not None:
                self._quiet_until = max(self._quiet_until, time.monotonic() + failure.wait_seconds)
            raise
        metrics.PROVIDER_CALLS.labels("answered").inc()
        metrics.PROVIDER_TOKENS.labels("input").inc(answer.spent.input_tokens)
        metrics.PROVIDER_TOKENS.labels("output").inc(answer.spent.output_tokens)
        return answer

    async def _ask(self, messages: Sequence[Message], wanted: type[Asked], variation_id: uuid.UUID) -> Answer:
        body: dict[str, Any] = {
            "model": self._endpoint.model,
            "messages": list(messages),
            "response_format": response_format(wanted),
            "max_completion_tokens": self._endpoint.max_output_tokens,
        }
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]
        async with self._slots:
            try:
                async with asyncio.timeout(self._endpoint.timeout_seconds):
                    response = await self._client.chat.completions.with_raw_response.create(
                        **body, extra_headers={"Idempotency-Key": f"{variation_id}-{digest}"}
                    )
                return read_answer(response.content)
            except APIStatusError as error:
                _log.warning("provider_error", status=error.status_code)
                # The package's error holds the request, and that the key.
                raise failures.of_status(error.status_code, error.response.headers, datetime.now(UTC)) from None
            except TimeoutError:
                raise _later("no answer in time", "did not answer in time") from None
            except APIConnectionError as error:
                raise _later(type(error.__cause__ or error).__name__, "could not be reached, or broke off") from None
            except NoCompletion:
                raise _later("no completion", "answered with something else than a completion") from None


def _later(reason: str, told: str) -> RetryLater:
    _log.warning("provider_error", reason=reason)
    return RetryLater(ErrorCode.PROVIDER_ERROR, f"The provider {told}.")


class _TooLarge(httpx2.ReadError):
    """The answer goes on beyond what any answer needs."""


class _Bounded(httpx2.AsyncByteStream):
    """A response's bytes, so many at most."""

    def __init__(self, inner: httpx2.AsyncByteStream) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        seen = 0
        async for chunk in self._inner:
            seen += len(chunk)
            if seen > MAX_ANSWER_BYTES:
                raise _TooLarge("the answer is too large")
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()


async def _bound(response: httpx2.Response) -> None:
    """Cap what is read of a response, error pages included; and what it unpacks to, by taking nothing packed."""
    if response.headers.get("content-encoding", "identity") != "identity":
        raise httpx2.DecodingError("packed, though not asked for")
    if isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _Bounded(response.stream)
