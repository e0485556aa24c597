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
from structlog.typing import Processor, WrappedLogger

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
    ]
    masking = Masking(secrets)
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(format, out, masking), masking],
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


class Masking:
    """A processor of events and of finished lines that replaces secrets."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        texts = {secret.reveal() for secret in secrets if secret.reveal()}
        forms = texts | {json.dumps(text)[1:-1] for text in texts} | {repr(text)[1:-1] for text in texts}
        self._known = re.compile("|".join(re.escape(text) for text in sorted(forms, key=len, reverse=True)) or r"(?!)")

    def __call__(self, _logger: WrappedLogger, _method: str, event: Any) -> Any:
        """The event, or the line, without secrets."""
        return self._masked(event)

    def _masked(self, value: Any) -> Any:
        if isinstance(value, Secret):
            return MASK
        if isinstance(value, str):
            return self._known.sub(MASK, value)
        if isinstance(value, dict):
            return {key: MASK if _is_secret(key) else self._masked(inner) for key, inner in value.items()}
        if isinstance(value, tuple):  # stays one: renderers know `exc_info` by that
            return tuple(self._masked(inner) for inner in value)
        if isinstance(value, list | set | frozenset):
            return [self._masked(inner) for inner in value]
        return value


def _is_secret(key: object) -> bool:
    """Whether a key says that its value is a secret."""
    return isinstance(key, str) and key not in _PUBLIC and _SECRET_KEY.search(key) is not None


def _renderers(format: Format, out: TextIO, masking: Processor) -> Sequence[Processor]:  # noqa: A002  # as in YAML
    """What makes a line of an event. Secrets go before values are escaped; what is made text by a renderer is looked at after it."""
    if format == "console" or (format == "auto" and out.isatty()):
        return [masking, structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback)]
    if format == "json":
        return [structlog.processors.format_exc_info, masking, structlog.processors.JSONRenderer(default=str)]
    return [
        structlog.processors.format_exc_info,
        masking,
        structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "logger", "event"], drop_missing=True, bool_as_flag=False),
    ]
