"""What a run found: series, windows, episodes, gaps."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streamspc.check.baselines import estimated
from streamspc.check.episodes import Book, Episode
from streamspc.check.severity import Scale
from streamspc.model import ChartKind, Phase, Signal, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streamspc.check.baselines import Estimated
    from streamspc.check.episodes import Mark
    from streamspc.flow import Outputs
    from streamspc.model import Floats, Ints, MetricSpec, Points, StreamSpec


MONITORING = list(Phase).index(Phase.MONITORING)


class Series(NamedTuple):
    """One series, and how many points it had."""

    metric: str
    segment: str
    learning: int
    monitoring: int
    too_few: int  # windows with records, but too few of them for a value
    provisional: int  # charted before the evidence sufficed


class Attainable(NamedTuple):
    """Windows for each false alarm of a series of few hits: as promised, and as whole numbers of hits allow."""

    metric: str
    segment: str
    promised: float
    attainable: float | None  # None: it cannot signal falsely


class Seen(NamedTuple):
    """A window's points with what check adds to them."""

    points: Points
    severity: Floats
    marks: dict[tuple[str, str], Mark]


class Report:
    """Takes the outputs of the fold, one after the other, and remembers what a summary needs."""

    def __init__(self, spec: StreamSpec, *, of_topic: bool = False) -> None:
        self.spec = spec
        self.of_topic = of_topic  # and not of a file: people are told offsets
        self.windows = 0
        self.judged = 0  # windows with a point of Phase II
        self.first: int | None = None  # start of the first window
        self.last: int | None = None  # of the last one
        self.end: int | None = None  # its end
        self.gaps: list[tuple[int, int]] = []
        self.baselines: list[Estimated] = []
        self.rejected = 0  # windows, counted for each segment that is rejected
        self.counts: dict[str, int] = {}  # of the fold: late_after_close, segment_limit
        self._book = Book()
        self._scale = Scale.of(spec)
        self.attainable: list[Attainable] = []  # of series of few hits, where somebody asked for it
        self._segments: tuple[str, ...] = ()
        self._records: Ints = np.zeros((len(spec.series), 0), np.int64)  # behind points of Phase II
        self._points: Ints = np.zeros((len(Phase), len(spec.series), 0), np.int64)

    def take(self, out: Outputs) -> Iterator[Seen]:
        """Take one output; what is yielded are its windows with points, in the order of time."""
        by_start: dict[int, list[Signal]] = defaultdict(list)
        for signal in out.signals:
            if signal.kind == "gap":
                self.gaps.append((signal.start, signal.end))
            elif signal.kind != "end":
                by_start[signal.start].append(signal)
        self.rejected += sum(hasattr(verdict, "segment") for verdict in out.verdicts)
        for points in out.points:
            self._count(points)
            self.baselines.extend(estimated(points))
            severity = self._scale.severity(points)
            yield Seen(points, severity, self._book.take(points, by_start[points.start], severity))

    @property
    def episodes(self) -> list[Episode]:
        """All episodes, as they opened."""
        return self._book.all

    def places(self, spans: Iterable[Span]) -> str:
        """Where records are, for people."""
        told = [(f"{s.first} to {s.last}" if s.last > s.first else f"{s.first}", s) for s in spans]
        if self.of_topic:
            return " and ".join(f"partition {s.partition} offset{'s' * (s.last > s.first)} {at}" for at, s in told) or "no records"
        return " and ".join(f"record{'s' * (s.last > s.first)} {at}" for at, s in told) or "no records"

    def series(self) -> list[Series]:
        """All series, by metric and segment."""
        by_phase = self._points.tolist()
        return [
            Series(name, segment, *(points[m][s] for points in by_phase))
            for m, name in enumerate(self.spec.series)
            for s, segment in enumerate(self._segments)
        ]

    def expected(self) -> float | None:
        """False episodes that the promise allows for as much data, had nothing changed; None where no limit is part of a promise."""
        if not any(limit is None for metric in self.spec.metrics for limit in _limits(metric)):
            return None
        budget = self.spec.budget
        return (self.points(Phase.MONITORING) if budget.per == "series" else self.judged) / budget.arl0

    def sizes(self) -> Floats:
        """Mean records of the points of Phase II, [M, S]; nan where there are none."""
        judged = self._points[MONITORING]
        return np.asarray(np.where(judged > 0, self._records, np.nan) / np.maximum(judged, 1))

    def provisional(self) -> list[Estimated]:
        """The newest baseline of each series, by metric and segment, where it is provisional."""
        newest = {(one.metric, one.segment): one for one in self.baselines}
        return [newest[name] for name in sorted(newest) if newest[name].provisional]

    def points(self, phase: Phase) -> int:
        """Points of that phase."""
        return int(self._points[list(Phase).index(phase)].sum())

    def _count(self, points: Points) -> None:
        if points.segments != self._segments:
            column = {name: at for at, name in enumerate(points.segments)}
            grown = np.zeros((len(Phase), len(points.metrics), len(points.segments)), np.int64)
            grown[..., [column[name] for name in self._segments]] = self._points
            records = np.zeros(grown.shape[1:], np.int64)
            records[:, [column[name] for name in self._segments]] = self._records
            self._segments, self._points, self._records = points.segments, grown, records
        for code in range(len(Phase)):
            self._points[code] += points.phase == code
        self._records += points.n * (points.phase == MONITORING)
        self.windows += not points.gap
        self.judged += bool((points.phase == MONITORING).any())
        self.first = points.start if self.first is None else self.first
        self.last, self.end = points.start, points.end
        self.counts = dict(points.counts)


def _limits(metric: MetricSpec) -> list[float | None]:
    """Limits of the charts that may signal."""
    charts = metric.charts
    by = {ChartKind.SHEWHART: charts.shewhart_limit, ChartKind.CUSUM: charts.cusum_h, ChartKind.EWMA: charts.ewma_limit}
    return [by[kind] for kind in metric.signal_by]
