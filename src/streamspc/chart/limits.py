"""Control limits of every series, from the false alarms that the stream is allowed.

The budget. `arl0` windows at risk hold one false episode in expectation, of the stream or (`per: series`) of each series. Expectations
add over series, whatever their dependence, so a stream's budget is split exactly. M metrics, and charts of several, that may signal, N
known segments besides the whole stream: each series has 1 / (M (N + 1)) of it, and with segments nine tenths of that.

Known are the `expected_segments` that were declared, or those that have charts as the stream's Phase I ends. Later ones share the tenth
that is left, evenly over chart partitions: room is made for N / 9 of them, so that each has the share of a known one; when they
are more the room doubles, and their limits widen. Limits that change are a new version of the baseline.

The limits. All charts that may signal run together and begin again together, so `design.bank_limits` finds the limits at which the *set*
signals once in the series' ARL0, or in 1 / 0.98 of it where the rule `stuck` has the rest. A chart that may not signal has the limit of
that ARL0 alone. A limit that somebody wrote stays as it is, and its chart has no part in the promise. Limits are rounded to four decimals,
far below what they mean, so that no machine's last bit decides.

Rejected: three sigma for everybody (with a thousand series three false alarms a window); adding the rates of charts that overlap.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from streamspc.chart import stuck
from streamspc.design import bank_limits
from streamspc.model import ChartKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamspc.model import Bools, ChartSpec, Floats, MetricSpec, StreamSpec

RESERVE = 0.1  # of the budget, for segments that come after the count
LEAST, MOST = 20.0, 1e11  # ARL0 of a series that limits are made for
BARE = 1e5  # ARL0 that a Shewhart chart alone may be asked for
SEGMENTS = 1e6  # by so many the budget may come to be divided
TABLE = 100.0  # the least ARL0 of sets whose design is a table
BARE_TEXT = (
    "its Shewhart chart alone would have to signal falsely once in {:.3g} windows, and nobody knows the tails of a metric so far out:"
    " add ewma or cusum to signal_by, or charts: {{shewhart: {{confirm: 2}}}}, or per: series"
)
TEXTBOOK = 3.0  # limit that the zones of run rules belong to

Sides = Literal["two", "upper", "lower"]
SIDES: dict[str, Sides] = {"both": "two", "up": "upper", "down": "lower"}


class Limits(NamedTuple):
    """Limits of all series, [M, S] each, in sigma of the chart's statistic."""

    shewhart: Floats
    cusum: Floats
    ewma: Floats  # L: times sigma_t
    stretch: Floats  # of the zones of run rules: 1, or as much as the limit of three sigma was moved
    arl0: Floats  # that the limits which nobody wrote were made for; 0 where all are written
    more_cusum: Floats  # [X, S] of further time scales
    more_ewma: Floats  # [Y, S]


def moved(before: Limits, now: Limits) -> Bools:
    """Where any limit has changed, [M, S]."""
    changed: Bools = (before.shewhart != now.shewhart) | (before.cusum != now.cusum) | (before.ewma != now.ewma)
    return changed


class Chosen(NamedTuple):
    """Limits of one series."""

    shewhart: float
    cusum: float
    ewma: float
    stretch: float
    arl0: float
    more_cusum: tuple[float, ...] = ()
    more_ewma: tuple[float, ...] = ()


def limits(spec: StreamSpec, known: int, later: Bools, partitions: int) -> Limits:
    """Limits of the segments of a bank, of which `later` [S] came after the known ones were counted."""
    rates = _known_arl0(spec, known), _later_arl0(spec, known, int(np.count_nonzero(later)), partitions)
    chosen = [[choose(metric, arl0) for metric in spec.metrics] for arl0 in rates]
    firsts = np.array([[one[:5] for one in ours] for ours in chosen]).transpose(2, 0, 1)  # [5, 2, M]
    more = (  # [2, X], [2, Y]
        np.array([[limit for one in ours for limit in one.more_cusum] for ours in chosen]),
        np.array([[limit for one in ours for limit in one.more_ewma] for ours in chosen]),
    )
    return Limits(*(np.where(later, late[:, None], early[:, None]) for early, late in (*firsts, *more)))


def arl0_of(spec: StreamSpec, known: int, later: Bools, partitions: int) -> Floats:
    """Windows for each false episode that one series of each segment [S] may have; arguments as for `limits`."""
    return np.where(later, _later_arl0(spec, known, int(np.count_nonzero(later)), partitions), _known_arl0(spec, known))


def divisor(spec: StreamSpec) -> int:
    """How many share the stream's false alarms, at least 1.

    Metrics that may signal by a chart whose limit follows from the budget, and charts of several metrics whose limit does.
    """
    metrics = sum(any(written(metric.charts, kind) is None for kind in metric.signal_by) for metric in spec.metrics)
    return max(1, metrics + sum(chart.limit is None for chart in spec.multivariate))


def _known_arl0(spec: StreamSpec, known: int) -> float:
    budget = spec.budget
    if budget.per == "series":
        return _within(budget.arl0)
    share = 1.0 - RESERVE if spec.segment_by else 1.0
    return _within(budget.arl0 * divisor(spec) * (known + 1) / share)


def _later_arl0(spec: StreamSpec, known: int, later: int, partitions: int) -> float:
    if spec.budget.per == "series":
        return _within(spec.budget.arl0)
    return _within(spec.budget.arl0 / RESERVE * divisor(spec) * partitions * room(known, later, partitions))


def room(known: int, later: int, partitions: int) -> int:
    """So many segments that come later divide the reserve of one chart partition.

    >>> [room(90, later, 1) for later in (0, 10, 11, 21)]
    [10, 10, 20, 40]
    """
    first = max(1, math.ceil(known * RESERVE / (1.0 - RESERVE) / partitions - 1e-9))
    return first << max(0, math.ceil(math.log2(max(later, 1) / first)))


def _within(arl0: float) -> float:
    return min(max(arl0, LEAST), MOST)


def written(charts: ChartSpec, kind: ChartKind) -> float | None:
    """The limit that somebody wrote for a chart."""
    limit: float | None = getattr(charts, "cusum_h" if kind is ChartKind.CUSUM else f"{kind}_limit")
    return limit


def undesigned(spec: StreamSpec) -> Iterator[tuple[int, str]]:
    """Metrics (by index) whose charts cannot keep the budget, and the cure. Segments still to be counted are taken for one."""
    declared = known(spec)
    arl0 = _known_arl0(spec, 1 if declared is None else declared)
    for index, metric in enumerate(spec.metrics):
        ours = [kind for kind in metric.signal_by if written(metric.charts, kind) is None]
        if ours == [ChartKind.SHEWHART] and arl0 > BARE and metric.charts.confirm == 1:
            yield index, BARE_TEXT.format(arl0)
            continue
        try:
            for rarest in (arl0, _within(SEGMENTS * arl0)):  # what has a design at both has one between
                choose(metric, rarest)
        except ValueError as error:
            yield index, str(error)


@lru_cache(maxsize=4096)
def choose(metric: MetricSpec, arl0: float) -> Chosen:
    """Limits of one series of a metric at this ARL0. Raises ValueError where its set of charts has no such design."""
    charts = metric.charts
    mine = [kind for kind in metric.signal_by if written(charts, kind) is None]
    arl0 = _within(arl0 / (1.0 - stuck.SHARE)) if stuck.asked(metric) else arl0
    together = _designed(metric, mine, arl0)

    def limit(kind: ChartKind) -> tuple[float, ...]:
        """Of the first chart of the kind, and of its further time scales."""
        found = together.get(kind) or _designed(metric, [kind], arl0, ruled=False)[kind]
        return (written(charts, kind) or round(found[0], 4), *(round(one, 4) for one in found[1:]))

    [shewhart], cusum, ewma = map(limit, ChartKind)
    stretch = shewhart / TEXTBOOK if metric.rules and ChartKind.SHEWHART in mine else 1.0
    return Chosen(shewhart, cusum[0], ewma[0], stretch, arl0 if mine else 0.0, cusum[1:], ewma[1:])


def _designed(metric: MetricSpec, kinds: list[ChartKind], arl0: float, *, ruled: bool = True) -> dict[ChartKind, tuple[float, ...]]:
    """Limits at which these charts together signal once in `arl0` points: of the first of each kind, and of its further time scales."""
    if not kinds:
        return {}
    charts, some = metric.charts, set(kinds)
    rules = tuple(rule.value for rule in metric.rules) if ruled and ChartKind.SHEWHART in some else ()
    cusum = (charts.cusum_k, *charts.cusum_scales) if ChartKind.CUSUM in some else ()
    ewma = (charts.ewma_lambda, *charts.ewma_scales) if ChartKind.EWMA in some else ()
    confirm = charts.confirm if ChartKind.SHEWHART in some else 1
    equation = len(cusum) + len(ewma) <= 1 and not rules and confirm == 1  # any other set needs the table
    answer = bank_limits(
        arl0 if equation else max(arl0, TABLE),
        shewhart=ChartKind.SHEWHART in some,
        cusum=cusum,
        ewma=ewma,
        sided=SIDES[metric.direction],
        headstart=charts.cusum_headstart,
        confirm=confirm,
        rules=rules,
    )
    told = {ChartKind.SHEWHART: (answer.shewhart or 0.0,), ChartKind.CUSUM: answer.cusum, ChartKind.EWMA: answer.ewma}
    return {kind: told[kind] for kind in kinds}


def known(spec: StreamSpec) -> int | None:
    """Segments, beside the whole stream's, that divide the budget, where nobody has to count them."""
    return spec.budget.expected_segments if spec.segment_by else 0
