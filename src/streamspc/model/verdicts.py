"""Records of the signals, verdicts and control topics."""

from __future__ import annotations

from typing import Literal

import msgspec

from streamspc.model.semantics import NEVER, WHOLE, Semantics


class Span(msgspec.Struct, frozen=True):
    """Source offsets of one partition, both ends included."""

    partition: int
    first: int
    last: int


class Contribution(msgspec.Struct, frozen=True):
    """A metric's share in a signal of several metrics together, from 0 to 1."""

    metric: str
    share: float


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """A change of an episode or a baseline: the record of `<app>.signals`. Times are microseconds; limits are in the metric's unit.

    `shift`: the episode has become a level shift that awaits a command. `baseline`: a command has made one, of `n` windows, which
    holds from the window at `start` on. `command`: an operator's command holds from the window at `start`, and changed `n` series here.
    """

    version: int = 1
    kind: Literal["open", "update", "shift", "resolve", "gap", "end", "baseline", "command"]
    stream: str
    config: str
    chart_partition: int = 0
    episode: str = ""
    metric: str = ""
    segment: str = WHOLE
    charts: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()  # run rules broken; the Shewhart chart is among the charts then
    side: Literal["up", "down", ""] = ""
    start: int = 0
    end: int = 0
    value: float | None = None
    n: int = 0
    centre: float | None = None
    sigma: float | None = None
    lcl: float | None = None
    ucl: float | None = None
    z: float | None = None
    shewhart_limit: float | None = None  # limits of the charts, in sigma of their statistic
    cusum_limit: float | None = None
    ewma_width: float | None = None
    opened: int = 0
    windows: int = 0
    onset: int = 0
    onset_sources: tuple[Span, ...] = ()
    sources: tuple[Span, ...] = ()
    baseline_version: int = 0
    contributions: tuple[Contribution, ...] = ()  # of a chart of several metrics, the largest first
    rejected: bool = False
    muted: bool = False
    provisional: bool = False  # of a baseline that promises nothing yet; it rejects nothing
    awaiting: bool = False  # the episode is a level shift, which awaits a command
    answer: Literal["", "accept", "reset", "learn"] = ""  # the command that it is due to, and its entry in control
    command: str = ""
    by: str = ""
    why: str = ""


class Rejection(msgspec.Struct, frozen=True, kw_only=True, tag="rejected"):
    """The verdict `rejected` for one window and segment. Everything that was not rejected was accepted."""

    version: int = 1
    stream: str
    config: str
    start: int
    end: int
    segment: str
    n: int
    metric: str
    chart: str
    value: float
    lcl: float | None = None
    ucl: float | None = None
    episode: str = ""


class Judged(msgspec.Struct, frozen=True, kw_only=True, tag="judged"):
    """The marker after the rejections of a window: this chart partition has judged `stream` up to `until`."""

    version: int = 1
    stream: str
    config: str
    start: int
    until: int
    frontier: int
    records: int = 0  # of the whole stream, where its segment lives in this partition; else 0
    rejections: int = 0
    unjudged: int = 0
    lifted: int = 0  # segments that are not rejected because their level shift awaits a command


class Configured(msgspec.Struct, frozen=True, kw_only=True, tag="configured"):
    """A version of the semantic configuration, holding from window start `since`; in control and copied to tallies and verdicts."""

    version: int = 1
    semantics: Semantics
    hash: str
    since: int = NEVER


class Counted(msgspec.Struct, frozen=True, kw_only=True, tag="counted"):
    """How many segments, the whole stream's apart, a chart partition charts as the stream's Phase I ends there.

    Each chart partition tells all of them, in their tallies logs: together the counts divide the stream's false alarms.
    """

    version: int = 1
    stream: str
    config: str
    chart_partition: int
    segments: int


class Override(msgspec.Struct, frozen=True, kw_only=True, tag="override"):
    """Windows of a stream that an operator has decided on: one entry in control, and a copy in each partition of verdicts.

    It is about windows that start from `since` on and before `until`; of which of them, `decide.override` says.
    """

    version: int = 1
    kind: Literal["open", "closed"]
    id: str
    config: str
    stream: str
    since: int = NEVER
    until: int
    by: str = ""
    why: str = ""
    at: int = 0  # microseconds of the operator's clock

    @property
    def text(self) -> str:
        """Who, and why."""
        return f"by {self.by or 'nobody named'}: {self.why or 'no reason given'}"


VerdictRecord = Rejection | Judged | Configured | Override
