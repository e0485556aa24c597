"""Path to answer: what each address says, from views alone."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from streamspc.serve import text
from streamspc.serve.gather import gather
from streamspc.serve.health import Health, healthy, ready
from streamspc.serve.page import page

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamspc.model import View

PLAIN = "text/plain; charset=utf-8"
ALIASES = {"/livez": "/-/healthy", "/healthz": "/-/healthy", "/readyz": "/-/ready"}


class Reply(NamedTuple):
    """Status, content type and body of an answer."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Answers:
    """All answers of a process. `views` is called once an answer; `clock` is monotonic seconds, the one of `View.turned`."""

    views: Callable[[], Sequence[View]]
    config_hash: str
    max_poll_interval: float = 300.0
    clock: Callable[[], float] = time.monotonic
    since: float = field(default_factory=time.monotonic)

    def answer(self, path: str, accept: str) -> Reply:
        """The answer to a GET of this path; 404 for one that does not exist. Raises KeyError or ValueError for a wrong family."""
        match ALIASES.get(path, path):
            case "/metrics":
                return self._metrics(accept)
            case "/-/healthy":
                return _state(healthy(self.views(), self.since, self.clock(), self.max_poll_interval), "healthy")
            case "/-/ready":
                return _state(ready(self.views()), "ready")
            case "/":
                return Reply(200, "text/html; charset=utf-8", page(self.views(), self.config_hash, self.clock()).encode())
            case _:
                return Reply(404, PLAIN, b"not found\n")

    def _metrics(self, accept: str) -> Reply:
        families = gather(self.views(), self.config_hash)
        openmetrics = "application/openmetrics-text" in accept
        content_type = text.OPENMETRICS if openmetrics else text.CONTENT_TYPE
        return Reply(200, content_type, text.write(families, openmetrics=openmetrics))


def _state(health: Health, state: str) -> Reply:
    content_type = PLAIN if health.good else "application/jsonl; charset=utf-8"
    return Reply(200 if health.good else 503, content_type, health.text(state).encode())
