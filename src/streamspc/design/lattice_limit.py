"""The smallest limit on a lattice whose average run length is at least the one wished for.

The logarithm of an average run length is all but linear in the limit, so the line through the ends of the bracket is a good guess of the
root; it is moved a little towards the middle, so that the bracket shrinks from both ends, and never so far from it that the search could
take more than an evaluation longer than bisection, which matters where the average run length rises in steps.

Source: Oliveira, I. F. D. and Takahashi, R. H. C. (2020), An enhancement of the bisection method average performance preserving minmax
optimality, ACM Transactions on Mathematical Software 47 (the ITP method).
"""

from __future__ import annotations

import math
from collections.abc import Callable

_FINE = 10**10  # on a lattice finer than this, the limit is found to this relative precision
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
    width, budget = high - low, (high - low) * 2  # the widest that bisection and one evaluation more would leave, halved each time
    while high - low > 1 + high // _FINE:
        share = math.log(arl0 / below) / math.log(above / below)
        budget = max(budget // 2, 1)
        middle = _between(low, high, share, (width, budget))
        value = _finite(arl(middle))
        if value >= arl0:
            high, above = middle, value
        else:
            low, below = middle, value
    return high


def _between(low: int, high: int, share: float, size: tuple[int, int]) -> int:
    """The next place to look: the line's root, moved towards the middle, and no farther from it than the budget of width allows."""
    width, budget = size
    half, line = low + (high - low) // 2, low + math.ceil((high - low) * share)
    nudge = max(1, int(0.2 * (high - low) ** 2 / width))
    moved = min(line + nudge, half) if line < half else max(line - nudge, half)
    slack = max(budget - (high - low) // 2, 0)
    return min(max(moved, half - slack, low + 1), half + slack, high - 1)


def _finite(value: float) -> float:
    if math.isinf(value):
        raise ValueError("the chart can never signal, so any limit will do")
    return value
