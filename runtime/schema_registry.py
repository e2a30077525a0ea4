"""A schema registry, for the clusters that have one: `SCHEMA_REGISTRY_URL` and what else its client takes.

Subjects are the full names of the records (RecordNameStrategy): topics here hold several kinds. A schema that the
registry has is used as it is; one that it lacks is registered, and its subject made FULL_TRANSITIVE, as ours are. Asked
at the start and for ids that come up later, never once per record.
"""

import json
from types import TracebackType
from typing import Any, Final, Self

import structlog

from runtime.errors import Fatal, RegistryUnavailable
from runtime.framing import Framing
from runtime.settings import Settings
from schemas import avsc, codec
from schemas.events import EVENT_NAMES, EventName

_log = structlog.get_logger(__name__)

_NAMESPACE: Final = "clonepost.events."
_NUMBERS: Final = frozenset(
    {"timeout", "max.retries", "retries.wait.ms", "retries.max.wait.ms", "cache.capacity", "cache.latest.ttl.sec"}
)
# The caller's own patience tries again: a stage stalls, a start waits.
_DEFAULTS: Final[dict[str, Any]] = {"timeout": 5.0, "max.retries": 0}
_NOT_FOUND: Final = 404
_REFUSED: Final = frozenset({401, 403, 422})
_CONFLICT: Final = 409


def connect(settings: Settings) -> Framing | None:
    """How records are framed on this cluster; None without a registry, at no cost.

    Raises RegistryUnavailable while the registry is away, and Fatal when it refuses us or a setting is wrong.
    """
    if not settings.schema_registry.get("url"):
        return None
    ids = {}
    with SchemaRegistry(settings) as registry:
        for name, text in avsc.released():
            # Of an older release: in the registry if that release ever ran with it, and never registered by this one.
            found = registry.find(name, text)
            if found is not None:
                ids[_fingerprint(text)] = found
        for name in EVENT_NAMES:
            text = avsc.written(name)
            found = ids.get(_fingerprint(text))
            ids[_fingerprint(text)] = registry.register(name, text) if found is None else found
    _log.info("schema_registry_ready", schemas=len(ids))
    return Framing(ids, lambda number: _ask_for(settings, number))


def connect_to_read(settings: Settings) -> Framing | None:
    """The same for those who only look: nothing is registered, every id is learnt when it comes up."""
    if not settings.schema_registry.get("url"):
        return None
    return Framing({}, lambda number: _ask_for(settings, number))


def _ask_for(settings: Settings, number: int) -> bytes | None:
    # Rare, so that no connection is kept for it.
    with SchemaRegistry(settings) as registry:
        return registry.fingerprint(number)


class SchemaRegistry:
    """What this system asks of a registry. A context manager: leaving it closes its connections."""

    def __init__(self, settings: Settings) -> None:
        """Raises Fatal when a SCHEMA_REGISTRY_* setting is wrong or the client is not installed."""
        try:
            import httpx2
            from confluent_kafka import schema_registry
            from confluent_kafka.schema_registry import error
        except ImportError as missing:
            raise Fatal(
                f"SCHEMA_REGISTRY_URL is set, and its client is not installed ({missing.name}): "
                "pip install 'clonepost[registry]'"
            ) from missing
        self._schema = schema_registry.Schema
        self._answered = schema_registry.SchemaRegistryError
        self._silent = (httpx2.HTTPError, error.OAuthTokenError, ValueError)
        if not all(
            url.strip().startswith(("http://", "https://")) for url in settings.schema_registry["url"].split(",")
        ):
            raise Fatal("SCHEMA_REGISTRY_URL must be http:// or https:// addresses, separated by commas")
        try:
            self._client = schema_registry.SchemaRegistryClient(_client_settings(settings.schema_registry))
        except (ValueError, TypeError, OSError) as wrong:
            raise Fatal(f"a SCHEMA_REGISTRY_* setting is wrong: {wrong}") from wrong

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def find(self, name: EventName, text: str) -> int | None:
        """The id of a schema under its record's subject, or None. Raises RegistryUnavailable or Fatal."""
        schema = self._schema(text, "AVRO")
        found = self._ask(lambda: self._client.lookup_schema(_NAMESPACE + name, schema), name)
        return None if found is None else int(found.schema_id)

    def register(self, name: EventName, text: str) -> int:
        """The id of a schema, registered if need be. Raises RegistryUnavailable or Fatal."""
        found = self.find(name, text)
        if found is not None:
            return found
        subject, schema = _NAMESPACE + name, self._schema(text, "AVRO")
        number = self._ask(lambda: self._client.register_schema(subject, schema), name)
        if number is None:
            raise Fatal("SCHEMA_REGISTRY_URL answers 404 to everything: is its path right?")
        self._ask(lambda: self._client.set_compatibility(subject, "FULL_TRANSITIVE"), name)
        _log.info("schema_registered", subject=subject, schema_id=number)
        return int(number)

    def fingerprint(self, number: int) -> bytes | None:
        """The fingerprint of the schema of an id; None where that is none of ours. Raises RegistryUnavailable."""
        try:
            found = self._client.get_schema(number)
        except self._answered as error:
            if error.http_status_code == _NOT_FOUND:
                return None
            raise _unavailable(error.http_status_code) from error
        except self._silent as error:
            raise _unavailable(type(error).__name__) from error
        if found.schema_type != "AVRO" or found.schema_str is None:
            return None
        return codec.fingerprint_of_ours(found.schema_str)

    def _ask(self, call: Any, name: EventName) -> Any:
        try:
            return call()
        except self._answered as error:
            if error.http_status_code == _NOT_FOUND:
                return None
            if error.http_status_code in _REFUSED:
                raise Fatal(
                    f"the schema registry refuses {_NAMESPACE}{name} ({error.http_status_code}): check the credentials "
                    f"in SCHEMA_REGISTRY_*, or have schemas/avro/{name}.avsc registered under that subject"
                ) from error
            if error.http_status_code == _CONFLICT:
                # Roles start together and register together: whoever came second finds it when it looks again.
                raise RegistryUnavailable(
                    f"the schema registry has {_NAMESPACE}{name} in work (409); if this goes on, the subject holds a "
                    "schema that is incompatible"
                ) from error
            raise _unavailable(error.http_status_code) from error
        except self._silent as error:
            raise _unavailable(type(error).__name__) from error


def _client_settings(given: dict[str, str]) -> dict[str, Any]:
    numbers = {name: float(value) for name, value in given.items() if name in _NUMBERS}
    return {**_DEFAULTS, **given, **numbers}


def _fingerprint(text: str) -> bytes:
    return codec.fingerprint_of(json.loads(text))


def _unavailable(reason: object) -> RegistryUnavailable:
    return RegistryUnavailable(f"the schema registry does not answer: {reason}")
