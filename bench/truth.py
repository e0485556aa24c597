"""Promised and realised false alarms of the default configuration on simulated streams in control: `python bench/truth.py [share] [name]`.

Each cell simulates many series of one kind, as one bank of segments, through `chart.advance` and `decide` as the fold does:
Phase I, then windows at risk. Episodes divided by windows at risk is the realised rate; its standard error is that of a ratio
over series, which differ by what their Phase I made of them. A cell holds when the realised rate is within 10 % (and two
standard errors) of the promise. Cells of counts too small for that (`below`) attain the next possible rate below the promise,
which is printed as the product states it (`chart.attainable`), and hold when they do not exceed it. Windows of a provisional
baseline are not at risk. Exit code 1 when a cell does not hold.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streamspc.chart import Bank, Window, advance
from streamspc.chart.attainable import arl0
from streamspc.decide import Episodes, History, decide
from streamspc.model import BaselineSpec, Budget, MetricKind, MetricSpec, Sources, Statistics, StreamSpec

Floats = npt.NDArray[np.float64]
Draw = Callable[[int], Statistics]  # the window's number -> statistics [1, S]
World = Callable[[np.random.Generator, int], Draw]

HOUR = 3_600_000_000
ARL0 = 370.4
ATTAINED = 60  # series whose attainable rate is worked out
ROWLESS = Sources(np.zeros(0, np.int64), np.zeros(0, np.int32), *(np.zeros(0, np.int64) for _ in range(3)))


class Cell(NamedTuple):
    """One kind of stream with its Phase I."""

    name: str
    kind: MetricKind
    world: World
    learn: int
    below: bool = False  # the promise is an upper bound


class Told(NamedTuple):
    """What came of a cell, one number a series."""

    episodes: npt.NDArray[np.int64]
    risk: npt.NDArray[np.int64]
    attainable: float | None  # rate that whole numbers of hits allow, in expectation over the series

    def rate(self) -> tuple[float, float]:
        """Episodes per window at risk and its standard error."""
        rate = float(self.episodes.sum() / self.risk.sum())
        spread = self.episodes - rate * self.risk
        return rate, float(np.sqrt((spread**2).sum()) / self.risk.sum())


def of(value: Floats, n: npt.NDArray[np.int64] | int = 1, unit: Floats | float = 0.0) -> Statistics:
    """Statistics of one metric."""
    shape = (1, len(value))
    full = [np.broadcast_to(np.asarray(part), shape[1:]).reshape(shape) for part in (n, unit)]
    return Statistics(value.reshape(shape), full[0].astype(np.int64), full[1].astype(np.float64), np.zeros(shape))


def individuals(rng: np.random.Generator, series: int) -> Draw:
    """Sums, normal."""
    return lambda _: of(rng.normal(100.0, 3.0, series))


def normal(between: float) -> World:
    """Means of 50 to 200 normal records, with a variance between windows in units of that within."""

    def world(rng: np.random.Generator, series: int) -> Draw:
        def draw(_: int) -> Statistics:
            n = rng.integers(50, 201, series)
            value = rng.normal(10.0, 1.0, series) * math.sqrt(between / 100) + rng.normal(0.0, 1.0, series) / np.sqrt(n)
            return of(value, n, rng.chisquare(n - 1) / (n - 1))

        return draw

    return world


def autocorrelated(phi: float) -> World:
    """Sums, a stationary AR(1) of normal values."""

    def world(rng: np.random.Generator, series: int) -> Draw:
        last = [rng.normal(0.0, 1.0, series)]

        def draw(_: int) -> Statistics:
            last[0] = phi * last[0] + math.sqrt(1.0 - phi * phi) * rng.normal(0.0, 1.0, series)
            return of(100.0 + 3.0 * last[0])

        return draw

    return world


def counts(mean: float, share: float) -> World:
    """Numbers of records: Poisson about a gamma mean that varies by this share from window to window."""

    def world(rng: np.random.Generator, series: int) -> Draw:
        def draw(_: int) -> Statistics:
            about = mean if share == 0.0 else rng.gamma(share**-2, mean * share**2, series)
            n = rng.poisson(about, series)
            return of(n.astype(np.float64), n)

        return draw

    return world


def rates(n: int, p: float, rho: float) -> World:
    """Null rates of n records: beta-binomial."""

    def world(rng: np.random.Generator, series: int) -> Draw:
        def draw(_: int) -> Statistics:
            chance = np.full(series, p) if rho == 0.0 else rng.beta(p * (1 - rho) / rho, (1 - p) * (1 - rho) / rho, series)
            value = rng.binomial(n, chance) / n
            return of(value, n, value * (1.0 - value))

        return draw

    return world


def records(law: str, n: int) -> World:
    """Means of n skewed records."""

    def world(rng: np.random.Generator, series: int) -> Draw:
        def draw(_: int) -> Statistics:
            x = rng.standard_exponential((n, series)) if law == "exponential" else np.exp(rng.normal(0.0, 1.0, (n, series)))
            return of(x.mean(axis=0), n, x.var(axis=0, ddof=1) if n > 1 else 0.0)

        return draw

    return world


def seasonal(rng: np.random.Generator, series: int) -> Draw:
    """Sums with a shape of the week, three sigma high at its peaks."""
    hours = np.arange(168)
    day = np.sin(2 * math.pi * hours / 24) * np.where(hours < 120, 3.0, 1.0)
    return lambda at: of(100.0 + day[at % 168] + rng.normal(0.0, 1.0, series))


def cells() -> list[Cell]:
    """The streams."""
    found = []
    for m in (50, 200):
        found += [
            Cell("normal sums", MetricKind.SUM, individuals, m),
            Cell("normal means", MetricKind.MEAN, normal(0.0), m),
            Cell("normal means, windows differ", MetricKind.MEAN, normal(3.0), m),
            Cell("counts of 1e6, 2 % overdispersed", MetricKind.COUNT, counts(1e6, 0.02), m),
            Cell("counts of 100, Poisson", MetricKind.COUNT, counts(100.0, 0.0), m),
            Cell("rates, beta-binomial 1e5, rho 1e-4", MetricKind.NULL_RATE, rates(100_000, 0.01, 1e-4), m),
            Cell("rates, binomial 1e4 of .01", MetricKind.NULL_RATE, rates(10_000, 0.01, 0.0), m),
            Cell("rates of 1e4, p 1e-7", MetricKind.NULL_RATE, rates(10_000, 1e-7, 0.0), m, below=True),
            Cell("rates of 1e4, p 1e-4", MetricKind.NULL_RATE, rates(10_000, 1e-4, 0.0), m, below=True),
            Cell("counts of 2, Poisson", MetricKind.COUNT, counts(2.0, 0.0), m, below=True),
            Cell("AR(1) .6", MetricKind.SUM, autocorrelated(0.6), m),
            Cell("AR(1) .3", MetricKind.SUM, autocorrelated(0.3), m),
            Cell("means of 100, exponential", MetricKind.MEAN, records("exponential", 100), m),
            Cell("means of 100, lognormal", MetricKind.MEAN, records("lognormal", 100), m),
            Cell("lags of 100, exponential", MetricKind.LAG, records("exponential", 100), m),
            Cell("lags of 100, lognormal", MetricKind.LAG, records("lognormal", 100), m),
            Cell("single exponential values", MetricKind.SUM, records("exponential", 1), m, below=True),
            Cell("single lognormal values", MetricKind.SUM, records("lognormal", 1), m, below=True),
        ]
    found += [Cell(f"hour of week, {weeks} weeks", MetricKind.SUM, seasonal, 168 * weeks) for weeks in (4, 10)]
    return found


def run(cell: Cell, series: int, windows: int, seed: int = 1) -> Told:
    """Simulate a cell."""
    spec = StreamSpec(
        name="truth",
        topic="truth",
        window_us=HOUR,
        metrics=(MetricSpec(name="m", kind=cell.kind, field="f"),),
        baseline=BaselineSpec(windows=cell.learn),
        budget=Budget(arl0=ARL0, per="series"),
    )
    bank, episodes, history = Bank.empty(spec), Episodes.empty(spec), History()
    names = [f"{index:06}" for index in range(series)]
    bank.grow(names)
    episodes.grow(names)
    draw = cell.world(np.random.default_rng(seed), series)
    told, risk = np.zeros(series, np.int64), np.zeros(series, np.int64)
    for at in range(cell.learn + windows):
        statistics = draw(at)
        free = ~episodes.state.open[0] & (bank.baseline.doubt[0] == 0)  # nothing is promised of the others
        points = advance(spec, bank, Window(at * HOUR, (at + 1) * HOUR, "truth", ROWLESS), statistics, statistics.n[0])
        history.add(at * HOUR, ROWLESS)
        decided = decide(spec, episodes, points, history)
        bank.restart(decided.over)
        if at >= cell.learn:
            risk += free
            told += free & episodes.state.open[0]
    attained = [arl0(bank, (0, column), float(statistics.n[0, column])) for column in range(min(series, ATTAINED))]
    rates = [1.0 / one for one in attained if one is not None]
    return Told(told, risk, float(np.mean(rates)) if cell.below and rates else None)


def main(share: float = 1.0, only: str = "") -> int:
    """Print the table; 1 when a cell does not hold."""
    print(f"promise: one false episode in {ARL0:g} windows at risk of each series")
    broken = 0
    for cell in cells():
        if only not in cell.name:
            continue
        begin = time.process_time()
        heavy = " of 100, " in cell.name and cell.kind is not MetricKind.COUNT
        told = run(cell, int((600 if heavy else 2000) * share), int(ARL0 * (1 if heavy else 2)))
        rate, error = (ARL0 * part for part in told.rate())
        most = 1.0 if told.attainable is None else ARL0 * told.attainable
        holds = rate <= 1.1 * most + 2 * error and (cell.below or rate >= 0.9 - 2 * error)
        below = "" if told.attainable is None else f", attainable {most:.3f}"
        broken += not holds
        print(
            f"{cell.name:36} m {cell.learn:4}  realised / promised {rate:6.3f} +- {error:.3f}  {told.episodes.sum():6} episodes  "
            f"{'holds' if holds else 'FAILS'}{below}  {time.process_time() - begin:.1f} s",
            flush=True,
        )
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0, "".join(sys.argv[2:])))
