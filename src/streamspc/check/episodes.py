"""Episodes of a run, told from the signals that the fold puts out, as any reader of `<app>.signals` would tell them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from streamspc.model import Contribution, Span

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamspc.model import Floats, Points, Signal

    Series = tuple[str, str]  # metric, segment


class Episode(msgspec.Struct, kw_only=True):
    """One episode. `value` to `severity` are those of its worst window; times are microseconds."""

    id: str
    metric: str
    segment: str
    side: str
    charts: tuple[str, ...]  # that signalled in any of its windows
    rules: tuple[str, ...]  # run rules, likewise
    opened: int
    until: int  # end of the last window that signalled
    onset: int
    windows: int  # that signalled
    worst: int  # start of its worst window
    value: float | None
    n: int
    centre: float | None
    sigma: float | None
    lcl: float | None
    ucl: float | None
    z: float | None
    contributions: tuple[Contribution, ...]  # of a chart of several metrics
    severity: float
    baseline_version: int
    rejected: bool
    muted: bool
    provisional: bool  # all of its signals: nothing was promised of them
    level_shift: bool = False  # the daemon would reject no more, and await a command
    over: bool = False  # back in control before the end of the data
    sources: tuple[Span, ...]  # offsets that its windows came from; of a file, the numbers of its records from 1


class Mark(NamedTuple):
    """What a point has to do with an episode."""

    id: str
    later: bool  # not the episode's first window
    rejected: bool


NONE = Mark("", later=False, rejected=False)


class Book:
    """All episodes, and those that are open by series."""

    def __init__(self) -> None:
        self.all: list[Episode] = []
        self._open: dict[Series, Episode] = {}

    def take(self, points: Points, signals: Iterable[Signal], severity: Floats) -> dict[Series, Mark]:
        """Take the signals of one window; the marks of the series in an episode, the window in which it resolves included."""
        marks = {series: Mark(episode.id, later=True, rejected=False) for series, episode in self._open.items()}
        row = {name: at for at, name in enumerate(points.metrics)}
        column = {name: at for at, name in enumerate(points.segments)}
        for signal in signals:
            series = signal.metric, signal.segment
            if signal.kind == "shift":
                self._open[series].level_shift = True
                continue
            if signal.kind == "resolve":
                self._open.pop(series).over = True
                continue
            how = float(severity[row[signal.metric], column[signal.segment]])
            if signal.kind == "open":
                self._open[series] = _opened(signal, how)
                self.all.append(self._open[series])
            else:
                _updated(self._open[series], signal, how)
            marks[series] = Mark(signal.episode, later=signal.kind != "open", rejected=signal.rejected)
        return marks


def _worst(signal: Signal, severity: float) -> dict[str, object]:
    names = ("value", "n", "centre", "sigma", "lcl", "ucl", "z", "side", "contributions")
    return {"severity": severity, "worst": signal.start} | {name: getattr(signal, name) for name in names}


def _together(spans: Iterable[Span]) -> tuple[Span, ...]:
    """One span a partition, around all of it."""
    found: dict[int, Span] = {}
    for span in spans:
        known = found.get(span.partition, span)
        found[span.partition] = Span(span.partition, min(known.first, span.first), max(known.last, span.last))
    return tuple(found[partition] for partition in sorted(found))


def _opened(signal: Signal, severity: float) -> Episode:
    return msgspec.convert(
        {
            "id": signal.episode,
            "metric": signal.metric,
            "segment": signal.segment,
            "charts": signal.charts,
            "rules": signal.rules,
            "opened": signal.opened,
            "until": signal.end,
            "onset": signal.onset,
            "windows": signal.windows,
            "baseline_version": signal.baseline_version,
            "rejected": signal.rejected,
            "muted": signal.muted,
            "provisional": signal.provisional,
            "sources": _together(signal.sources),
        }
        | _worst(signal, severity),
        Episode,
    )


def _updated(episode: Episode, signal: Signal, severity: float) -> None:
    episode.until, episode.windows = signal.end, signal.windows
    episode.charts += tuple(chart for chart in signal.charts if chart not in episode.charts)
    episode.rules += tuple(rule for rule in signal.rules if rule not in episode.rules)
    episode.rejected |= signal.rejected
    episode.provisional &= signal.provisional
    episode.sources = _together((*episode.sources, *signal.sources))
    if severity > episode.severity:
        for name, value in _worst(signal, severity).items():
            setattr(episode, name, value)
