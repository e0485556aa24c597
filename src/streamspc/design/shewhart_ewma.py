"""EWMA with exact limits beside a Shewhart chart: a signal at |Z| > limit_t or |x| > c; or at Z > limit_t or x > c, on one side.

Once limits are fixed the average run length solves
    A(z) = 1 + integral of A(y) phi((y - (1 - lam) z) / lam) / lam dy    over |y| <= limit, |y - (1 - lam) z| <= lam c,
whose kernel ends at c: A has kinks where an end meets the limit, or a kink, and panels of the collocation end there. Before, as in
`ewma_exact`, the limits move. A is carried back through these points by Gauss-Legendre quadrature of the whole normal kernel, less the
integral over its tails beyond c, which is taken of the polynomial through A at the nodes. Kinks are of the order of the tails' mass, about
1 / arl0, and what the quadrature makes of them is far below that.

Sources: Lucas & Saccucci (1990), Exponentially weighted moving average control schemes, Technometrics 32 (combined Shewhart-EWMA);
Knoth (2003), EWMA schemes with nonhomogeneous transition kernels, Sequential Analysis 22; Knoth (2006), Computation of the ARL for
CUSUM-S^2 schemes, Computational Statistics & Data Analysis 51 (piecewise collocation).
"""

from __future__ import annotations

import math
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.polynomial import legendre as series
from scipy.linalg import lu_factor, lu_solve
from scipy.special import ndtr

from streamspc.design import alone, arguments
from streamspc.design.collocation import Noise, Panels, mean_times, operator, panel_edges
from streamspc.design.cusum import SIDES, STATES
from streamspc.design.ewma_exact import extrapolated, moments
from streamspc.design.ewma_smooth import asymptotic
from streamspc.design.panels import to_legendre
from streamspc.design.quadrature import interval, legendre, normal_density
from streamspc.design.roots import improved

if TYPE_CHECKING:
    from streamspc.model import Floats

_NEAR = 1.6  # the EWMA alone has about this many times the average run length of the pair
_FAINT, _MOST = 1e-9, 12  # kinks that are weaker, or beyond so many, are not resolved
_ITERATIONS = 60
_TAIL, _DEGREE = 14, 32  # nodes of an integral over a tail, and coefficients of the polynomial there


class Clipped:
    """The chart at one pair of limits, in sigma of a point."""

    def __init__(self, lam: float, limit: float, c: float, sided: str, shift: float = 0.0) -> None:
        self.lam, self.limit, self.c, self.two, self.shift = lam, limit, c, sided == "two", shift
        self.low = -limit if self.two else -alone.BELOW * asymptotic(lam)
        pieces = [shift + step for step in range(-9, 10, 3) if (not self.two or shift + step > -c) and shift + step < c]
        self.noise = Noise(lambda x: normal_density(x - shift), (*([-c] if self.two else []), *pieces, c), -c if self.two else -math.inf, c)
        self.panels = Panels(panel_edges(self.low, limit, self._kinks(), 3.0 * lam))

    @cached_property
    def mean(self) -> Floats:
        """Average run length with fixed limits from the nodes of the panels."""
        return mean_times(self._steps(self.panels.nodes), self._leave(self.panels.nodes))

    def from_(self, start: Floats) -> Floats:
        """Average run length with fixed limits from these values."""
        return np.asarray(1.0 + self._steps(start) @ self.mean, np.float64)

    def survivors(self) -> Floats:
        """The conditional steady-state law of Z, as weights of the nodes in the mean of a function: inverse iteration."""
        steps = self._steps(self.panels.nodes)
        factors = lu_factor((np.eye(len(steps)) - steps).T)
        law = np.full(len(steps), 1.0 / len(steps))
        for _ in range(_ITERATIONS):
            before, law = law, lu_solve(factors, law)
            law /= law.sum()
            if float(np.abs(law - before).max()) < 1e-13:
                break
        return law

    def exact(self) -> float:
        """Average run length with exact limits, from 0."""
        early, late = moments(self.lam)
        nodes, weights = self._rule(late)
        means = self.from_(nodes)[:, None]  # [node, from which point on limits are fixed]
        for t in range(late - 1, -1, -1):
            start, after = self._rule(t) if t else (np.zeros(1), np.ones(1))
            means = 1.0 + self._carried(start, (nodes, weights), means, self._high(t + 1))
            nodes, weights = start, after
            if t == early:
                means = np.column_stack((self.from_(nodes), means))
        first, last = (float(mean) for mean in means[0])
        shrink, left = (1.0 - self.lam) ** 2, max(0.0, 1.0 - (late - early) / first)
        return extrapolated((first, shrink**early), (last, left * shrink**late))

    def _high(self, t: int) -> float:
        return self.limit * math.sqrt(1.0 - (1.0 - self.lam) ** (2 * t))

    def _rule(self, t: int) -> tuple[Floats, Floats]:
        high = self._high(t)
        low = self.low * high / self.limit
        nodes = math.ceil(1.5 * (high - low) / self.lam) + 36
        return interval(low, high, nodes + -nodes % 12)

    def _carried(self, start: Floats, rule: tuple[Floats, Floats], means: Floats, high: float) -> Floats:
        """The means after the step from `start`, 0 after a signal; `means` are those at the nodes of a rule that ends at `high`."""
        origin = (1.0 - self.lam) * start
        nodes, weights = rule
        steps = normal_density((nodes - origin[:, None]) / self.lam - self.shift)
        steps *= weights / self.lam
        means_as_series, ends = to_legendre(len(nodes))[:_DEGREE], (float(nodes[0] + nodes[-1]) - high, high)
        after: Floats = steps @ means - self._tail(origin, means_as_series @ means, ends, self.shift)
        return after - self._tail(-origin, means_as_series @ means[::-1], ends, -self.shift) if self.two else after

    def _tail(self, origin: Floats, coefficients: Floats, ends: tuple[float, float], shift: float) -> Floats:
        """The part of the integral beyond c, above."""
        reach = max(math.sqrt(self.c**2 + 64.0), self.c + 1.0, shift + 8.0)
        last = (ends[1] - origin) / self.lam
        tail = np.zeros((len(origin), coefficients.shape[1]))
        rows = np.flatnonzero(last > self.c)
        half = 0.5 * (np.minimum(last[rows], reach) - self.c)
        unit, share = legendre(_TAIL if shift == 0.0 else 4 * _TAIL)
        x = self.c + np.multiply.outer(half, unit + 1.0)
        place = (2.0 * (origin[rows, None] + self.lam * x) - ends[0] - ends[1]) / (ends[1] - ends[0])
        tail[rows] = (half * ((series.legval(place, coefficients) * normal_density(x - shift)) @ share)).T
        return tail

    def _steps(self, start: Floats) -> Floats:
        return operator(self.panels, self.noise, (1.0 - self.lam) * start, self.lam)

    def _leave(self, start: Floats) -> Floats:
        """Probability of a signal at the next point."""
        kept = (1.0 - self.lam) * start
        leave = ndtr(self.shift - np.minimum(self.c, (self.limit - kept) / self.lam))
        if self.two:
            leave = leave + ndtr(np.maximum(-self.c, (self.low - kept) / self.lam) - self.shift)
        return np.asarray(leave, np.float64)

    def _kinks(self) -> dict[float, float]:
        """Places and strengths of kinks within the limits."""
        density = math.exp(-0.5 * max(0.0, self.c - abs(self.shift)) ** 2)
        waiting = {self.limit: 1.0} | ({self.low: 1.0} if self.two else {})
        found: dict[float, float] = {}
        while waiting and len(found) < _MOST:
            place = max(waiting, key=waiting.__getitem__)
            strength = waiting.pop(place) * density
            for end in (self.c, -self.c) if self.two else (self.c,):
                there = (place - self.lam * end) / (1.0 - self.lam)
                if self.low < there < self.limit and strength > _FAINT and there not in found:
                    found[there] = waiting[there] = strength
        return found


def shewhart_ewma_arl(  # noqa: PLR0913, PLR0917 - each argument is one number of the chart
    lam: float,
    L: float,  # noqa: N803 - the literature's name
    c: float,
    shift: float = 0.0,
    sided: str = "two",
    state: str = "zero",
) -> float:
    """Average run length of an EWMA with exact limits beside Shewhart limits at c sigma; L multiplies the sigma of Z.

    `sided="two"`: a signal at |Z| > limit or |x| > c, "upper" and "lower": on that side only. `state="zero"`: from 0; "steady": conditional
    steady state, the limit of E[RL - tau | RL > tau] when a chart that has been in control for tau points shifts.

    Raises:
        ValueError: a number or a word is impossible.

    >>> round(shewhart_ewma_arl(0.1, 2.8, 3.5), 2), round(shewhart_ewma_arl(0.1, 2.8, 3.5, shift=1.0), 3)
    (394.07, 8.053)
    """
    lam, L, c = arguments.weight("lam", lam), arguments.positive("L", L), arguments.positive("c", c)  # noqa: N806
    shift = arguments.finite("shift", shift) * (-1.0 if arguments.one_of("sided", sided, SIDES) == "lower" else 1.0)
    steady = arguments.one_of("state", state, STATES) == "steady"
    if lam == 1.0:
        beyond = ndtr(shift - min(L, c)) + (ndtr(-shift - min(L, c)) if sided == "two" else 0.0)
        return float(1.0 / beyond) if beyond > 0.0 else math.inf
    chart = Clipped(lam, L * asymptotic(lam), c, sided, shift)
    if not steady:
        return max(1.0, chart.exact())
    before = Clipped(lam, chart.limit, c, sided)
    return max(1.0, float(before.survivors() @ chart.from_(before.panels.nodes)))


@lru_cache(maxsize=1024)
def shewhart_ewma_limit(lam: float, arl0: float, sided: str = "two", split: float = 0.5) -> tuple[float, float]:
    """Limits (L, c) at which the pair signals once in arl0 points in control; `split` is the share of signals that have |x| > c."""
    c = alone.shewhart(arl0 / split, sided)
    if lam == 1.0:
        return alone.shewhart(arl0, sided), c
    unit = asymptotic(lam)

    def fixed(limit: float) -> float:
        return float(Clipped(lam, limit * unit, c, sided).from_(np.zeros(1))[0])

    def exact(limit: float) -> float:
        return Clipped(lam, limit * unit, c, sided).exact()

    return improved(exact, fixed, alone.ewma(lam, arl0 * _NEAR, sided), arl0, within=1e-6), c
