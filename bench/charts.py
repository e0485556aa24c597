"""Charting beside the bare recursions in numpy: `python bench/charts.py [segments] [rounds] [windows]`.

Series in Phase II, one metric. A round takes each way in turn through the same windows, so that all of them meet the same machine;
figures are medians over the rounds, in CPU time of one core. The bare recursions have neither missing values, points, onsets nor run rules.
With limits of the textbooks about 1 % of the points signal, far more than anybody would want to hear of; with those of the false-alarm
budget next to none does. Decisions cost what signals. Last the state: bytes and seconds of a snapshot, and of its way back.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import TYPE_CHECKING

import numpy as np

from streamspc.chart import Bank, Window, advance
from streamspc.decide import Episodes, History, decide
from streamspc.flow import State
from streamspc.model import (
    BaselineSpec,
    ChartSpec,
    JudgeRule,
    MetricKind,
    MetricSpec,
    Rule,
    Semantics,
    Sources,
    Statistics,
    StreamSpec,
)
from streamspc.state import restore, save

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LEARN = 30
RULES = (Rule.WE2, Rule.WE4)
LIMITS = ChartSpec(shewhart_limit=3.0, cusum_h=5.0, ewma_limit=2.86)  # of the textbooks, so that about 1 % of the points signal
BUDGET = ChartSpec()
SOURCES = Sources(np.zeros(1, np.int64), np.zeros(1, np.int32), *(np.zeros(1, np.int64) for _ in range(3)))


class Product:
    """The charts as the product runs them; `decisions` says whether episodes and verdicts follow."""

    def __init__(self, segments: int, rules: tuple[Rule, ...] = (), limits: ChartSpec = LIMITS, *, decisions: bool = False) -> None:
        metric = MetricSpec(name="delay", kind=MetricKind.MEAN, field="delay", rules=rules, charts=limits)
        judge = (JudgeRule(metric="delay"),)
        self.spec = StreamSpec(name="bench", topic="bench", metrics=(metric,), baseline=BaselineSpec(windows=LEARN), judge_by=judge)
        self.bank, self.episodes, self.history = Bank.empty(self.spec), Episodes.empty(self.spec), History()
        names = [f"{i:06}" for i in range(segments)]
        self.bank.grow(names)
        self.episodes.grow(names)
        self.decisions, self.at = decisions, 0
        rng = np.random.default_rng(2)
        for _ in range(LEARN):
            self.window(window(rng, segments))
        self.bank.count()

    def window(self, now: Statistics) -> None:
        """One window."""
        self.at += 1
        points = advance(self.spec, self.bank, Window(self.at, self.at + 1, "bench", SOURCES), now, now.n[0])
        if self.decisions:
            self.history.add(self.at, SOURCES)
            decided = decide(self.spec, self.episodes, points, self.history)
            self.bank.restart(decided.over)


class Bare:
    """Shewhart, EWMA and CUSUM as anybody would write them down."""

    def __init__(self, segments: int) -> None:
        self.up, self.down, self.ewma, self.fade = np.zeros(segments), np.zeros(segments), np.zeros(segments), np.ones(segments)

    def window(self, now: Statistics) -> None:
        """One window."""
        z = (now.value[0] - 0.0) / np.sqrt(0.09 + 1.0 / now.n[0])
        self.up, self.down = np.maximum(0.0, self.up + z - 0.5), np.maximum(0.0, self.down - z - 0.5)
        self.ewma, self.fade = 0.8 * self.ewma + 0.2 * z, 0.64 * self.fade
        limit = 2.86 * np.sqrt((1.0 - self.fade) * (0.2 / 1.8))
        told = (np.abs(z) > 3.0) | (self.up > 5.0) | (self.down > 5.0) | (np.abs(self.ewma) > limit)
        for state, start in ((self.up, 0.0), (self.down, 0.0), (self.ewma, 0.0), (self.fade, 1.0)):
            state[told] = start


def window(rng: np.random.Generator, segments: int) -> Statistics:
    """Statistics of windows that are in control, which differ by more than their records explain."""
    n = rng.integers(20, 200, (1, segments))
    value = rng.normal(0, 0.3, n.shape) + rng.normal(0, 1, n.shape) / np.sqrt(n)
    return Statistics(value, n, np.ones(n.shape), np.zeros(n.shape))


def seconds(ways: Sequence[Callable[[Statistics], None]], segments: int, rounds: int, windows: int) -> list[float]:
    """CPU seconds a window, of each way."""
    rng = np.random.default_rng(1)
    spent: list[list[float]] = [[] for _ in ways]
    for _ in range(rounds):
        batch = [window(rng, segments) for _ in range(windows)]
        for way, times in zip(ways, spent, strict=True):
            begin = time.process_time()
            for now in batch:
                way(now)
            times.append((time.process_time() - begin) / windows)
    return [statistics.median(times) for times in spent]


def main(segments: int = 10_000, rounds: int = 7, windows: int = 60) -> None:
    """Print the figures."""
    ways = {
        "bare recursions in numpy": Bare(segments).window,
        "charts": Product(segments).window,
        "charts with two run rules": Product(segments, RULES).window,
        "charts and decisions": Product(segments, decisions=True).window,
        "charts, budget limits": Product(segments, limits=BUDGET).window,
        "the same and decisions": Product(segments, limits=BUDGET, decisions=True).window,
    }
    spent = seconds(list(ways.values()), segments, rounds, windows)
    print(f"{segments} series, million series-points a CPU second, median of {rounds} rounds:")
    for name, each in zip(ways, spent, strict=True):
        print(f"  {name:28}{segments / each / 1e6:7.1f}   {each / spent[0]:5.2f} times the bare time")
    many = 10 * segments
    charted, decided = Product(many, RULES), Product(many, RULES, decisions=True)
    bare, charts, decisions = seconds([Bare(many).window, charted.window, decided.window], many, rounds, 5)
    print(
        f"{many} series, CPU ms a window: bare {1e3 * bare:.1f}, with two run rules {1e3 * charts:.1f}, decisions too {1e3 * decisions:.1f}"
    )
    size, saving, restoring = state(decided, many)
    print(f"state of {many} series: {size:.0f} bytes each, saved in {saving:.2f} CPU s, restored in {restoring:.2f}")


def state(product: Product, segments: int) -> tuple[float, float, float]:
    """Bytes a series of a snapshot, and the CPU seconds to save and to restore it."""
    semantics = Semantics(app="bench", chart_partitions=1, streams=(product.spec,))
    fold = State.begin(semantics, 0)
    of = fold.streams[product.spec.name]
    of.bank, of.episodes, of.history = product.bank, product.episodes, product.history
    begin = time.process_time()
    records = save(fold, 1)
    saved = time.process_time()
    restore(semantics, 0, dict(records))
    return sum(len(value) for _, value in records) / segments, saved - begin, time.process_time() - saved


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
