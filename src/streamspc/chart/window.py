"""One closed window: statistics of all series become points, and the bank moves on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streamspc.chart import cusum, ewma, multivariate, rule_crossing, rules, scales, shewhart, stuck
from streamspc.chart.autocorrelation import Carry
from streamspc.chart.crossing import Spoken, sides, speak, write
from streamspc.chart.cusum import Cusum
from streamspc.chart.ewma import Ewma
from streamspc.chart.phase import without
from streamspc.chart.places import at, places, put
from streamspc.chart.rule_crossing import Rows
from streamspc.chart.rules import Asked
from streamspc.chart.score import score
from streamspc.model import ChartKind, Points, Rule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamspc.chart.bank import Bank
    from streamspc.chart.crossing import Sides
    from streamspc.chart.places import Places
    from streamspc.chart.plan import Plan
    from streamspc.chart.rules import Bits
    from streamspc.chart.scales import More
    from streamspc.chart.score import Score
    from streamspc.chart.stuck import Still
    from streamspc.model import Bools, Floats, Ints, Learnt, Sources, Statistics, StreamSpec

SHEWHART_BIT = np.uint8(1 << list(ChartKind).index(ChartKind.SHEWHART))
STUCK_BIT = rules.mask([Rule.STUCK])


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
    missing: Places  # where not
    score: Score
    cusum: Cusum
    over: Bools  # the CUSUM is beyond its limit
    ewma: Ewma
    ewma_limit: Floats
    rows: Rows | None  # of series that ask for run rules, if any do
    more: More | None  # further time scales, if there are any
    still: Still
    tied: Places  # series with the value of the window before


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
        phase=without(bank.fit.phase, now.missing, statistics.n.take(now.missing) * (not window.gap)),
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
    learnt = _learn(bank, replace(statistics, value=value) if window.gap else statistics, spoken, window.start)
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
    """The values that count, the charts with them, and what those and their run rules say; counters of the bank move."""
    shape = len(bank.plan.metrics), len(bank.segments)
    if statistics.value.shape != shape or records.shape != shape[1:]:
        raise ValueError(f"statistics {statistics.value.shape} and records {records.shape} do not fit a bank of {shape}")
    plan = bank.plan
    value = np.full(shape, np.nan) if window.gap else statistics.value
    nowhere = np.isnan(value)
    there, missing = ~nowhere, places(nowhere)
    scored = score(bank, replace(statistics, value=value) if window.gap else statistics)
    z = scored.z
    ewma = bank.ewma.step(z, missing, plan.ewma_lambda)
    limit = ewma.limit(plan.ewma_lambda, bank.limits.ewma)
    rows = _rows(bank, scored) if len(plan.ruled) else None
    more = scales.step(plan.more, bank.more, z, there) if plan.more.any() else None
    cusum = bank.cusum.step(z, missing, plan.cusum_k)
    still, tied = bank.still.step(value if len(plan.still) == shape[0] else value[plan.still])
    now = _Charts(there, missing, scored, cusum, cusum.beyond(bank.limits.cusum), ewma, limit, rows, more, still, tied)
    spoken = _speak(bank, now)
    if more is not None:
        scales.tell(
            plan,
            more,
            (bank.limits.more_cusum, bank.limits.more_ewma),
            spoken,
            (there, bank.fit.centre, scored.sigma / (1.0 - bank.baseline.phi)),
        )
    told = None if rows is None else _speak_rules(plan, rows, spoken)
    return value, now, spoken, _speak_stuck(bank, now, spoken, told)


def _rows(bank: Bank, scored: Score) -> Rows:
    """The run rules. They look at z alone, so that the law of a rule about order does not change with n."""
    ruled = bank.plan.ruled
    every = len(ruled) == len(bank.plan.metrics)  # then nothing is copied
    wanted = (scored.z, scored.distance, scored.sigma, bank.fit.centre, bank.baseline.phi, bank.limits.stretch, bank.limits.shewhart)
    z, distance, sigma, centre, phi, stretch, limit = wanted if every else [array[ruled] for array in wanted]
    if bank.fit.stretched:
        limit, z = limit / stretch, z / stretch
    runs, bits = rules.step(bank.runs, z, z, Asked(bank.plan.asked, limit))
    return Rows(runs, bits, z, distance, sigma, centre, phi, stretch, limit)


def _speak_rules(plan: Plan, rows: Rows, spoken: Spoken) -> Bits | None:
    """Add what the rules say to what the charts say. The rules that speak, [M, S]; None where none does."""
    told = rule_crossing.tell(plan, rows)
    if not told.rules.any():
        return None
    bits, signals = np.zeros(spoken.broken.shape, np.uint16), told.rules != 0
    broken, side, lag = at(spoken, told.series)
    first = signals & (broken & SHEWHART_BIT == 0)
    put(bits, told.series, told.rules)
    added = Spoken(broken | signals * SHEWHART_BIT, np.where(first, told.side, side), np.maximum(lag, told.lag))
    write(spoken, told.series, added)
    return bits


def _speak_stuck(bank: Bank, now: _Charts, spoken: Spoken, rules: Bits | None) -> Bits | None:
    """Add the series that are stuck to what the charts and `rules` say. All rules that speak, [M, S]; None where none does."""
    if not len(now.tied):
        return rules
    told, lags = stuck.tell(now.still, now.tied, bank.fit.stuck)
    if not len(told):
        return rules
    row, column = np.divmod(told, len(bank.segments))
    series = bank.plan.still[row] * len(bank.segments) + column
    bits = np.zeros(spoken.broken.shape, np.uint16) if rules is None else rules
    (broken, side, lag), [said], [z] = at(spoken, series), at([bits], series), at([now.score.z], series)
    put(bits, series, said | STUCK_BIT)
    first = broken & SHEWHART_BIT == 0
    write(spoken, series, Spoken(broken | SHEWHART_BIT, np.where(first, np.where(z < 0.0, -1, 1), side), np.maximum(lag, lags)))
    return bits


def _speak(bank: Bank, now: _Charts) -> Spoken:
    """What the charts say, [M, S]. Only series with a crossing cost more than three comparisons."""
    plan, limits = bank.plan, bank.limits
    crossed = shewhart.beyond(now.score.z, limits.shewhart) | now.over | now.ewma.beyond(now.ewma_limit)
    series = places(crossed & now.there)
    shape = crossed.shape
    spoken = Spoken(np.zeros(shape, np.uint8), np.zeros(shape, np.int8), np.zeros(shape, np.int32))
    if len(series):
        metric = series // shape[1]
        sigma, distance, z = at((now.score.sigma, now.score.distance, now.score.z), series)
        middle, limit, phi = at((bank.fit.centre, now.ewma_limit, bank.baseline.phi), series)
        lasting = sigma / (1.0 - phi)  # a shift that lasts shows in residuals by (1 - phi) of itself
        width, h = at((limits.shewhart, limits.cusum), series)
        crossings = (
            shewhart.crossing(z, distance, width, _first(bank, series)),
            cusum.crossing(now.cusum, series, plan.cusum_k[metric, 0], h, lasting),
            ewma.crossing(now.ewma, series, limit, lasting),
        )
        write(spoken, series, speak(plan, metric, crossings, middle, sigma))
    return spoken


def _first(bank: Bank, series: Places) -> Sides | None:
    """On which side the point before was, at q series of metrics that want a second point; ALONE at the others."""
    confirmed = bank.plan.confirmed
    if not len(confirmed):
        return None
    row = np.full(len(bank.plan.metrics), -1)
    row[confirmed] = np.arange(len(confirmed))
    metric, column = np.divmod(series, len(bank.segments))
    return np.where(row[metric] < 0, shewhart.ALONE, bank.unconfirmed.side[row[metric], column])


def _move(bank: Bank, now: _Charts, spoken: Spoken) -> None:
    """The charts that the next window begins with. At a signal of any of them, all charts of the series begin again."""
    told = spoken.broken != 0
    over, signals = places(now.over | told), places(told)
    bank.cusum = now.cusum.restarted(over, bank.plan.cusum_headstart) if len(over) else now.cusum
    bank.ewma = now.ewma.restarted(signals) if len(signals) else now.ewma
    if now.more is not None:
        bank.more = scales.restarted(bank.plan, now.more, bank.limits.more_cusum, told)
    if bank.fit.correlated:
        speaks = now.there & ~told & (bank.baseline.version > 0)
        bank.carry = Carry.of(now.score.alone, speaks)
    if len(confirmed := bank.plan.confirmed):
        side = sides(now.score.z[confirmed], bank.limits.shewhart[confirmed])
        bank.unconfirmed = shewhart.Unconfirmed(side).restarted(told[confirmed])
    bank.still = now.still.restarted(told[bank.plan.still]) if len(signals) and len(bank.plan.still) else now.still
    if now.rows is not None:
        every = len(bank.plan.ruled) == len(told)
        bank.runs = now.rows.runs.restarted(signals if every else places(told[bank.plan.ruled]))


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
