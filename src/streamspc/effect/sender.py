"""A receiver of the configuration as pure functions that render, and one that posts."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, NamedTuple

from streamspc.effect import alertmanager, discord, google_chat, http, mattermost, pagerduty, signature, slack, teams, webhook
from streamspc.effect.address import Target
from streamspc.effect.wording import Words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamspc.model import Answer, Headers, Links, Notice, ReceiverLocal, Rendered, Semantics, Told

RENDERERS: dict[str, Callable[[Notice, Words], Rendered]] = {
    "slack": slack.render,
    "teams": teams.render,
    "discord": discord.render,
    "google_chat": google_chat.render,
    "mattermost": mattermost.render,
    "pagerduty": pagerduty.render,
    "webhook": webhook.render,
    "kafka": webhook.render,
}
MACHINES = frozenset({"webhook", "kafka"})
SHOWN = 8  # episodes that people are shown; the others are a number
AGENT = f"streamspc/{version('streamspc')}"


class Record(NamedTuple):
    """A notice as a record of a topic: CloudEvents 1.0, binary mode."""

    key: bytes
    value: bytes
    headers: Headers


@dataclass(frozen=True, slots=True)
class Sender:
    """One receiver. All but `post` is pure; `post(id, body, content type, now in microseconds)` never raises.

    To several addresses (the peers of an Alertmanager) a post goes to all of them, and the best answer counts.
    """

    receiver: ReceiverLocal
    words: Words
    post: Callable[[str, str, str, int], Answer]

    def render(self, notice: Notice) -> Rendered:
        """The body of a message."""
        if self.receiver.cloudevents:
            return webhook.render_event(notice, self.words)
        if self.receiver.kind not in MACHINES:
            notice = notice._replace(told=notice.told[:SHOWN], more=notice.more + len(notice.told[SHOWN:]))
        return RENDERERS[self.receiver.kind](notice, self.words)

    def alerts(self, told: Sequence[Told], now: int) -> list[Rendered]:
        """The bodies that say to an Alertmanager which episodes are open, and which are over, at `now` (microseconds)."""
        return alertmanager.render(told, self.words, now)

    def record(self, notice: Notice) -> Record:
        """The record of a topic."""
        body, content_type = self.render(notice)
        named = {"specversion": "1.0", **webhook.attributes(notice, self.words)}
        headers: Headers = [("content-type", content_type.encode()), *((f"ce_{name}", value.encode()) for name, value in named.items())]
        return Record(notice.group.encode(), body.encode(), headers)


def build(receiver: ReceiverLocal, semantics: Semantics, links: Links | None = None) -> Sender:
    """The sender of a receiver. Raises ConfigError for a URL or secret that cannot work."""
    specs = {spec.name: spec for spec in semantics.streams}
    words = Words(semantics.app, specs, links) if links else Words(semantics.app, specs)
    doors = [_door(receiver, url.reveal()) for url in receiver.urls]
    incident = receiver.kind == "pagerduty"
    signing = [] if incident else [signature.key(receiver.name, key) for key in receiver.keys]

    def post(message: str, body: str, content_type: str, now: int) -> Answer:
        sent = pagerduty.keyed(body, receiver.keys[0].reveal()) if incident else body.encode()
        headers = {"Content-Type": content_type, "User-Agent": AGENT, "Idempotency-Key": message}
        headers |= signature.headers(signing, message, now // 1_000_000, sent)
        return min((http.post(door, headers, sent) for door in doors), key=_badness)

    return Sender(receiver, words, post)


def _door(receiver: ReceiverLocal, url: str) -> http.Door:
    if receiver.kind == "alertmanager":
        url = url.rstrip("/") + alertmanager.PATH
    elif receiver.kind == "google_chat" and "messageReplyOption=" not in url:
        url += ("&" if "?" in url else "?") + google_chat.THREADED
    target = Target.parse(receiver.name, url)
    return http.Door.of(target, receiver.timeout, allow_private=receiver.allow_private)


def _badness(answer: Answer) -> int:
    """A peer that has it is enough; else one that may have it later counts more than one that refuses."""
    if 200 <= answer.status < 300:
        return 0
    return 1 if answer.status == 0 or answer.status >= 500 or answer.status in {408, 425, 429} else 2
