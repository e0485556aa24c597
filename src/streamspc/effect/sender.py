"""A receiver of the configuration as two functions: render a notice, post a body."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from streamspc.effect import http, signature, slack, webhook
from streamspc.effect.address import Target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamspc.model import Answer, Notice, ReceiverLocal, Rendered, Semantics, StreamSpec

RENDERERS = {"webhook": webhook.render, "slack": slack.render}
AGENT = f"streamspc/{version('streamspc')}"


@dataclass(frozen=True, slots=True)
class Sender:
    """One receiver. Rendering is pure; a post is one request."""

    receiver: ReceiverLocal
    streams: Mapping[str, StreamSpec]
    page: str
    door: http.Door
    signing: bytes | None

    def render(self, notice: Notice) -> Rendered:
        """The notice as this kind of receiver wants it; a stream of another configuration is told in UTC."""
        return RENDERERS[self.receiver.kind](notice, self.streams.get(notice.stream), self.page)

    def post(self, message: str, body: str, content_type: str, now: int) -> Answer:
        """Send the body once under this id. `now` is microseconds. Never raises for what the world does."""
        content = body.encode()
        headers = {"Content-Type": content_type, "User-Agent": AGENT, "Idempotency-Key": message}
        return http.post(self.door, headers | signature.headers(self.signing, message, now // 1_000_000, content), content)


def build(receiver: ReceiverLocal, semantics: Semantics, page: str = "") -> Sender:
    """The sender of a receiver. `page` is the external URL. Raises ConfigError for a URL or secret that cannot work."""
    target = Target.parse(receiver.name, receiver.url.reveal())
    return Sender(
        receiver,
        {spec.name: spec for spec in semantics.streams},
        page,
        http.Door.of(target, receiver.timeout, allow_private=receiver.allow_private),
        signature.key(receiver.name, receiver.secret) if receiver.secret else None,
    )
