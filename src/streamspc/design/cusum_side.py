"""One side of a tabular CUSUM of normal points as an absorbing chain: S = max(0, S + x - k), signal at S > h.

The integral equation of the average run length,
    A(s) = 1 + Phi(k - s - shift) A(0) + integral from 0 to h of A(y) phi(y - s + k - shift) dy,
is replaced by its values at Gauss-Legendre nodes (Nystrom). With the mass at 0 as one more state and the probabilities of a signal taken
from the tail of the normal distribution, this is a Markov chain whose mean times converge faster than any power of 1 / n.

Sources: Page (1954), Continuous inspection schemes, Biometrika 41; Vance (1986), Average run lengths of cumulative sum control charts for
controlling normal means, Journal of Quality Technology 18 (quadrature of the equation).
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from streamspc.design.absorbing import Absorbing
from streamspc.design.quadrature import enough, interval, normal_density

if TYPE_CHECKING:
    from streamspc.model import Floats

_SPARSE, _REACH = 400, 14.0  # beyond so many nodes, steps of more than so many standard deviations are left out


class Side:
    """The upper side; the lower side of a shift is the upper side of its negative."""

    def __init__(self, k: float, h: float, shift: float) -> None:
        self.h = h
        self.drift = k - shift  # downwards, per point
        nodes, self.weights = interval(0.0, h, enough(h)) if h > 0.0 else (np.empty(0), np.empty(0))
        self.states = np.concatenate(([0.0], nodes))

    @cached_property
    def chain(self) -> Absorbing:
        """Transitions between 0 and the nodes."""
        return Absorbing(self.steps(self.states), self.leave(self.states))

    def steps(self, start: Floats) -> Floats:
        """Probabilities of the step from `start` to each state, [start, state]."""
        steps = np.empty((len(start), len(self.states)))
        steps[:, 0] = ndtr(self.drift - start)
        distance = self.states[1:] - start[:, None] + self.drift
        steps[:, 1:] = normal_density(distance)
        steps[:, 1:] *= self.weights
        if len(self.states) > _SPARSE:
            far = _REACH + 2.0 * abs(self.drift)
            steps[:, 1:][np.abs(distance) > far] = 0.0
            steps[start > far, 0] = 0.0
        return steps

    def leave(self, start: Floats) -> Floats:
        """Probability of a signal at the next point."""
        leave: Floats = ndtr(start - self.h - self.drift)
        return leave

    def mean(self, start: Floats) -> Floats:
        """Average run length from any values of the statistic."""
        if np.isinf(self.chain.mean).any():
            return np.full_like(start, np.inf)
        mean: Floats = 1.0 + self.steps(start) @ self.chain.mean
        return mean

    def relative(self, start: Floats) -> Floats:
        """The same in units of that from 0; 1 where both are infinite."""
        with np.errstate(invalid="ignore"):
            relative: Floats = self.mean(start) / self.chain.mean[0]
        return np.where(np.isfinite(relative), relative, 1.0)

    def mean_from(self, start: float) -> float:
        """Average run length from one value of the statistic."""
        return float(self.chain.mean[0] if start == 0.0 else self.mean(np.array([start]))[0])


@lru_cache(maxsize=64)
def side(k: float, h: float, shift: float) -> Side:
    """The side with these parameters; the latest ones are kept."""
    return Side(k, h, shift)
