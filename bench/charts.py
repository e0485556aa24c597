"""Series-points a second of charting, all series in Phase II: `python bench/charts.py [segments] [windows]`."""

from __future__ import annotations

import sys
import time

import numpy as np

from streamspc.chart import Bank, Window, advance
from streamspc.decide import Episodes, History, decide
from streamspc.model import BaselineSpec, JudgeRule, MetricKind, MetricSpec, Sources, Statistics, StreamSpec

LEARN = 30


def main(segments: int = 10_000, windows: int = 300) -> None:
    """Print the speed of `advance`, and of `decide` beside it."""
    spec = StreamSpec(
        name="bench",
        topic="bench",
        metrics=(MetricSpec(name="delay", kind=MetricKind.MEAN, field="delay"),),
        baseline=BaselineSpec(windows=LEARN),
        judge_by=(JudgeRule(metric="delay"),),
    )
    bank, episodes, history = Bank.empty(spec), Episodes.empty(spec), History()
    names = [f"{i:06}" for i in range(segments)]
    bank.grow(names)
    episodes.grow(names)
    rng = np.random.default_rng(1)
    sources = Sources(np.zeros(1, np.int64), np.zeros(1, np.int32), *(np.zeros(1, np.int64) for _ in range(3)))
    charted = decided = 0.0
    told = 0
    for at in range(LEARN + windows):
        n = rng.integers(20, 200, (1, segments))
        value = rng.normal(0, 0.3, n.shape) + rng.normal(0, 1, n.shape) / np.sqrt(n)
        statistics = Statistics(value, n, np.ones(n.shape), np.zeros(n.shape))
        begin = time.process_time()
        points = advance(spec, bank, Window(at, at + 1, "bench", sources), statistics, n[0])
        middle = time.process_time()
        history.add(at, sources)
        signals = len(decide(spec, episodes, points, history).signals)
        if at >= LEARN:
            charted += middle - begin
            decided += time.process_time() - middle
            told += signals
    rate = segments * windows / 1e6
    print(f"charts: {segments} series, {windows} windows: {rate / charted:.1f}M series-points a CPU second")
    print(f"charts and decisions: {rate / (charted + decided):.1f}M, with {told} signals")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
