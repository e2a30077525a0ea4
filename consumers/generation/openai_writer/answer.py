"""What a provider sends back, as far as it can be believed. Pure.

A provider is a stranger: its answer is parsed strictly, capped in size, and nothing of it is shown unchecked.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from consumers.generation.openai_writer.spending import Spent

MAX_ANSWER_BYTES: Final = 1_000_000
_MAX_TOKENS: Final = 10_000_000
_MODEL: Final = re.compile(r"[\w.:/@+-]{1,100}", re.ASCII)
_Tokens = Annotated[int, Field(ge=0, le=_MAX_TOKENS)]


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Message(_Lenient):
    content: str | None = None


class _Choice(_Lenient):
    message: _Message
    finish_reason: str | None = None


class _Usage(_Lenient):
    prompt_tokens: _Tokens = 0
    completion_tokens: _Tokens = 0


class _Completion(_Lenient):
    choices: Annotated[list[_Choice], Field(min_length=1)]
    model: str | None = None
    usage: object = None


class NoCompletion(Exception):
    """The body is no chat completion: a proxy's page, half an answer, another API."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The text that a model wrote, and what it cost. `model` is None where the provider's name for it is no name."""

    text: str
    whole: bool
    model: str | None
    spent: Spent


def read_answer(body: bytes) -> Answer:
    """The answer in a response's body. Raises NoCompletion."""
    try:
        completion = _Completion.model_validate_json(body)
    except ValidationError:
        raise NoCompletion from None
    choice = completion.choices[0]
    model = completion.model
    return Answer(
        text=choice.message.content or "",
        # What ends by its length or by a filter is not what the model had to say.
        whole=choice.finish_reason in (None, "stop"),
        model=model if model is not None and _MODEL.fullmatch(model) else None,
        spent=_spent(completion.usage),
    )


def _spent(usage: object) -> Spent:
    """What the provider says it used; nothing where it says nothing sensible."""
    try:
        told = _Usage.model_validate(usage or {})
    except ValidationError:
        told = _Usage()
    return Spent(1, told.prompt_tokens, told.completion_tokens)
