"""Signals to intents: what one receiver is to be told, fixed before anything is sent.

Signals of one stream and one window end are one message, however many series the same cause has moved. An intent's id follows
from the receiver, the group, and the episodes with their transitions, so the same decision has the same id for ever.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

import msgspec

from streamspc.model import Notice, Rendered

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

    from streamspc.model import ReceiverLocal, Signal

LISTED = 8  # episodes of a message that are told in full; a storm's others are a number


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """The record of `<app>.outbox` under key `<receiver>/<id>`. Times are microseconds; a settled intent keeps no body."""

    version: int = 1
    id: str
    receiver: str
    group: str  # "<stream>/<window end>"
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
        return f"{self.receiver}/{self.id}".encode()


def intents(
    signals: Iterable[Signal], receiver: ReceiverLocal, render: Callable[[Notice], Rendered], now: int, known: Container[str]
) -> list[Intent]:
    """The intents that these signals ask for at `now`, in the order of their groups; those whose id is `known` are left out."""
    groups: dict[tuple[str, int], list[Signal]] = {}
    for signal in signals:
        if notifies(signal, receiver):
            groups.setdefault((signal.stream, signal.end), []).append(signal)
    made: dict[str, Intent] = {}
    for (stream, end), members in groups.items():
        notice = _notice(receiver.name, stream, end, members)
        if notice.id in known or notice.id in made:
            continue
        body, content_type = render(notice)
        made[notice.id] = Intent(
            id=notice.id,
            receiver=receiver.name,
            group=f"{stream}/{end}",
            episodes=tuple(sorted({_subject(signal) for signal in members})),
            transition=notice.status,
            body=body,
            content_type=content_type,
            created=now,
            due=now,
        )
    return list(made.values())


def notifies(signal: Signal, receiver: ReceiverLocal) -> bool:
    """Is this receiver told of the signal? Updates, muted episodes and the end of the log are never messages."""
    if signal.muted or (receiver.streams and signal.stream not in receiver.streams):
        return False
    return signal.kind in {"open", "gap"} or (signal.kind == "resolve" and receiver.send_resolved)


def _notice(receiver: str, stream: str, end: int, signals: list[Signal]) -> Notice:
    """One message: what fires before what resolves, then by distance from the centre, then by name."""
    transitions = {(_subject(signal), signal.kind): signal for signal in signals}
    told = sorted(transitions.values(), key=lambda s: (s.kind == "resolve", -abs(s.z or 0.0), s.metric, s.segment))
    said = "\n".join((receiver, stream, str(end), *(f"{kind} {subject}" for subject, kind in sorted(transitions))))
    return Notice(
        id=hashlib.sha256(said.encode()).hexdigest()[:32],
        stream=stream,
        end=end,
        status="resolved" if told[0].kind == "resolve" else "firing",
        signals=tuple(told[:LISTED]),
        more=max(0, len(told) - LISTED),
    )


def _subject(signal: Signal) -> str:
    """The episode, or for a gap, which belongs to no episode, its stream and start."""
    return signal.episode or f"{signal.stream}/{signal.kind}/{signal.start}"
