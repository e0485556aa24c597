"""One closed window: statistics of all series become points, and the bank moves on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streamspc.chart import cusum, ewma, multivariate, rule_crossing, rules, scales, shewhart
from streamspc.chart.autocorrelation import Carry
from streamspc.chart.crossing import Spoken, at, speak
from streamspc.chart.cusum import Cusum
from streamspc.chart.ewma import Ewma
from streamspc.chart.phase import phases
from streamspc.chart.places import places
from streamspc.chart.rule_crossing import Rows
from streamspc.chart.rules import Asked
from streamspc.chart.score import score
from streamspc.model import ChartKind, Points

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamspc.chart.bank import Bank
    from streamspc.chart.crossing import Sides
    from streamspc.chart.learning import Series
    from streamspc.chart.plan import Plan
    from streamspc.chart.rules import Bits
    from streamspc.chart.scales import More
    from streamspc.chart.score import Score
    from streamspc.model import Bools, Floats, Ints, Learnt, Sources, Statistics, StreamSpec

SHEWHART_BIT = 1 << list(ChartKind).index(ChartKind.SHEWHART)
EWMA_BIT = 1 << list(ChartKind).index(ChartKind.EWMA)


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """What points say of the window itself. A window with `gap` > 0 stands for that many empty ones and has no points."""

    start: int
    end: int
    config: str
    sources: Sources
    counts: Mapping[str, int] = field(default_factory=dict)
    gap: int = 0


class _Charts(NamedTuple):
    """The charts of all series [M, S] with this window's point, before any restart."""

    there: Bools
    score: Score
    cusum: Cusum
    over: Bools  # the CUSUM is beyond its limit
    ewma: Ewma
    ewma_limit: Floats
    rows: Rows | None  # of series that ask for run rules, if any do
    more: More | None  # further time scales, if there are any


def advance(spec: StreamSpec, bank: Bank, window: Window, statistics: Statistics, records: Ints) -> Points:
    """Chart one window: `statistics` [M, S] and `records` [S] in the order of `bank.segments`. Windows come in the order of time.

    Where the value is nan (everywhere in a gap) there is no point: see `phase`; nothing signals. A series learns
    from its first `baseline.windows` points, which have no limits. Raises ValueError where the shapes do not fit the bank.
    """
    value, now, spoken, told = _evaluate(bank, window, statistics, records)
    points = Points(
        stream=spec.name,
        config=window.config,
        start=window.start,
        end=window.end,
        metrics=bank.plan.metrics,
        segments=bank.segments,
        records=records,
        value=value,
        n=statistics.n,
        phase=phases(bank, now.there, statistics.n * (not window.gap)),
        broken=spoken.broken,
        side=spoken.side,
        onset_lag=spoken.lag,
        version=bank.baseline.version,
        sources=window.sources,
        counts=window.counts,
        gap=window.gap,
        rules=told,
        **_shown(bank, now),  # type: ignore[arg-type]  # floats, all of them
    )
    _move(bank, now, spoken)
    learnt = _learn(bank, replace(statistics, value=value), spoken, window.start)
    if learnt is not None:
        points = replace(points, learnt=learnt)
    return multivariate.advance(spec, bank, statistics, points) if spec.multivariate else points


def _shown(bank: Bank, now: _Charts) -> dict[str, Floats]:
    """Statistics and limits of all charts, as points show them."""
    limits, score = bank.limits, now.score
    charts = {"cusum_up": now.cusum.value[0], "cusum_down": now.cusum.value[1], "ewma": now.ewma.value, "ewma_limit": now.ewma_limit}
    widths = {"shewhart_limit": limits.shewhart, "cusum_limit": limits.cusum, "ewma_width": limits.ewma}
    return {"centre": score.centre, "sigma": score.sigma, "lcl": score.lcl, "ucl": score.ucl, "z": score.z} | charts | widths


def _evaluate(bank: Bank, window: Window, statistics: Statistics, records: Ints) -> tuple[Floats, _Charts, Spoken, Bits | None]:
    """The values that count, the charts with them, and what those and their run rules say; the bank is as before."""
    shape = len(bank.plan.metrics), len(bank.segments)
    if statistics.value.shape != shape or records.shape != shape[1:]:
        raise ValueError(f"statistics {statistics.value.shape} and records {records.shape} do not fit a bank of {shape}")
    plan = bank.plan
    value = np.full(shape, np.nan) if window.gap else statistics.value
    there = ~np.isnan(value)
    scored = score(bank, replace(statistics, value=value))
    z = scored.z
    ewma = bank.ewma.step(z, there, plan.ewma_lambda)
    limit = ewma.limit(plan.ewma_lambda, bank.limits.ewma)
    rows = _rows(bank, there, scored) if len(plan.ruled) else None
    more = scales.step(plan.more, bank.more, z, there) if plan.more.any() else None
    cusum = bank.cusum.step(z, there, plan.cusum_k)
    now = _Charts(there, scored, cusum, cusum.beyond(bank.limits.cusum), ewma, limit, rows, more)
    spoken = _speak(bank, now)
    if more is not None:
        scales.tell(
            plan,
            more,
            (bank.limits.more_cusum, bank.limits.more_ewma),
            spoken,
            (there, bank.baseline.centre, scored.sigma / (1.0 - bank.baseline.phi)),
        )
    return value, now, spoken, None if rows is None else _speak_rules(plan, rows, spoken)


def _rows(bank: Bank, there: Bools, scored: Score) -> Rows:
    """The run rules. They look at z alone, so that the law of a rule about order does not change with n."""
    ruled = bank.plan.ruled
    every = len(ruled) == len(bank.plan.metrics)  # then nothing is copied
    wanted = (scored.z, scored.distance, scored.sigma, bank.limits.stretch, bank.limits.shewhart, bank.baseline.centre, bank.baseline.phi)
    z, distance, sigma, stretch, limit, centre, phi = (array if every else array[ruled] for array in wanted)
    limit = limit / stretch
    z = z / stretch
    runs, bits = rules.step(bank.runs, z, z, there[ruled], Asked(bank.plan.asked, limit))
    return Rows(runs, bits, z, distance, sigma, sigma / (1.0 - phi), centre, stretch, limit)


def _speak_rules(plan: Plan, rows: Rows, spoken: Spoken) -> Bits | None:
    """Add what the rules say to what the charts say. The rules that speak, [M, S]; None where none does."""
    told = rule_crossing.tell(plan, rows)
    if not told.rules.any():
        return None
    series = plan.ruled[told.series[0]], told.series[1]
    bits, signals = np.zeros(spoken.broken.shape, np.uint16), told.rules != 0
    bits[series] = told.rules
    first = signals & (spoken.broken[series] & SHEWHART_BIT == 0)
    spoken.side[series] = np.where(first, told.side, spoken.side[series])
    spoken.lag[series] = np.maximum(spoken.lag[series], told.lag)
    spoken.broken[series] |= signals.astype(np.uint8) * np.uint8(SHEWHART_BIT)
    return bits


def _speak(bank: Bank, now: _Charts) -> Spoken:
    """What the charts say, [M, S]. Only series with a crossing cost more than three comparisons."""
    plan, limits = bank.plan, bank.limits
    crossed = shewhart.beyond(now.score.z, limits.shewhart) | now.over | now.ewma.beyond(now.ewma_limit)
    series = places(crossed & now.there)
    shape = crossed.shape
    spoken = Spoken(np.zeros(shape, np.uint8), np.zeros(shape, np.int8), np.zeros(shape, np.int32))
    metric = series[0]
    if len(metric):
        _, sigma, distance, z, *_ = at(now.score, series)
        middle, limit, phi = at((bank.baseline.centre, now.ewma_limit, bank.baseline.phi), series)
        lasting = sigma / (1.0 - phi)  # a shift that lasts shows in residuals by (1 - phi) of itself
        width, h = at((limits.shewhart, limits.cusum), series)
        crossings = (
            shewhart.crossing(z, distance, width, _first(bank, series)),
            cusum.crossing(Cusum(*at(now.cusum, series)), plan.cusum_k[metric, 0], h, lasting),
            ewma.crossing(Ewma(*at(now.ewma, series)), limit, lasting),
        )
        told = speak(plan, metric, crossings, middle, sigma)
        spoken.broken[series], spoken.side[series], spoken.lag[series] = told
    return spoken


def _first(bank: Bank, series: Series) -> Sides | None:
    """On which side the point before was, at q series of metrics that want a second point; ALONE at the others."""
    confirmed = bank.plan.confirmed
    if not len(confirmed):
        return None
    row = np.full(len(bank.plan.metrics), -1)
    row[confirmed] = np.arange(len(confirmed))
    at = row[series[0]]
    return np.where(at < 0, shewhart.ALONE, bank.unconfirmed.side[at, series[1]])


def _move(bank: Bank, now: _Charts, spoken: Spoken) -> None:
    """The charts that the next window begins with. At a signal of any of them, all charts of the series begin again."""
    told = spoken.broken != 0
    bank.cusum = now.cusum.restarted(now.over | told, bank.plan.cusum_headstart)
    bank.ewma = now.ewma.restarted(told)
    if now.more is not None:
        bank.more = scales.restarted(bank.plan, now.more, bank.limits.more_cusum, told)
    if bank.fit.correlated:
        speaks = now.there & ~told & (bank.baseline.version > 0)
        bank.carry = Carry(np.where(speaks, now.score.alone, 0.0), speaks)
    if len(confirmed := bank.plan.confirmed):
        side = shewhart.sides(now.score.z[confirmed], bank.limits.shewhart[confirmed])
        bank.unconfirmed = shewhart.Unconfirmed(side).restarted(told[confirmed])
    if now.rows is not None:
        bank.runs = now.rows.runs.restarted(told if len(bank.plan.ruled) == len(told) else told[bank.plan.ruled])


def teach(bank: Bank, statistics: Statistics, start: int) -> None:
    """Learn from a window of the past. [M, S]; it is not charted, and series that have a firm baseline learn nothing."""
    shape = statistics.value.shape
    _learn(bank, statistics, Spoken(np.zeros(shape, np.uint8), np.zeros(shape, np.int8), np.zeros(shape, np.int32)), start)


def _learn(bank: Bank, statistics: Statistics, spoken: Spoken, start: int) -> Learnt | None:
    """Phase I: remember the window; series that have seen enough get their baseline, and charts at zero. What was estimated, if any was."""
    if not len(bank.columns):
        return None
    teaches = bank.learning.unsettled(bank.baseline, bank.columns) & (spoken.broken[:, bank.columns] == 0)
    due = bank.learning.due(bank.plan.baseline.windows, bank.learning.add(statistics, start, bank.columns, teaches))
    if not len(due[0]):
        return None
    bank.baseline, learnt = bank.learning.freeze(bank.plan, bank.baseline, bank.columns, due, bank.limits.arl0 > 0.0)
    ready = np.zeros(bank.baseline.version.shape, bool)
    ready[learnt.metric, learnt.segment] = True
    bank.refit()
    bank.restart(ready)
    bank.graduate()
    return learnt
