"""Logs: events with keys on stderr, one line each (a traceback on a terminal has more).

Promises: times are UTC in ISO 8601; what other libraries log by the standard library takes the same way, from warnings on; a secret
is never written. A secret is a value of `model.Secret`, the value of a key whose name says so (password, secret, token, url ...),
and any text that was named to `configure`, wherever in the line it stands: in a message, in an address, in a traceback.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from streamspc.model import Secret

MASK = "********"
_SECRET_KEY = re.compile(r"password|secret|token|authorization|(^|[_.-])url$", re.IGNORECASE)
_PUBLIC = {"external_url"}

Format = Literal["auto", "console", "logfmt", "json"]


def configure(level: str, format: Format, secrets: Iterable[Secret] = (), stream: TextIO | None = None) -> None:  # noqa: A002  # as in YAML
    """Set the logs of this process up; may be called again. `auto` is console on a terminal, else logfmt."""
    out = sys.stderr if stream is None else stream
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        mask,
    ]
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(format, out), Masking(secrets)],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("streamspc").setLevel(level.upper())
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *before,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def mask(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace values that are secrets by their type or by the name of their key."""
    return {key: MASK if _SECRET_KEY.search(key) and key not in _PUBLIC else _masked(value) for key, value in event.items()}


def _masked(value: Any) -> Any:
    """A value without its secrets."""
    if isinstance(value, Secret):
        return MASK
    if isinstance(value, dict):
        return {key: MASK if isinstance(key, str) and _SECRET_KEY.search(key) else _masked(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(inner) for inner in value]
    return value


class Masking:
    """Replaces known secrets in a finished line, as they are and as JSON has them."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        texts = {secret.reveal() for secret in secrets if secret.reveal()}
        forms = texts | {json.dumps(text)[1:-1] for text in texts} | {repr(text)[1:-1] for text in texts}
        self._known = re.compile("|".join(re.escape(text) for text in sorted(forms, key=len, reverse=True))) if forms else None

    def __call__(self, _logger: WrappedLogger, _method: str, line: Any) -> str:
        """The line without secrets."""
        return self._known.sub(MASK, str(line)) if self._known else str(line)


def _renderers(format: Format, out: TextIO) -> Sequence[Processor]:  # noqa: A002  # as in YAML
    """What makes a line of an event."""
    if format == "console" or (format == "auto" and out.isatty()):
        return [structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback)]
    if format == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    return [
        structlog.processors.format_exc_info,
        structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "logger", "event"], drop_missing=True, bool_as_flag=False),
    ]
