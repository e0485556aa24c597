"""The law of a plotted statistic, standardised to mean 0 and variance 1: normal, or what the caller gives.

Tails are asked for on their own side, so that a probability of 1e-300 is as exact as one of a half.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from streamspc.model import Floats


class Law:
    """Probabilities of (X - mean) / sd + shift, with X normal (None) or of a frozen scipy.stats distribution.

    A distribution that is standardised already stays as it is. One without `mean` and `std` is taken to be standardised.

    >>> from scipy import stats
    >>> round(Law(stats.t(6), 0.0).above(3.0), 6)
    0.005201
    """

    def __init__(self, distribution: Any, shift: float) -> None:
        self.shift = shift
        self.given = distribution if not isinstance(distribution, str) else None
        if isinstance(distribution, str) and distribution != "normal":
            raise ValueError(f"distribution is {distribution!r}: it must be 'normal' or a frozen distribution of scipy.stats")
        if self.given is not None and not hasattr(self.given, "cdf"):
            raise ValueError(f"distribution is {distribution!r}: it has no cdf, so it is no frozen distribution of scipy.stats")
        self.mean, self.sd = _moments(self.given)
        self.discrete = hasattr(self.given, "pmf") and not hasattr(self.given, "pdf")

    def below(self, x: float) -> float:
        """P(statistic < x)."""
        z = x - self.shift
        if self.given is None:
            return float(special.ndtr(z))
        return float(self.given.cdf(self._raw(z, -1.0)))

    def above(self, x: float) -> float:
        """P(statistic > x)."""
        z = x - self.shift
        if self.given is None:
            return float(special.ndtr(-z))
        raw = self._raw(z, 1.0)
        return float(self.given.sf(raw)) if hasattr(self.given, "sf") else 1.0 - float(self.given.cdf(raw))

    def _raw(self, z: float, outward: float) -> float:
        """In the caller's units; a lattice value that equals a limit up to rounding is not outside."""
        raw = z * self.sd + self.mean
        return raw + outward * 1e-9 * (1.0 + abs(raw)) if self.discrete else raw

    def zones(self, cuts: tuple[float, ...]) -> Floats:
        """Probabilities of the intervals between ascending cuts, the outer ones included."""
        edges = (-math.inf, *cuts, math.inf)
        return np.array([self.between(low, high) for low, high in pairwise(edges)])

    def between(self, low: float, high: float) -> float:
        """P(low < statistic < high), from the nearer tail."""
        if self.below(low) > 0.5:
            return self.above(low) - self.above(high)
        return self.below(high) - self.below(low)


def _moments(given: Any) -> tuple[float, float]:
    """Mean and standard deviation; (0, 1) where the distribution does not tell."""
    deviation = getattr(given, "std", None) or getattr(given, "standard_deviation", None)
    if given is None or deviation is None or not hasattr(given, "mean"):
        return 0.0, 1.0
    try:
        mean, sd = float(given.mean()), float(deviation())
    except TypeError:
        raise ValueError("distribution has no parameters: freeze it, such as scipy.stats.t(5) in place of scipy.stats.t") from None
    if not (math.isfinite(mean) and math.isfinite(sd) and sd > 0.0):
        raise ValueError(f"distribution has mean {mean:g} and standard deviation {sd:g}: it cannot be standardised")
    return mean, sd
