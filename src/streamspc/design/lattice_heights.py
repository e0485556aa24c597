"""Heights at which the average run length of a lattice CUSUM has steps, however fine the lattice is.

S can stand only at whole numbers plus a multiple of k, as many times k as there were points since 0. So on a lattice of a million to one
count a limit may be moved past all heights but a few hundred without any difference, and a search needs to look at these alone. Points
from which on hardly a cycle is still under way do not matter; where a walk rises, those do at which it comes to the limit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from streamspc.design.rising import escapes, window
from streamspc.design.walk import Walk

_FEW = 64  # heights that are worth a list
_LOGARITHM = 35.0  # of a chance that does not matter
_POINTS = 1_000_000


def heights(walks: Sequence[Walk], low: int, high: int) -> list[int] | None:
    """The multiples n of 1/q, low < n <= high, whose average run length differs from that of n - 1; None when they are many.

    >>> from fractions import Fraction
    >>> from streamspc.design.counts import Poisson
    >>> heights([Walk(Poisson(2.0), Fraction("2.500001"), upper=True)], 4_999_800, 5_000_000)[-3:]
    [4999995, 4999997, 4999999]
    """
    if high - low <= _FEW:
        return list(range(low + 1, high + 1))
    q = walks[0].k.denominator
    if high - low >= q:
        return None
    found = set[int]()
    for walk in walks:
        first, count = _when(walk, high / q)
        if count * (high - low) > 2 * _FEW * q:
            return None
        p = (-walk.k.numerator if walk.upper else walk.k.numerator) % q
        place = (np.arange(count, dtype=np.int64) * p % q + (first * p - low) % q) % q  # of the heights S above `low`
        found |= {low + 1 + int(rest) for rest in place[place < high - low]}
    return sorted(found) if len(found) <= _FEW else None


def _when(walk: Walk, height: float) -> tuple[int, int]:
    """The first point of a cycle at which the walk may be at this height, and the number of them."""
    if escapes(walk, height):
        middle, wide = window(walk, height)
        first = max(math.floor(middle - 2.0 * wide), 0)
        return first, min(math.ceil(middle + wide) - first, _POINTS)
    return 0, min(math.ceil(cycle_points(walk, height, _LOGARITHM)), _POINTS)


def cycle_points(walk: Walk, height: float, logarithm: float) -> float:
    """The points after which a cycle is still under way with a chance of e^-logarithm, by that of a Brownian motion."""
    spread = walk.law.spread
    if spread == 0.0:
        return _POINTS
    return logarithm / ((walk.drift / spread) ** 2 / 2.0 + (math.pi * spread / max(height, spread)) ** 2 / 2.0)
