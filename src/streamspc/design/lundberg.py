"""How fast the chance falls that a walk, whose drift is down, ever comes to a height: at most as e^(-theta h).

Theta > 0 is the exponent with E e^(theta X) = 1 for a step X; a CUSUM's average run length is at least e^(theta h).

Source: Feller, W. (1971), An introduction to probability theory and its applications, volume 2, section XII.5 (Lundberg's inequality).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

from streamspc.design.count_sums import log_moment
from streamspc.design.siegmund import siegmund_limit
from streamspc.design.walk import Walk

_LARGEST = 300.0  # beyond, the walk hardly rises at all


@lru_cache(maxsize=256)
def exponent(walk: Walk) -> float:
    """Theta, rounded down; 0 where the drift is not down, infinite where the walk never rises.

    >>> from fractions import Fraction
    >>> from streamspc.design.counts import Poisson
    >>> round(exponent(Walk(Poisson(2.0), Fraction(5, 2), upper=True)), 6)
    0.430842
    """
    if walk.drift >= 0.0:
        return 0.0
    sign = 1.0 if walk.upper else -1.0

    def growth(theta: float) -> float:
        return log_moment(walk.law, sign * theta) - sign * theta * float(walk.k)

    high = 1e-9
    while growth(high) < 0.0:
        high *= 2.0
        if high > _LARGEST:
            return math.inf
    low = 0.5 * high
    while growth(low) > 0.0:  # a drift of nearly nothing
        low *= 0.5
        if low < 1e-30:
            return 0.0
    for _ in range(50):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if growth(middle) < 0.0 else (low, middle)
    return low


def brownian_limit(walk: Walk) -> Callable[[float], float]:
    """About the limit of a CUSUM as a function of its average run length, by Siegmund's approximation with the walk's own exponent."""
    spread = walk.law.spread
    if spread == 0.0 or math.isinf(exponent(walk)):
        return lambda length: max(walk.drift, 0.0) * length
    k = -walk.drift / spread if walk.drift > 0.0 else 0.5 * exponent(walk) * spread
    return lambda length: spread * siegmund_limit(k, length)
