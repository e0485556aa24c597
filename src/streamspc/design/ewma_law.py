"""An EWMA of points that are not normal, by piecewise collocation.

The equation A(z) = 1 + integral over the limits of A(y) f((y - (1 - lam) z) / lam - shift) / lam dy loses its smoothness where an end of
the support of f (the 0 of an exponential law) meets a limit, and again where it meets such a point: panels end there. Integrals are
split at quantiles of f and at the ends of its support, with pieces that shrink towards an end where f is infinite.

With exact limits a smooth f is carried forward as in `ewma_exact`; for one with edges the means are carried back, panels and all;
late steps, which hardly differ, are interpolated.

Sources: Borror, Montgomery & Runger (1999), Robustness of the EWMA control chart to non-normality, Journal of Quality Technology 31;
Knoth (2005), Accurate ARL computation for EWMA-S^2 control charts, Statistics and Computing 15 (collocation).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import lu_factor, lu_solve

from streamspc.design.absorbing import Absorbing
from streamspc.design.collocation import Panels, graded, mean_times, operator
from streamspc.design.ewma_exact import exact_mean, extrapolated, moments
from streamspc.design.law_noise import SMOOTH, Points, points_of
from streamspc.design.quadrature import enough, interval

if TYPE_CHECKING:
    from streamspc.design.standardised import Law
    from streamspc.model import Floats

Chart = tuple[float, float, float]  # lam, limit, shift
Kinks = Mapping[float, float]  # place: derivatives that exist there
_WIDEST, _MOST, _AGREE = 2.0, 32, 1e-9
_LATE, _KNOTS, _AHEAD = 0.2, 9, 14  # r^t from which on steps are interpolated, between so many, with kinks from so many points ahead


def law_mean(law: Law, chart: Chart, kind: str, start: float) -> float:
    """Average run length from `start`, with `kind` "fixed" or "exact" limits, or in the conditional "steady" state."""
    points = points_of(law)
    lam, limit, shift = chart
    reach = limit * (1.0 + 1e-12)
    shifted = points.base + shift
    if points.noise.low + shifted >= -reach and points.noise.high + shifted <= reach:
        return math.inf
    if lam == 1.0 or limit == 0.0:
        return 1.0 / float(_leave(points, chart, np.zeros(1))[0])
    if kind == "exact":
        return max(1.0, _exact(points, chart, start))
    if kind == "fixed":
        return max(1.0, float(Rough(points, chart).at(np.array([start]))[0]))
    still = (lam, limit, 0.0)
    both = {**_from_limits(points, chart), **_from_limits(points, still)}
    return max(1.0, float(_settled(Rough(points, still, both).matrix) @ Rough(points, chart, both).mean))


class Rough:
    """The chart with fixed limits and a density that may have edges."""

    detail = 1.0

    def __init__(self, points: Points, chart: Chart, kinks: Kinks | None = None) -> None:
        self.points, self.chart = points, chart
        self.kinks = _from_limits(points, chart) if kinks is None else kinks
        self.panels = _panels(points, chart[0], chart[1], self.kinks)

    @cached_property
    def matrix(self) -> Floats:
        """Weights of the nodes in the mean after one step from each node."""
        return _step(self.panels, self.points, self.chart, self.panels.nodes)

    @cached_property
    def mean(self) -> Floats:
        """Average run length from each node."""
        order = np.argsort(np.abs(self.panels.nodes - self.chart[2]))  # from where the chart dwells outwards
        leave = _leave(self.points, self.chart, self.panels.nodes[order])
        return mean_times(self.matrix[np.ix_(order, order)], leave)[np.argsort(order)]

    def at(self, start: Floats) -> Floats:
        """Average run length from any values of the statistic."""
        return np.asarray(1.0 + _step(self.panels, self.points, self.chart, start) @ self.mean, np.float64)


class Even:
    """The same with one rule over all of the limits: for densities without edges."""

    def __init__(self, points: Points, chart: Chart) -> None:
        lam, limit, _ = chart
        self.points, self.chart, self.detail = points, chart, 2.0 * points.detail  # tails are not like a normal one
        self.rule = interval(-limit, limit, enough(2.0 * limit / lam * self.detail))
        self.chain = Absorbing(self.moved(self.rule[0], self.rule), _leave(points, chart, self.rule[0]))

    def moved(self, start: Floats, rule: tuple[Floats, Floats]) -> Floats:
        """Probabilities of the step from `start` to the nodes of a quadrature rule, [start, node]."""
        lam, _, shift = self.chart
        return self.points.noise.density((rule[0] - (1.0 - lam) * start[:, None]) / lam - shift - self.points.base) * rule[1] / lam

    def mean(self, start: Floats) -> Floats:
        """Average run length from any values of the statistic."""
        return np.asarray(1.0 + self.moved(start, self.rule) @ self.chain.mean, np.float64)


def _exact(points: Points, chart: Chart, start: float) -> float:
    """Average run length with exact limits."""
    even, rough = Even(points, chart), Rough(points, chart)
    probe = chart[1] * np.array([-0.9, 0.0, 0.9])
    if np.allclose(even.mean(probe), rough.at(probe), rtol=_AGREE, atol=0.0):
        return exact_mean(even, chart[0], chart[1], start)
    return _carried(rough, start)


def _carried(fixed: Rough, start: float) -> float:
    """Average run length with exact limits: means and survivors are carried back from the two moments at which fixed limits take over."""
    points, (lam, limit, _), shrink = fixed.points, fixed.chart, (1.0 - fixed.chart[0]) ** 2
    first, last = moments(lam)
    late = Late.of(fixed, last)
    since = late.since if late else last + 1
    kinks, columns = fixed.kinks, np.empty((0, 0))
    later: Panels | None = None
    panels: Panels | None
    for t in range(last, -1, -1):
        now = limit * math.sqrt(1.0 - shrink**t)
        if late and t >= since:
            panels, kinks = late.panels(shrink**t), late.kinks(shrink**t)
        else:
            panels = _panels(points, lam, now, kinks) if t else None
        nodes = panels.nodes if panels else np.array([start])
        if later is not None:
            columns = (late.steps(shrink**t) if late and t >= since else _step(later, points, fixed.chart, nodes)) @ columns
            columns[:, ::2] += 1.0
        if t in {first, last}:
            added = np.column_stack((fixed.at(nodes), np.ones(len(nodes))))
            columns = np.hstack((columns, added)) if later is not None else added
        before = limit * math.sqrt(1.0 - shrink ** max(t - 1, 0))
        kinks = _met(points, fixed.chart, {**kinks, -now: 0.0, now: 0.0}, before)
        later = panels
    end, end_left, early, early_left = (float(value) for value in columns[0])
    return extrapolated((early, early_left * shrink**first), (end, end_left * shrink**last))


class Late:
    """The steps of a chart whose limits hardly move any more, as a function of s = r^t that is interpolated."""

    def __init__(self, fixed: Rough, last: int) -> None:
        self.fixed, self.shrink = fixed, (1.0 - fixed.chart[0]) ** 2
        self.since = max(1, math.ceil(math.log(_LATE) / math.log(self.shrink)))
        low, high = self.shrink**last, self.shrink**self.since
        angle = (np.arange(_KNOTS) + 0.5) * math.pi / _KNOTS
        self.knots = 0.5 * (low + high) + 0.5 * (high - low) * np.cos(angle)
        self.shares = np.sin(angle) * (-1.0) ** np.arange(_KNOTS)
        self.breaks = self._breaks(low)
        self.edges = np.array(_panels(fixed.points, fixed.chart[0], -self.breaks[0], self.kinks(low)).edges)

    @classmethod
    def of(cls, fixed: Rough, last: int) -> Late | None:
        """The same where it pays and is sound."""
        late = cls(fixed, last)
        return late if last - late.since > 2 * _KNOTS and late._sound(last) else None

    def kinks(self, s: float) -> dict[float, float]:
        """All kinks at s, from those that limits lead to many points later."""
        found: Kinks = self.fixed.kinks
        for ahead in range(_AHEAD, 0, -1):
            then, before = (self._limit(s * self.shrink**n) for n in (ahead, ahead - 1))
            found = _met(self.fixed.points, self.fixed.chart, {**found, -then: 0.0, then: 0.0}, before)
        return dict(found)

    def panels(self, s: float) -> Panels:
        """Panels that move with the limits and the kinks."""
        return Panels(np.interp(self.edges, self.breaks, self._breaks(s)).tolist(), self.fixed.points.power)

    def steps(self, s: float) -> Floats:
        """Weights of the nodes at s r in the mean from those at s."""
        apart = s - self.knots
        if (apart == 0.0).any():
            return np.asarray(self._matrices[int((apart == 0.0).argmax())])
        shares = self.shares / apart
        return np.asarray(np.tensordot(shares / shares.sum(), self._matrices, 1), np.float64)

    @cached_property
    def _matrices(self) -> Floats:
        return np.array([self._exactly(float(s)) for s in self.knots])

    def _exactly(self, s: float) -> Floats:
        return _step(self.panels(s * self.shrink), self.fixed.points, self.fixed.chart, self.panels(s).nodes)

    def _limit(self, s: float) -> float:
        return self.fixed.chart[1] * math.sqrt(1.0 - s)

    def _breaks(self, s: float) -> Floats:
        return np.array(sorted([-self._limit(s), *self.kinks(s), self._limit(s)]))

    def _sound(self, last: int) -> bool:
        """Are kinks as many at all times, and is what is interpolated that what is computed, at the first point and one between?"""
        times = [self.shrink**t for t in (self.since, (3 * self.since + last) // 4)]
        if any(len(self._breaks(s)) != len(self.breaks) for s in (*times, *self.knots, *(self.knots * self.shrink))):
            return False
        for s in times:
            two = self.steps(s * self.shrink) @ (1.0 + self.steps(s * self.shrink**2).sum(axis=1))
            if not np.allclose(self.steps(s) @ two, self._exactly(s) @ two, rtol=_AGREE, atol=_AGREE):
                return False
        return True


def _step(panels: Panels, points: Points, chart: Chart, start: Floats) -> Floats:
    lam, _, shift = chart
    return operator(panels, points.noise, (1.0 - lam) * start + lam * (shift + points.base), lam)


def _leave(points: Points, chart: Chart, start: Floats) -> Floats:
    """Probability of a signal at the next point."""
    lam, limit, shift = chart
    kept = (1.0 - lam) * start
    return points.above((limit - kept) / lam - shift) + points.below((-limit - kept) / lam - shift)


def _panels(points: Points, lam: float, limit: float, kinks: Kinks) -> Panels:
    return Panels(graded((-limit, *kinks, limit), _WIDEST * lam / points.detail), points.power)


def _from_limits(points: Points, chart: Chart) -> dict[float, float]:
    """All kinks that the limits lead to, of which the roughest are kept."""
    limit = chart[1]
    found: dict[float, float] = {}
    latest: Kinks = {-limit: 0.0, limit: 0.0}
    while latest and len(found) < _MOST:
        latest = {place: order for place, order in _met(points, chart, latest, limit).items() if place not in found}
        found.update(latest)
    return _roughest(found)


def _met(points: Points, chart: Chart, kinks: Kinks, within: float) -> dict[float, float]:
    """From where an end of the density meets a kink or a limit, and how many derivatives exist there."""
    lam, _, shift = chart
    reached = {(place - lam * (end + shift)) / (1.0 - lam): order + more for place, order in kinks.items() for end, more in points.orders}
    return _roughest({place: order for place, order in reached.items() if abs(place) < within and order < SMOOTH})


def _roughest(kinks: Kinks) -> dict[float, float]:
    return dict(sorted(kinks.items(), key=lambda kink: kink[1])[:_MOST])


def _settled(matrix: Floats) -> Floats:
    """The conditional law of a chart that has been quiet for long, as weights of the nodes: left eigenvector by inverse iteration."""
    factors = lu_factor(np.eye(len(matrix)) - matrix)
    law = np.full(len(matrix), 1.0 / len(matrix))
    for _ in range(400):
        step = lu_solve(factors, law, trans=1)
        step /= step.sum()
        change = float(np.abs(step - law).sum())
        law = step
        if change < 1e-14:
            break
    return law
