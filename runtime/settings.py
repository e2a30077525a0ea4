"""Settings of one process, read from the environment once, in `main()`.

Every `KAFKA_*` variable goes to librdkafka untouched: `KAFKA_SECURITY_PROTOCOL=SASL_SSL` is `security.protocol`.
Likewise every `SCHEMA_REGISTRY_*` variable goes to the registry's client: `SCHEMA_REGISTRY_URL` is `url`.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from runtime.failpoint import triggers

_KAFKA_PREFIX: Final = "KAFKA_"
_REGISTRY_PREFIX: Final = "SCHEMA_REGISTRY_"

GeneratorName = Literal["embedded", "instant", "openai", "scripted"]


def kafka_client_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return librdkafka's settings from `KAFKA_*` variables: prefix off, lower case, underscores to dots."""
    return _prefixed(environment, _KAFKA_PREFIX)


def schema_registry_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the registry client's settings from `SCHEMA_REGISTRY_*` variables, named in the same way."""
    return _prefixed(environment, _REGISTRY_PREFIX)


def _prefixed(environment: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {
        name.removeprefix(prefix).lower().replace("_", "."): value
        for name, value in environment.items()
        if name.startswith(prefix) and value != ""
    }


class Settings(BaseSettings):
    """What any role may need; immutable. Unknown `CLONEPOST_*` variables are ignored, bad values are named."""

    model_config = SettingsConfigDict(env_prefix="CLONEPOST_", frozen=True, extra="ignore", populate_by_name=True)

    database_url: SecretStr = Field(
        default=SecretStr(""),
        validation_alias="DATABASE_URL",
        description="postgresql://… of the read and write tables",
    )
    kafka: dict[str, str] = Field(
        default_factory=lambda: kafka_client_settings(os.environ),
        description="librdkafka settings, from every KAFKA_* variable",
        # A password may be among them.
        repr=False,
    )
    schema_registry: dict[str, str] = Field(
        default_factory=lambda: schema_registry_settings(os.environ),
        description="the schema registry client's settings, from every SCHEMA_REGISTRY_* variable; none without a URL",
        repr=False,
    )
    topic_prefix: str = ""
    """Put before every topic, group and transactional id: several systems on one cluster, or a test of its own."""
    instance: str | None = None
    """A stable name of this process, unique in the deployment. A restart then keeps its partitions."""
    http_host: str = "127.0.0.1"
    http_port: int = 8080
    http_socket: int | None = Field(default=None, ge=3)
    """A listening socket that was inherited, by its number: whoever started the process keeps it open over restarts."""
    notify_socket: str = Field(
        default="",
        validation_alias="NOTIFY_SOCKET",
        description="where to say that the process is ready, as systemd has it",
    )
    metrics_port: int | None = None
    """Where a consumer serves /metrics; none by default. The API serves its own."""
    reply_wait_ms: int = Field(default=1_000, ge=0, le=10_000)
    """How long a POST waits for the exact verdict before it answers 202."""
    generator: GeneratorName = "embedded"
    generate_concurrency: int = Field(default=8, ge=1, le=256)
    """Variations that one generate process works on at the same time."""
    openai_base_url: str = "https://api.openai.com/v1"
    openai_api_key: SecretStr = SecretStr("")
    openai_model: str = Field(default="", max_length=200)
    openai_timeout_seconds: float = Field(default=60.0, gt=0, le=600)
    """How long one call may take, its last byte included."""
    openai_concurrency: int = Field(default=4, ge=1, le=256)
    """Calls that one generate process has open at the same time."""
    openai_max_output_tokens: int = Field(default=4_096, ge=16, le=1_000_000)
    openai_input_usd_per_million: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    openai_output_usd_per_million: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    openai_fallback: Literal["embedded", "fail"] = "embedded"
    """What becomes of a variation that the provider does not make, or not well enough."""
    render: bool = True
    """Off: variations have texts and no assets."""
    assets_folder: Path | None = None
    """Where rendered files live, one folder for all processes; without it nothing is rendered."""
    render_processes: int = Field(default=1, ge=1, le=64)
    """Variations that one render process works on at the same time, each in a process of its own, on one core."""
    render_seconds: float = Field(default=180.0, gt=0)
    """A render that takes longer is stopped."""
    render_memory_mb: int = Field(default=2_048, ge=512)
    """Address space that one render may take; more ends it."""
    lease_seconds: float = Field(default=30.0, gt=0)
    sweep_seconds: float = Field(default=2.0, gt=0)
    poison_limit_count: int = Field(default=1_000, ge=1)
    poison_limit_share: float = Field(default=0.5, gt=0, le=1)
    """A stage halts when so many of its last 10,000 records, and such a share of them, are poison."""
    rate_limits: bool = True
    """Off: requests and streams are counted and never refused, for benchmarks."""
    streams_per_key: int = Field(default=100, ge=1)
    """Event streams of jobs that one key may have open at the same time, at each API process."""
    log_format: Literal["auto", "console", "json"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    failpoints: str = ""
    """Where this process is to die or to freeze (runtime.failpoint): for tests, never set elsewhere."""

    @field_validator("failpoints")
    @classmethod
    def _known_failpoints(cls, text: str) -> str:
        triggers(text)
        return text

    @field_validator("openai_base_url")
    @classmethod
    def _plain_address(cls, text: str) -> str:
        parts = urlsplit(text)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be an http:// or https:// address, such as https://api.openai.com/v1")
        if parts.username or parts.password or parts.query:
            raise ValueError("must hold no credentials: those belong into CLONEPOST_OPENAI_API_KEY")
        return text

    @field_validator("openai_api_key")
    @classmethod
    def _sendable(cls, key: SecretStr) -> SecretStr:
        if not all("!" <= sign <= "~" for sign in key.get_secret_value()):
            raise ValueError("must be visible ASCII without spaces or line ends")
        return key

    @property
    def renders(self) -> bool:
        """Whether variations that succeed are rendered."""
        return self.render and self.assets_folder is not None

    @property
    def bootstrap_servers(self) -> str:
        """The brokers, as `KAFKA_BOOTSTRAP_SERVERS` has them; empty when unset."""
        return self.kafka.get("bootstrap.servers", "")
