"""What tests of charts and decisions share: a builder of banks with their windows, and one series told again in plain Python."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from plain_baseline import Learnt, Row, learn, score
from ruling import Pattern, patterns
from streamspc.chart import Bank, Window, advance
from streamspc.chart.phase import phases
from streamspc.chart.sigma import floor
from streamspc.model import ChartKind, ChartSpec, MetricKind, MetricSpec, Points, Rule, Sources, Statistics, StreamSpec

ROWLESS = Sources(np.zeros(0, np.int64), np.zeros(0, np.int32), *(np.zeros(0, np.int64) for _ in range(3)))
RUNS = {Rule.WE4, Rule.NELSON2, Rule.RUN7}  # rules whose shift is a mean over points
TEXTBOOK = ChartSpec(shewhart_limit=3.0, cusum_h=5.0, ewma_limit=2.85934)


def metric(name="m", kind=MetricKind.MEAN, **settings: Any) -> MetricSpec:
    """A metric; all three charts may signal, at textbook limits, unless told otherwise."""
    return MetricSpec(name=name, kind=kind, **{"signal_by": tuple(ChartKind), "charts": TEXTBOOK, **settings})


def stream(*metrics: MetricSpec, **settings: Any) -> StreamSpec:
    """A stream of these metrics."""
    return StreamSpec(name="s", topic="t", metrics=metrics, **settings)


def sources(start: int, partition: int = 0, first: int = 0, last: int = 9) -> Sources:
    """One row: this window, from one partition."""
    one = (np.array([number], np.int64) for number in (start, first, last, last - first + 1))
    begin, low, high, records = one
    return Sources(begin, np.array([partition], np.int32), low, high, records)


def step(spec: StreamSpec, bank: Bank, at: int, value: Any, *, n: Any = 1, unit: Any = 0.0, extra: Any = 0.0, **window: Any) -> Points:
    """Chart one window [M, S]; numbers are broadcast. Window `at` starts at 100 * at."""
    shape = len(spec.metrics), len(bank.segments)
    numbers = [np.broadcast_to(np.asarray(array, np.float64), shape).copy() for array in (value, unit, extra)]
    count = np.broadcast_to(np.asarray(n, np.int64), shape).copy()
    window = {"sources": sources(100 * at), **window}
    return advance(
        spec, bank, Window(100 * at, 100 * at + 100, "c", **window), Statistics(numbers[0], count, numbers[1], numbers[2]), count[0].copy()
    )


def known(spec: StreamSpec, names: list[str], centre: float = 0.0, between: float = 1.0, unit: float = 0.0) -> Bank:
    """A bank whose series are in Phase II with these parameters, charts at zero."""
    bank = Bank.empty(spec)
    bank.grow(names)
    at = bank.baseline
    at.centre[:], at.between[:], at.unit[:], at.version[:] = centre, between, unit, 1
    everywhere = np.ones(bank.baseline.version.shape, bool)
    bank.fit = bank.fit._replace(floor=floor(at.centre), phase=phases(at))  # but for these the fit of series that learn: nothing is widened
    bank.restart(everywhere)
    bank.graduate()
    return bank


@dataclass
class Plain:
    """One series, one number at a time, from the definitions alone."""

    metric: MetricSpec
    windows: int
    screen: float
    phase_one: list[Row] = field(default_factory=list)
    baseline: Learnt | None = None
    last: float | None = None  # how far the window before was from the centre, where it has a say
    c: dict[int, float] = field(default_factory=dict)
    run: dict[int, int] = field(default_factory=dict)
    age: dict[int, int] = field(default_factory=dict)
    ewma: float = 0.0
    known: float = 0.0  # variance of it
    crossed: int = 0
    past: list[float] = field(default_factory=list)  # z since the last gap or signal
    limits: tuple[float, float, float] | None = None  # None: those that the metric's charts say

    def __post_init__(self) -> None:
        charts = self.metric.charts
        self.shewhart, self.h, self.width = self.limits or (charts.shewhart_limit or 0.0, charts.cusum_h or 0.0, charts.ewma_limit or 0.0)

    def point(self, value: float, n: int, unit: float, extra: float) -> dict[str, Any]:
        """The point of one window, with the names of `Points`; numbers that do not exist are missing."""
        there = not math.isnan(value)
        if self.baseline is None:
            if there:
                self.phase_one.append(Row(value, n, unit, extra))
                if len(self.phase_one) == self.windows:
                    self.learn()
            return {"phase": 0 if there else 2 if n else 255, "version": 0, "broken": 0, "side": 0, "onset_lag": 0, "rules": 0}
        if not there:
            self.age = {side: self.age[side] + (self.c[side] > 0) for side in (1, -1)}
            self.crossed = self.crossed + 1 if self.ewma != 0 else 1
            rest = 1 - self.metric.charts.ewma_lambda
            self.ewma, self.known = rest * self.ewma, rest**2 * self.known
            self.past, self.last = [], None
            return {"phase": 2 if n else 255, "version": 1, "broken": 0, "side": 0, "onset_lag": 0, "rules": 0} | self.shown()
        return {"phase": 1, "version": 1} | self.judged(value, n, unit, extra)

    def shown(self) -> dict[str, Any]:
        """The statistics as they stand."""
        return {"cusum_up": self.c[1], "cusum_down": self.c[-1], "ewma": self.ewma}

    def judged(self, value: float, n: int, unit: float, extra: float) -> dict[str, Any]:
        """A point of Phase II."""
        charts = self.metric.charts
        assert self.baseline is not None
        scored = score(self.metric.kind.value, self.baseline, Row(value, n, unit, extra), self.shewhart, self.last)
        z = scored.z
        for side in (1, -1):
            self.c[side] = max(0.0, self.c[side] + side * z - charts.cusum_k)
            self.run[side] = self.run[side] + 1 if self.c[side] > 0 else 0
            self.age[side] = self.age[side] + 1 if self.c[side] > 0 else 0
        lam, before = charts.ewma_lambda, self.ewma
        self.ewma, self.known = (1 - lam) * before + lam * z, (1 - lam) ** 2 * self.known + lam**2
        self.crossed = self.crossed + 1 if before * self.ewma > 0 else 1
        limit = self.width * math.sqrt(self.known)
        numbers = {name: getattr(scored, name) for name in ("centre", "sigma", "z", "lcl", "ucl")} | {"ewma_limit": limit} | self.shown()
        told = self.spoken(z, value - scored.centre, scored.sigma, limit)
        self.last = None if told["broken"] else scored.alone
        return numbers | told

    def spoken(self, z: float, distance: float, sigma: float, limit: float) -> dict[str, Any]:
        """Signals, then restarts."""
        charts, told = self.metric.charts, []
        lasting = sigma / (1 - self.baseline.phi) if self.baseline else sigma
        before, confirmed = self.past[-1] if self.past else 0.0, charts.confirm == 2
        if abs(z) > self.shewhart and (not confirmed or before * z / abs(z) > self.shewhart):
            told.append((0, 1 if z > 0 else -1, abs(distance), int(confirmed)))
        self.past.append(z)
        held = {rule: patterns(rule, self.past, self.shewhart) for rule in self.metric.rules}
        held = {
            rule: [p for p in found if self.speaks(p, p.shift * lasting if rule in RUNS else max(p.side * distance, 0.0), sigma)]
            for rule, found in held.items()
        }
        ruled = [(rule, pattern) for rule in Rule for pattern in held.get(rule, [])]
        over = [side for side in (1, -1) if self.c[side] > self.h]
        told += [(1, side, (charts.cusum_k + self.c[side] / self.run[side]) * lasting, self.age[side] - 1) for side in over]
        if abs(self.ewma) > limit:
            told.append((2, 1 if self.ewma > 0 else -1, abs(self.ewma) * lasting, self.crossed - 1))
        told = [(bit, side, shift, lag) for bit, side, shift, lag in told if self.may(bit, side, shift, sigma)]
        if any(bit == 0 for bit, *_ in told) or ruled:
            shewhart = sum(bit == 0 for bit, *_ in told)
            told[shewhart:shewhart] = [(0, p.side, 0.0, p.lag) for _, p in ruled]
        if over or told:
            self.begin()
        if told:
            self.past, self.ewma, self.known, self.crossed = [], 0.0, 0.0, 0
        return {
            "broken": sum(1 << bit for bit in {bit for bit, *_ in told}),
            "rules": sum(1 << list(Rule).index(rule) for rule, _ in ruled),
            "side": told[0][1] if told else 0,
            "onset_lag": max((lag for *_, lag in told), default=0),
        }

    def speaks(self, pattern: Pattern, shift: float, sigma: float) -> bool:
        """A rule speaks like the Shewhart chart; one without a side is not asked for it."""
        if math.isinf(pattern.shift):
            return ChartKind.SHEWHART in self.metric.signal_by
        return self.may(0, pattern.side, shift, sigma)

    def may(self, bit: int, side: int, shift: float, sigma: float) -> bool:
        """signal_by, direction and min_effect."""
        effect = self.metric.min_effect
        centre = self.baseline.centre if self.baseline else 0.0
        scale = {"absolute": 1.0, "relative": abs(centre), "sigma": sigma}
        large = effect is None or shift >= effect.amount * scale[effect.unit]
        asked = self.metric.direction in {"both", "up" if side > 0 else "down"}
        return large and asked and list(ChartKind)[bit] in self.metric.signal_by

    def learn(self) -> None:
        """Screen and freeze."""
        self.baseline = learn(self.metric.kind.value, self.phase_one, self.screen)
        self.begin()
        self.crossed = 0

    def begin(self) -> None:
        """The CUSUM from its head start."""
        self.c, self.run, self.age = dict.fromkeys((1, -1), self.metric.charts.cusum_headstart), {1: 0, -1: 0}, {1: 0, -1: 0}
