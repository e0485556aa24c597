"""A receiver of the configuration as two functions: render a notice, post a body."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from streamspc.effect import http, signature, slack, webhook
from streamspc.effect.address import Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamspc.model import Answer, Notice, ReceiverLocal, Rendered, Semantics

RENDERERS = {"webhook": webhook.render, "slack": slack.render}
AGENT = f"streamspc/{version('streamspc')}"


@dataclass(frozen=True, slots=True)
class Sender:
    """One receiver. `render` is pure; `post(id, body, content type, now in microseconds)` is one request and never raises."""

    receiver: ReceiverLocal
    render: Callable[[Notice], Rendered]
    post: Callable[[str, str, str, int], Answer]


def build(receiver: ReceiverLocal, semantics: Semantics, page: str = "") -> Sender:
    """The sender of a receiver. `page` is the external URL. Raises ConfigError for a URL or secret that cannot work."""
    streams = {spec.name: spec for spec in semantics.streams}
    target = Target.parse(receiver.name, receiver.url.reveal())
    door = http.Door.of(target, receiver.timeout, allow_private=receiver.allow_private)
    signing = signature.key(receiver.name, receiver.secret) if receiver.secret else None

    def render(notice: Notice) -> Rendered:
        return RENDERERS[receiver.kind](notice, streams.get(notice.stream), page)

    def post(message: str, body: str, content_type: str, now: int) -> Answer:
        content = body.encode()
        headers = {"Content-Type": content_type, "User-Agent": AGENT, "Idempotency-Key": message}
        return http.post(door, headers | signature.headers(signing, message, now // 1_000_000, content), content)

    return Sender(receiver, render, post)
