"""The realiser `openai`: one call for the words of a variation, one more to repair what the gate finds."""

from typing import Any, Final

from consumers.generation.gate.finding import Finding
from consumers.generation.generators import GenerationFailed
from consumers.generation.openai_writer.prompt import first_messages, repair_messages
from consumers.generation.openai_writer.provider import Provider
from consumers.generation.openai_writer.trust import untrusted
from consumers.generation.openai_writer.wire import Creative, parsed
from consumers.generation.realise import Assignment, Texts, Unusable
from schemas.errors import ErrorCode

_GARBLED: Final = Finding("answer", "answer", "is not the JSON object that was asked for, or is cut off")


class OpenAIRealiser:
    """Has a model write. It is shown the brief and the brand's facts; the source's text never."""

    name = "openai/1"
    repeatable = False
    tries = 2

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def realise(self, assignment: Assignment) -> Texts:
        """The texts. What is no creative is Unusable in a first answer, and in a repaired one GenerationFailed."""
        ask = first_messages(assignment) if assignment.attempt == 1 else repair_messages(assignment)
        answer = self._provider.ask(ask, Creative, assignment.variation_id)
        made = self._provider.made(assignment.variation_id, answer)
        creative = parsed(Creative, answer.text) if answer.whole else None
        shots = len(assignment.brief.shots)
        findings = [_GARBLED] if creative is None else untrusted(creative, assignment.brand, shots=shots)
        if creative is not None and not findings:
            return _texts(creative, assignment, made)
        if assignment.attempt < self.tries:
            raise Unusable(findings, made)
        first = findings[0]
        raise GenerationFailed(
            ErrorCode.PROVIDER_ERROR, f"The provider's answer is unusable: {first.field} {first.detail}.", made
        )


def _texts(creative: Creative, assignment: Assignment, made: dict[str, Any]) -> Texts:
    cta = assignment.brand.get("cta")
    own = " ".join(str(cta.get("text") or "").split()) if isinstance(cta, dict) else ""
    return Texts(
        hook=creative.hook,
        caption=creative.caption,
        # The brand's own call to action is never rewritten.
        cta=own or creative.cta,
        script=creative.script,
        shot_descriptions=tuple(creative.shots[: len(assignment.brief.shots)]),
        made=made,
    )
