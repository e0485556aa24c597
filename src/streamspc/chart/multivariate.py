"""Charts of several metrics together: Hotelling's T2 and MEWMA, a row of points a chart, with the share of each metric in a signal.

Definition: z is the vector of a window's metrics, each in its own sigma_t, so that unequal n is handled before;
Z_t = (1 - lambda) Z_(t-1) + lambda (z_t - centre), from 0; T2_t = (2 - lambda) / lambda  Z_t' S^-1 Z_t; a signal where T2 > limit.
Hotelling's chart is lambda = 1. A window in which any of the metrics is missing is no point, and makes Z older: (1 - lambda) Z.

Phase I are the first `baseline.windows` windows with all metrics in which none of them signals. `scatter` finds centre and S; the limit is
`design.expected_rate_mewma_limit` for as many windows as were kept, and for the part of the false alarms that a metric of its own
would have (`limits`). After a signal, and when an episode is over, the average begins at 0.

A row looks like that of a metric: value is T2, centre what T2 is on average (p), UCL the limit; there is no LCL. z is 3 sqrt(T2 / limit),
so that its limit is 3 whatever p is. A T2 chart signals as `shewhart`, a MEWMA as `ewma`. A signal says what each metric alone adds
to T2 (`scatter.alone`, of the average), and so which of them it was.

Prefer it for metrics that move together: it sees what breaks their correlation while each is within its own limits, and gives one alarm
instead of several. T2 for large breaks, MEWMA for small ones that last; its delay depends on the Mahalanobis distance of the shift alone.

Sources: Hotelling (1947); Lowry, Woodall, Champ & Rigdon (1992), A multivariate exponentially weighted moving average control chart,
Technometrics 34(1); Runger, Alt & Montgomery (1996) (contributions).
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from streamspc.chart import logarithm, scatter
from streamspc.chart.limits import arl0_of
from streamspc.chart.memory import Memory
from streamspc.chart.phase import together
from streamspc.chart.score import MOST_SIGMA
from streamspc.design import expected_rate_mewma_limit
from streamspc.model import ChartKind, Points
from streamspc.model.lanes import Lanes, chosen, join, take, under

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamspc.chart.bank import Bank
    from streamspc.model import Bools, Codes, Floats, Ints, MultivariateSpec, Statistics, StreamSpec

    Part = tuple[Sequence[str], Lanes]

Z_LIMIT = 3.0
MEMORY = "memory."


class Chart(NamedTuple):
    """One chart of p metrics, of all segments."""

    version: Codes  # [S] of the baseline, 0 while learning
    kept: Codes  # [S] windows that it was learnt from
    limit: Floats  # [S] nan until the first point that is judged
    centre: Floats  # [p, S]
    whiten: Floats  # [p, p, S]
    average: Floats  # [p, S]
    age: Codes  # [S] windows since T2 was last at most p
    former: Codes  # [S] version of the baseline that it takes the place of

    @classmethod
    def fresh(cls, p: int, segments: int) -> Chart:
        """The chart of segments that begin to learn."""
        codes = [np.zeros(segments, np.int32) for _ in range(4)]
        vectors = np.full((p, segments), np.nan), np.full((p, p, segments), np.nan), np.zeros((p, segments))
        return cls(codes[0], codes[1], np.full(segments, np.nan), *vectors, *codes[2:])

    def restarted(self, where: Bools) -> Chart:
        """The average from 0 at these segments [S]."""
        return self._replace(average=np.where(where, 0.0, self.average), age=np.where(where, 0, self.age).astype(np.int32))


class Multivariate:
    """The charts of `spec.multivariate` over the segments of a bank, which are always in the order of their names."""

    __slots__ = ("charts", "memories", "rows")
    rows: list[Ints]  # metrics of each chart
    charts: list[Chart]
    memories: list[Memory]

    @classmethod
    def load(cls, spec: StreamSpec, parts: Sequence[Part]) -> Multivariate:
        """What `save` or `fresh` made, at least one part, in the order of segment names. Raises ValueError where one comes twice."""
        charts = cls()
        names = [metric.name for metric in spec.metrics]
        charts.rows = [np.array([names.index(name) for name in one.metrics], np.int64) for one in spec.multivariate]
        segments, state = join([(names, {key: array for key, array in part.items() if MEMORY not in key}) for names, part in parts])
        charts.charts = [Chart(*(state[f"{at}.{name}"] for name in Chart._fields)) for at in range(len(charts.rows))]
        charts.memories = [
            Memory.load(segments, [(names, under(part, f"{at}.{MEMORY}")) for names, part in parts]) for at in range(len(charts.rows))
        ]
        return charts

    @staticmethod
    def fresh(spec: StreamSpec, segments: int) -> Lanes:
        """State of segments that begin to learn, as `save` makes it."""
        saved: Lanes = {}
        for at, one in enumerate(spec.multivariate):
            memory = Memory.fresh(spec.baseline.windows, len(one.metrics), segments).save(np.arange(segments))
            saved |= _named(at, Chart.fresh(len(one.metrics), segments)._asdict(), memory)
        return saved

    def save(self, wanted: Ints) -> Lanes:
        """Copies of the state of these segments (indices), for `load` with their names in the same order."""
        saved: Lanes = {}
        for at, (chart, memory) in enumerate(zip(self.charts, self.memories, strict=True)):
            saved |= _named(at, dict(zip(Chart._fields, take(chart, wanted), strict=True)), memory.save(wanted))
        return saved

    def restart(self, series: Bools) -> None:
        """Begin these series [V, S] again: an episode has ended."""
        if series.any():
            self.charts = [chart.restarted(where) for chart, where in zip(self.charts, series, strict=True)]

    def again(self, series: Bools) -> None:
        """Phase I of these series [V, S] begins now."""
        for at in np.flatnonzero(series.any(axis=1)).tolist():
            chart, where, p = self.charts[at], series[at], len(self.rows[at])
            fresh = Chart.fresh(p, len(where))._replace(former=np.maximum(chart.version, chart.former))
            self.charts[at] = Chart(*chosen(where, fresh, chart))
            self.memories[at].again(np.flatnonzero(where))


def _named(at: int, chart: Lanes, memory: Lanes) -> Lanes:
    return {f"{at}.{name}": array for name, array in chart.items()} | {f"{at}.{MEMORY}{name}": array for name, array in memory.items()}


def advance(spec: StreamSpec, bank: Bank, statistics: Statistics, points: Points) -> Points:
    """The points of a window with a row more for each chart of several metrics; `statistics` and `points` are those of the metrics [M, S].

    The metrics have learnt from the window already. `bank.together` is changed in place.
    """
    charts = bank.together
    arl0 = arl0_of(spec, bank.known or 0, bank.later, bank.partitions)
    told = []
    # Sigma as the memory has it: what is not known is in the limit of T2.
    statistics = replace(statistics, value=points.value)
    if len(bank.plan.logs):
        statistics = logarithm.scaled(bank.plan.logs, statistics)
    sigma = bank.baseline.sigma(statistics.n, statistics.extra, bank.fit.floor)
    z = np.clip((statistics.value - bank.baseline.centre) / sigma, -MOST_SIGMA, MOST_SIGMA)
    for at, (one, rows) in enumerate(zip(spec.multivariate, charts.rows, strict=True)):
        charts.charts[at] = chart = _limited(one, charts.charts[at], arl0, spec.baseline.windows)
        row, charts.charts[at] = _judge(one, chart, (points, z), rows)
        told.append(row)
        seen = replace(statistics, value=np.where(points.broken != 0, np.nan, statistics.value))
        due, learnt = charts.memories[at].add(rows, seen, bank.baseline)
        if len(due):
            charts.charts[at] = _learn(charts.charts[at], due, scatter.estimate(learnt, spec.baseline.screen))
    return _joined(spec, points, told)


class _Row(NamedTuple):
    """What one chart adds to the points: arrays [S] by name, and contributions [p, S] where it signals."""

    arrays: dict[str, npt.NDArray[Any]]
    contributions: Floats | None


def _limited(one: MultivariateSpec, chart: Chart, arl0: Floats, windows: int) -> Chart:
    """The chart with the limits of this window. Limits that have changed are a new version of the baseline."""
    limit = np.full(arl0.shape, np.nan)
    for kept in np.unique(chart.kept[chart.kept > 0]).tolist():
        for share in np.unique(arl0[chart.kept == kept]).tolist():
            limit[(arl0 == share) & (chart.kept == kept)] = limit_of(one, share, kept, windows)
    changed = (limit != chart.limit) & ~np.isnan(chart.limit)
    return chart._replace(limit=limit, version=chart.version + changed.astype(np.int32))


@lru_cache(maxsize=4096)
def limit_of(one: MultivariateSpec, arl0: float, kept: int, windows: int) -> float:
    """Limit of T2 after a Phase I of `windows`, of which so many were kept: what fewer mean for T2 they are taken to mean for a MEWMA."""
    if one.limit is not None:
        return one.limit
    p = len(one.metrics)
    fewer = expected_rate_mewma_limit(p, 1.0, kept, arl0) / expected_rate_mewma_limit(p, 1.0, windows, arl0)
    return round(expected_rate_mewma_limit(p, one.weight, windows, arl0) * fewer, 4)


def _judge(one: MultivariateSpec, chart: Chart, of_metrics: tuple[Points, Floats], rows: Ints) -> tuple[_Row, Chart]:
    """One window of one chart, and the chart after it. `of_metrics`: their points and distances in sigma [M, S]."""
    points, z = of_metrics
    p, weight = len(rows), one.weight
    there = np.logical_and.reduce(~np.isnan(points.value[rows]), axis=0)
    judged = there & (chart.version > 0)
    average = (1.0 - weight) * chart.average + np.where(judged, weight * (z[rows] - chart.centre), 0.0)
    scale = (2.0 - weight) / weight
    t2 = np.where(judged, scale * scatter.squared(scatter.whitened(chart.whiten, average)), np.nan)
    over = t2 > chart.limit
    age = np.where(t2 <= p, 0, chart.age + 1).astype(np.int32)
    bit, ewma = np.uint8(1 << list(ChartKind).index(one.kind)), one.kind is ChartKind.EWMA
    z, limit = Z_LIMIT * np.sqrt(t2 / chart.limit), np.where(judged, Z_LIMIT, np.nan)
    nothing = np.full(t2.shape, np.nan)
    arrays: dict[str, npt.NDArray[Any]] = dict.fromkeys(("sigma", "lcl", "cusum_up", "cusum_down", "cusum_limit"), nothing)
    arrays |= {"value": t2, "n": points.n[rows].min(axis=0), "centre": np.where(chart.version > 0, float(p), np.nan), "ucl": chart.limit}
    arrays |= {"z": z, "shewhart_limit": limit, "ewma": z if ewma else nothing}
    arrays |= dict.fromkeys(("ewma_limit", "ewma_width"), limit if ewma else nothing)
    arrays |= {"phase": together(there, chart.version, points.phase[rows]), "version": chart.version}
    arrays |= {"broken": over * bit, "side": over.astype(np.int8), "onset_lag": np.where(over & ewma, age - 1, 0).astype(np.int32)}
    contributions = None
    if over.any():
        contributions = np.full((p, len(over)), np.nan)
        contributions[:, over] = scale * scatter.alone(chart.whiten[:, :, over], average[:, over])
    return _Row(arrays, contributions), chart._replace(average=average, age=age).restarted(over)


def _learn(chart: Chart, due: npt.NDArray[np.int64], found: scatter.Scatter) -> Chart:
    """The chart with the baselines of the segments that are due. New arrays: published points share the old ones."""
    new = Chart(*take(chart, np.arange(len(chart.version))))
    new.version[due], new.kept[due] = new.former[due] + 1, found.kept
    new.centre[:, due], new.whiten[:, :, due] = found.centre, found.whiten
    return new.restarted(np.isin(np.arange(len(new.version)), due))


def _joined(spec: StreamSpec, points: Points, told: list[_Row]) -> Points:
    """The points with the rows of the charts behind those of the metrics."""
    stacked: dict[str, Any] = {
        name: np.concatenate([getattr(points, name), *(row.arrays[name][None] for row in told)]) for name in told[0].arrays
    }
    if points.rules is not None:
        stacked["rules"] = np.concatenate([points.rules, np.zeros((len(told), len(points.segments)), np.uint16)])
    if any(row.contributions is not None for row in told):
        empty = [np.full((len(one.metrics), len(points.segments)), np.nan) for one in spec.multivariate]
        stacked["contributions"] = np.concatenate(
            [none if row.contributions is None else row.contributions for row, none in zip(told, empty, strict=True)]
        )
    names = tuple(one.name for one in spec.multivariate)
    contributors = tuple((one.name, metric) for one in spec.multivariate for metric in one.metrics)
    return replace(points, metrics=(*points.metrics, *names), contributors=contributors, **stacked)
