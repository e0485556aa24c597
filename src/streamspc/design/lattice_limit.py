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
_LED, _PAST = 6, 1.02  # steps to where the shift leads, and a little past it
_HUGE, _CLOSE = 1e300, 1e6
_SAME = 1e-10  # relative


def smallest(
    arl: Callable[[int], float], arl0: float, near: Callable[[float], float], heights: Callable[[int, int], list[int] | None] | None = None
) -> int:
    """The smallest number of steps n >= 1 with arl(n) >= arl0; `arl` must not decrease.

    Args:
        arl: average run length as a function of the number of steps.
        arl0: the average run length that is wished for.
        near: about the number of steps with an average run length; it may be wrong by a shift.
        heights: all n with low < n <= high at which `arl` may grow, ascending; None when they are too many to list.

    Raises:
        ValueError: no limit has that average run length, or the chart can never signal.

    >>> smallest(lambda n: 1.5**n, 10.0, lambda length: 2.0 * length)
    6
    """
    if math.isinf(arl(1)):
        raise ValueError("the chart can never signal, so any limit will do")
    heights = heights or _unknown
    bracket = _bracket(lambda n: min(arl(n), _HUGE), arl0, near, heights)
    return _within(arl, arl0, bracket, heights)


def _bracket(
    arl: Callable[[int], float], arl0: float, near: Callable[[float], float], heights: Callable[[int, int], list[int] | None]
) -> tuple[int, float, int, float]:
    """Two numbers of steps with the smallest between them, and their average run lengths: `near`, but for its shift, leads to it."""
    low, below, high, above = 0, 1.0, 0, math.inf
    goal = near(arl0)
    n = max(round(goal), 1)
    for tried in range(_DOUBLINGS):
        value = arl(n)
        low, below, high, above = (low, below, n, value) if value >= arl0 else (n, value, high, above)
        if high and (tried > _LED or heights(low, high) is not None):
            break
        step = goal - near(min(value, arl0 * _CLOSE))
        led = n + round(_PAST * step + math.copysign(1.0, arl0 - value))
        within = low < led < high if high else low < led
        if high and not within:
            break
        n = led if within and tried < _LED else 2 * n
    if not high:
        raise ValueError(f"no limit up to {low} steps of the lattice has an average run length of {arl0:g}")
    return low, below, high, above


def _within(
    arl: Callable[[int], float], arl0: float, bracket: tuple[int, float, int, float], heights: Callable[[int, int], list[int] | None]
) -> int:
    """The smallest n in the bracket."""
    low, below, high, above = bracket
    width, budget = high - low, (high - low) * 2  # the widest that bisection and one evaluation more would leave, halved each time
    while high - low > 1 + high // _FINE and above > below * (1.0 + _SAME):
        listed = heights(low, high)
        if listed is not None and len(listed) < high - low:
            return _among(arl, arl0, (listed, below, above)) if listed else high
        share = math.log(arl0 / below) / math.log(above / below)
        budget = max(budget // 2, 1)
        middle = _between(low, high, share, (width, budget))
        value = min(arl(middle), _HUGE)
        if value >= arl0:
            high, above = middle, value
        else:
            low, below = middle, value
    return high


def _among(arl: Callable[[int], float], arl0: float, listed: tuple[list[int], float, float]) -> int:
    """The smallest n of a list, the average run length before it, and that of its last."""
    numbers, below, above = listed
    return numbers[_within(lambda i: arl(numbers[i - 1]), arl0, (0, below, len(numbers), above), _unknown) - 1]


def _unknown(_low: int, _high: int) -> None:
    """Any step may matter."""


def _between(low: int, high: int, share: float, size: tuple[int, int]) -> int:
    """The next place to look: the line's root, moved towards the middle, and no farther from it than the budget of width allows."""
    width, budget = size
    half, line = low + (high - low) // 2, low + math.ceil((high - low) * share)
    nudge = max(1, int(0.2 * (high - low) ** 2 / width))
    moved = min(line + nudge, half) if line < half else max(line - nudge, half)
    slack = max(budget - (high - low) // 2, 0)
    return min(max(moved, half - slack, low + 1), half + slack, high - 1)
