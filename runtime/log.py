"""Structured logs: snake_case events with fields, one outcome line a batch; ids and counts, no payload, no secret."""

import logging
import sys

import structlog

from runtime.settings import Settings


def configure(settings: Settings, *, role: str) -> None:
    """Set up this process's logging to standard error: JSON lines, or colours on a terminal. Call once, in `main`."""
    console = settings.log_format == "console" or (settings.log_format == "auto" and sys.stderr.isatty())

    def add_role(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["role"] = role
        return event

    shared: list[structlog.typing.Processor] = [
        add_role,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.dict_tracebacks if not console else structlog.processors.UnicodeDecoder(),
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer(sort_keys=True)
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    # Libraries log by the standard module: only what is wrong, on the same stream.
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
