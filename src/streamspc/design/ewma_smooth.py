"""An EWMA of normal points with fixed limits as an absorbing chain: Z = (1 - lam) Z + lam x, a signal at |Z| > limit.

The integral equation of the average run length,
    A(z) = 1 + integral from -limit to limit of A(y) phi((y - (1 - lam) z) / lam - shift) / lam dy,
is replaced by its values at Gauss-Legendre nodes, which with the exact probabilities of a signal is a Markov chain.

Source: Crowder (1987), A simple method for studying run-length distributions of exponentially weighted moving average charts,
Technometrics 29.
"""

from __future__ import annotations

import math
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from scipy.special import ndtr

from streamspc.design.absorbing import Absorbing
from streamspc.design.quadrature import enough, interval, normal_density

if TYPE_CHECKING:
    from streamspc.model import Floats


def asymptotic(lam: float) -> float:
    """Standard deviation of an EWMA of independent points of variance 1, in the long run."""
    return math.sqrt(lam / (2.0 - lam))


class Smooth:
    """The chart with limits at +-limit, in sigma of a point."""

    detail = 1.0

    def __init__(self, lam: float, limit: float, shift: float) -> None:
        self.lam, self.limit, self.shift = lam, limit, shift
        self.states, self.weights = interval(-limit, limit, enough(2.0 * limit / lam))

    @cached_property
    def chain(self) -> Absorbing:
        """Transitions between the nodes."""
        return Absorbing(self.steps(self.states), self.leave(self.states))

    def steps(self, start: Floats) -> Floats:
        """Probabilities of the step from `start` to each node, [start, node]."""
        return self.moved(start, (self.states, self.weights))

    def moved(self, start: Floats, rule: tuple[Floats, Floats]) -> Floats:
        """Probabilities of the step from `start` to the nodes of a quadrature rule, [start, node]."""
        nodes, weights = rule
        probabilities = normal_density((nodes - (1.0 - self.lam) * start[:, None]) / self.lam - self.shift)
        probabilities *= weights / self.lam
        return probabilities

    def leave(self, start: Floats) -> Floats:
        """Probability of a signal at the next point."""
        kept = (1.0 - self.lam) * start
        leave: Floats = ndtr((kept - self.limit) / self.lam + self.shift) + ndtr((-self.limit - kept) / self.lam - self.shift)
        return leave

    def mean(self, start: Floats) -> Floats:
        """Average run length from any values of the statistic."""
        if math.isinf(self.chain.mean.max()):
            return start + math.inf
        mean: Floats = 1.0 + self.steps(start) @ self.chain.mean
        return mean


@lru_cache(maxsize=64)
def smooth(lam: float, limit: float, shift: float) -> Smooth:
    """The chart with these parameters; the latest ones are kept."""
    return Smooth(lam, limit, shift)
