"""What passes between the decision to notify and the world: labels, a notice, its rendering, and a receiver's answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from streamspc.model.verdicts import Signal


class Labels(NamedTuple):
    """What an episode is routed by. `window` is the start of the window that opened it, in microseconds; `owner` may be empty."""

    stream: str
    metric: str
    segment: str
    severity: str
    owner: str
    window: str
    episode: str


class Told(NamedTuple):
    """One episode of a message: its newest signal, and what was gathered since it opened."""

    signal: Signal
    labels: Labels
    course: tuple[float, ...] = ()  # z of its windows, the oldest first, as far as they were heard
    rejected: int = 0  # windows of it that were rejected


class Notice(NamedTuple):
    """One message to be: episodes of one group, the most distant first; `more` of them are not listed."""

    id: str
    group: str  # sixteen hex digits: the same for all messages that belong together
    status: Literal["firing", "resolved"]  # resolved: every episode of the group is over
    told: tuple[Told, ...]
    more: int = 0
    number: int = 1  # of the message in its group: more than one is an update

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams that it is about, by name."""
        return tuple(sorted({told.signal.stream for told in self.told}))

    @property
    def end(self) -> int:
        """End of its newest window, microseconds."""
        return max(told.signal.end for told in self.told)


class Rendered(NamedTuple):
    """The body of a message as it is stored and sent."""

    body: str
    content_type: str


class Answer(NamedTuple):
    """What a receiver said. Status 0: it said nothing, and `detail` says why, without any secret."""

    status: int
    retry_after: str | None = None  # the header as it came
    detail: str = ""
