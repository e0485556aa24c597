"""What passes between the decision to notify and the world: a notice, its rendering, and a receiver's answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from streamspc.model.verdicts import Signal


class Notice(NamedTuple):
    """One message to be: signals of one stream and one window end, the most distant first; `more` of them are not listed."""

    id: str
    stream: str
    end: int  # window end, microseconds
    status: Literal["firing", "resolved"]  # resolved: every signal of it is
    signals: tuple[Signal, ...]
    more: int = 0


class Rendered(NamedTuple):
    """The body of a message as it is stored and sent."""

    body: str
    content_type: str


class Answer(NamedTuple):
    """What a receiver said. Status 0: it said nothing, and `detail` says why, without any secret."""

    status: int
    retry_after: str | None = None  # the header as it came
    detail: str = ""
