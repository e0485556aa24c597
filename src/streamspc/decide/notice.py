"""What one receiver is to be told: a notice of a group of episodes, and the intent that fixes it before anything is sent.

An intent's id follows from the receiver, the group, its first episode and the number of the message, so the same decision has the same
id for ever, and a group that comes again has others.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from streamspc.model import Notice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from streamspc.model import Rendered, Told

LISTED = 200  # episodes of a message that are told in full, to machines; a storm's others are a number


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """The record of `<app>.outbox` under key `<receiver>/message/<id>`. Times are microseconds; a settled intent keeps no body."""

    version: int = 1
    id: str
    receiver: str
    group: str
    episodes: tuple[str, ...]
    transition: Literal["firing", "resolved"]
    body: str
    content_type: str
    created: int
    due: int
    state: Literal["due", "sent", "dead"] = "due"
    reason: str = ""  # why it is dead

    @property
    def key(self) -> bytes:
        """The record's key."""
        return f"{self.receiver}/message/{self.id}".encode()


class Message(NamedTuple):
    """A notice, and all episodes that it is about, also those that it does not list."""

    notice: Notice
    episodes: tuple[str, ...]


def message(receiver: str, group: str, first: str, number: int, told: Iterable[Told]) -> Message:
    """One message: what fires before what resolves, the most urgent and most distant first, then by name."""
    ranks = {"critical": 0, "warning": 1, "info": 2}
    ordered = sorted(
        told,
        key=lambda t: (t.signal.kind == "resolve", ranks[t.labels.severity], -abs(t.signal.z or 0.0), t.labels.metric, t.labels.segment),
    )
    said = "\n".join((receiver, group, first, str(number)))
    notice = Notice(
        id=hashlib.sha256(said.encode()).hexdigest()[:32],
        group=group,
        status="resolved" if ordered[0].signal.kind == "resolve" else "firing",
        told=tuple(ordered[:LISTED]),
        more=max(0, len(ordered) - LISTED),
        number=number,
    )
    return Message(notice, tuple(sorted({one.labels.episode for one in ordered})))


def intent(receiver: str, found: Message, render: Callable[[Notice], Rendered], now: int) -> Intent:
    """The intent to send a message, from `now` on."""
    notice = found.notice
    body, content_type = render(notice)
    return Intent(
        id=notice.id,
        receiver=receiver,
        group=notice.group,
        episodes=found.episodes,
        transition=notice.status,
        body=body,
        content_type=content_type,
        created=now,
        due=now,
    )
