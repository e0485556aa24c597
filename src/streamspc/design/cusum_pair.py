"""Both sides of a tabular CUSUM together, from the equations of one side.

While both statistics are positive their sum falls by 2 k a point. From zero start it is therefore never above h, and when one side signals
the other one is at 0. That gives, exactly and for every k >= 0,
    E[N | S+ = a, S- = b] = (A(a) B(0) + A(0) B(b) - A(0) B(0)) / (A(0) + B(0))    for a + b <= h + 2 k,
A and B the average run lengths of the upper and the lower side alone. A head start s on both sides with 2 s > h + 2 k breaks the condition
at first: the sum 2 s - 2 k n is known then, so the joint law has one dimension, and its density is carried forward point by point.

The joint law of the survivors is needed only through its two marginal laws, since the expression above is a sum. The marginal law of
the upper side moves as if it were alone, except that the mass that the lower side's signals take away leaves it at 0:
    u' = u Q+ - (signals of the lower side) e0,    v' = v Q- - (signals of the upper side) e0.
In the conditional steady state (in control, u = v by symmetry, eigenvalue rho) this reads rho (u - e0 / 2) = u Q - e0 / 2, solved by
inverse iteration.

Sources: van Dobben de Bruyn (1968), Cumulative sum tests; Lucas & Crosier (1982), Fast initial response for CUSUM quality-control
schemes, Technometrics 24; Crosier (1986), A new two-sided cumulative sum quality control scheme, Technometrics 28.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.linalg import eigvals
from scipy.special import ndtr

from streamspc.design.absorbing import Absorbing
from streamspc.design.cusum_side import Side, side
from streamspc.design.quadrature import enough, interval, normal_density

if TYPE_CHECKING:
    from streamspc.model import Floats

_QUIET = 1e-18  # a share of survivors that adds nothing any more
_ITERATIONS = 60


class Pair(NamedTuple):
    """The two sides of a chart at one shift."""

    k: float
    upper: Side
    lower: Side

    @property
    def rate(self) -> float:
        """Signals per point, from zero start."""
        return float(1.0 / self.upper.chain.mean[0] + 1.0 / self.lower.chain.mean[0])

    def mean(self, upper: Floats, lower: Floats) -> Floats:
        """Average run length from pairs of values with a sum of at most h + 2 k."""
        if self.rate == 0.0:
            return np.full_like(upper, math.inf)
        return (self.upper.relative(upper) + self.lower.relative(lower) - 1.0) / self.rate

    def mean_from(self, start: float) -> float:
        """Average run length with one head start on both sides."""
        opening = opened(self, start)
        later = opening.weights @ self.mean(opening.upper, opening.lower) if len(opening.weights) else 0.0
        return float(sum(opening.survival) + later)


class Opening(NamedTuple):
    """The first points of a chart, as long as both sides could be positive at a signal."""

    survival: list[float]  # P(RL > n) for n = 0, 1, ... before the state below
    upper: Floats  # values of S+ then,
    lower: Floats  # of S-,
    weights: Floats  # and their probabilities, without those that have signalled


def pair(k: float, h: float, shift: float) -> Pair:
    """Both sides at a shift."""
    return Pair(k, side(k, h, shift), side(k, h, -shift))


def opened(chart: Pair, start: float) -> Opening:
    """The chart from a head start on both sides until S+ + S- <= h + 2 k."""
    k, h, drift = chart.k, chart.upper.h, chart.upper.drift
    upper, weights, total = np.array([start]), np.ones(1), 2.0 * start
    survival: list[float] = []
    if k == 0.0 and total > h:
        return Opening([float(corridor(chart, start).mean[0])], *np.empty((3, 0)))  # the whole of it
    while total > h + 2.0 * k:
        survival.append(float(weights.sum()))
        if survival[-1] < _QUIET:
            return Opening(survival, *np.empty((3, 0)))
        total -= 2.0 * k
        nodes, width = interval(total - h, h, enough(2.0 * h - total))
        weights = (weights @ normal_density(nodes - upper[:, None] + drift)) * width
        upper = nodes
    return Opening(survival, upper, total - upper, weights)


def corridor(chart: Pair, start: float) -> Absorbing:
    """The chart for k = 0 from 2 start > h, its first state: a random walk that stops outside of (2 start - h, h)."""
    h, drift, low = chart.upper.h, chart.upper.drift, 2.0 * start - chart.upper.h
    nodes, width = interval(low, h, enough(h - low))
    states = np.concatenate(([start], nodes))
    steps = np.zeros((len(states), len(states)))
    steps[:, 1:] = normal_density(nodes - states[:, None] + drift) * width
    return Absorbing(steps, ndtr(states - h - drift) + ndtr(low - states + drift))


@lru_cache(maxsize=64)
def survivors(k: float, h: float) -> Floats:
    """Conditional steady-state law of one statistic of a two-sided chart in control, over the states of `Side`."""
    if k == 0.0 < h:  # S+ + S- is the range of a walk and never falls: in the long run it is h, and S+ a walk that stops outside of (0, h)
        return corridor(pair(k, h, 0.0), 0.5 * h).law  # no mass at 0, and the nodes of `Side`
    chain = side(k, h, 0.0).chain
    origin = np.zeros(len(chain.leave))
    origin[0] = 0.5
    law = 2.0 * origin
    for _ in range(_ITERATIONS):
        step = chain.solve_left(law - origin)
        step /= step.sum()
        change = float(np.abs(step - law).sum())
        law = step
        if change < 1e-14:
            return law
    return dominant(chain.steps)


def dominant(steps: Floats) -> Floats:
    """The law of `survivors` for charts that forget too slowly for iteration: it is like e0 (rho I - Q)^-1, so only rho is needed."""
    joint = steps + steps[0]  # Q + 1 (q0 - e0) has the eigenvalue rho, q0 the first row of Q
    joint[:, 0] -= 1.0
    rho = float(eigvals(joint).real.max())
    origin = np.zeros(len(steps))
    origin[0] = 1.0
    law = np.linalg.solve(rho * np.eye(len(steps)) - steps.T, origin)
    return np.asarray(law / law.sum(), np.float64)
