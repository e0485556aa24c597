"""The smallest limit on a lattice whose average run length is at least the one wished for.

Bisection on the number of steps, in turn with the point at which the logarithm of the average run length, taken as linear, reaches the
goal: charts are all but linear on that scale, so a few evaluations suffice where the lattice is coarse.
"""

from __future__ import annotations

import math
from collections.abc import Callable

_FINE = 10**12  # on a lattice finer than this, the limit is found to this relative precision
_DOUBLINGS = 40


def smallest(arl: Callable[[int], float], arl0: float, guess: int) -> int:
    """The smallest number of steps n >= 1 with arl(n) >= arl0; `arl` must not decrease.

    Raises:
        ValueError: no limit has that average run length, or the chart can never signal.

    >>> smallest(lambda n: 1.5**n, 10.0, 1)
    6
    """
    low, below = 0, 1.0
    high, above = guess, _finite(arl(guess))
    for _ in range(_DOUBLINGS):
        if above >= arl0:
            break
        low, below = high, above
        high *= 2
        above = _finite(arl(high))
    else:
        raise ValueError(f"no limit up to {high} steps of the lattice has an average run length of {arl0:g}")
    straight = False
    while high - low > 1 + high // _FINE:
        straight = not straight
        middle = low + (high - low) // 2
        if straight:
            share = math.log(arl0 / below) / math.log(above / below)
            middle = min(max(low + math.ceil((high - low) * share), low + 1), high - 1)
        value = _finite(arl(middle))
        if value >= arl0:
            high, above = middle, value
        else:
            low, below = middle, value
    return high


def _finite(value: float) -> float:
    if math.isinf(value):
        raise ValueError("the chart can never signal, so any limit will do")
    return value
