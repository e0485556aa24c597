"""The series of a stream in one chart partition as rows of metrics: arrays all the way, for there may be tens of thousands of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING, Any

import numpy as np

from streamspc.model import NO_POINT, ChartKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from streamspc.model import Bools, Floats, Ints, Points, StreamSpec

    Row = tuple[str, ...]
    Rows = tuple[str, Sequence[Row], Floats]

CHARTS = tuple(ChartKind)
BITS = np.arange(len(CHARTS), dtype=np.uint8)[:, None, None]


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """What is known of the series of the last points. Arrays are [M, S] in the points' columns; none is changed once it is here."""

    points: Points
    signalled: Ints  # [C, M, S] windows at which the chart signalled
    kept: npt.NDArray[np.bool_]  # [C, M] does the metric have this chart
    open: Bools  # is an episode open
    held: Floats  # until when (monotonic seconds) an episode that is over is still shown
    columns: npt.NDArray[np.intp]  # segments that are shown
    labels: dict[tuple[str, ...], list[Row]]  # of the shown series, by the labels behind them: made when they are first asked for

    @classmethod
    def born(cls, spec: StreamSpec, points: Points) -> Series:
        """Nothing has happened yet, and nothing is shown."""
        metrics, segments = points.value.shape
        together = {it.name: it.kind for it in spec.multivariate}
        kept = np.array([[together.get(name, chart) == chart for name in points.metrics] for chart in CHARTS])
        counts = np.zeros((len(CHARTS), metrics, segments), np.int64)
        none = np.zeros((metrics, segments), bool)
        return cls(points, counts, kept, none, np.full((metrics, segments), -np.inf), np.arange(0), {})

    def moved(self, segments: Sequence[str]) -> tuple[Ints, Floats]:
        """Counts and times in the columns of later points: segments are added, never taken away."""
        if self.points.segments == tuple(segments):
            return self.signalled.copy(), self.held.copy()
        at = places(self.points.segments, segments)
        counts = np.zeros((*self.signalled.shape[:2], len(segments)), np.int64)
        held = np.full((self.held.shape[0], len(segments)), -np.inf)
        counts[:, :, at], held[:, at] = self.signalled, self.held
        return counts, held

    def hidden(self) -> int:
        """How many series are not shown."""
        return len(self.points.metrics) * (len(self.points.segments) - len(self.columns))

    def rows(self, now: float) -> Iterator[Rows]:
        """Family, labels and values of all that is shown; numbers that are not there have no row."""
        points, judged = self.points, self.points.version > 0
        plain: dict[str, npt.NDArray[Any]] = {
            "spc_value": points.value,
            "spc_sample_size": points.n,
            "spc_center": points.centre,
            "spc_sigma": points.sigma,
        }
        plain["spc_phase"] = np.where(points.phase == NO_POINT, np.nan, points.phase + 1.0)
        plain["spc_baseline_version"] = points.version
        plain["spc_out_of_control"] = self.open | (self.held > now)
        for family, array in plain.items():
            yield self._rows(family, array)
        yield self._rows("spc_control_limit", points.lcl, "lcl")
        yield self._rows("spc_control_limit", points.ucl, "ucl")
        statistics = {"shewhart": points.z, "cusum_up": points.cusum_up, "cusum_down": points.cusum_down, "ewma": points.ewma}
        cusum = points.cusum_limit
        bounds = {"shewhart": points.shewhart_limit, "cusum_up": cusum, "cusum_down": cusum, "ewma": points.ewma_limit}
        for chart, statistic in statistics.items():
            yield self._rows("spc_statistic", np.where(judged, statistic, np.nan), chart)
            yield self._rows("spc_statistic_limit", np.where(judged, bounds[chart], np.nan), chart)
        for bit, chart in enumerate(CHARTS):
            kept = self.kept[bit][:, None]
            yield self._rows("spc_signal", np.where(judged & kept, points.broken >> bit & 1, np.nan), chart.value)
            yield self._rows("spc_violations_total", np.where(kept, self.signalled[bit], np.nan), chart.value)

    def _rows(self, family: str, array: npt.NDArray[np.generic], *more: str) -> Rows:
        values = array[:, self.columns].ravel().astype(np.float64)
        there, labels = np.isfinite(values), self._labels(more)
        return (family, labels, values) if there.all() else (family, list(compress(labels, there.tolist())), values[there])

    def _labels(self, more: tuple[str, ...]) -> list[Row]:
        found = self.labels.get(more)
        if found is None:
            segments = [self.points.segments[column] for column in self.columns.tolist()]
            stream = self.points.stream
            found = self.labels[more] = [(stream, metric, segment, *more) for metric in self.points.metrics for segment in segments]
        return found


def places(some: Sequence[str], segments: Sequence[str]) -> npt.NDArray[np.intp]:
    """Where some segments are among all."""
    at = {segment: column for column, segment in enumerate(segments)}
    return np.array([at[segment] for segment in some], np.intp)


def signals(points: Points) -> Ints:
    """[C, M, S] one where the chart signals at these points."""
    return (points.broken >> BITS & 1).astype(np.int64)
