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
    ]
    # Without locals, which both show by default: a frame's variables are payloads and keys.
    if console:
        frames = structlog.dev.RichTracebackFormatter(show_locals=False)
        renderer: list[structlog.typing.Processor] = [structlog.dev.ConsoleRenderer(exception_formatter=frames)]
    else:
        transformer = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        exceptions = structlog.processors.ExceptionRenderer(transformer)
        renderer = [exceptions, structlog.processors.JSONRenderer(sort_keys=True)]
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    # Libraries log by the standard module: only what is wrong, on the same stream.
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
