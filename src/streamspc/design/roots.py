"""Limits from average run lengths: the root of an ARL that grows with the limit.

The logarithm of an ARL is nearly linear in the limit of most charts (exactly so, for large limits, for a CUSUM), so the root is sought
on that scale: Brent's method in a bracket that grows or shrinks geometrically from a first guess.

Source: Brent, R. P. (1973), Algorithms for minimization without derivatives, chapter 4.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.optimize import brentq

_TINY, _HUGE = 1e-9, 1e9


def limit_for(arl: Callable[[float], float], arl0: float, start: float = 3.0) -> float:
    """The limit at which the increasing function `arl` takes the value `arl0`, to a relative error of 1e-12.

    Args:
        arl: average run length as a function of the limit; it may be infinite.
        arl0: the average run length that is wished for, more than 1 and finite.
        start: a first guess of the limit, above 0.

    Raises:
        ValueError: `arl0` is not a finite number above 1, or no limit from 1e-9 to 1e9 has it.

    >>> round(limit_for(lambda limit: math.exp(limit), 370.4), 6)
    5.914584
    """
    if not (math.isfinite(arl0) and arl0 > 1.0):
        raise ValueError(f"arl0 must be a finite number above 1, got {arl0}")
    goal = math.log(arl0)

    def excess(limit: float) -> float:
        return min(math.log(arl(limit)) - goal, 1e3)  # an infinite ARL is merely a large one here

    low, high = _bracket(excess, start, arl0)
    if low == high:
        return low
    return float(brentq(excess, low, high, xtol=1e-13 * high, rtol=1e-12))


def improved(arl: Callable[[float], float], near: Callable[[float], float], first: float, arl0: float, within: float = 1e-11) -> float:
    """The limit at which `arl` takes the value `arl0`, by secants from `first`; `near`, a cheaper function, has much the same slope.

    >>> round(improved(lambda limit: 1.1 * math.exp(limit), math.exp, math.log(370.4), 370.4), 6)
    5.819273
    """
    before, last, excess = first * 0.99, first, math.log(arl(first) / arl0)
    slope = math.log(near(first) / near(before)) / (first - before)
    for _ in range(20):
        before, last = last, last - excess / slope
        if abs(last - before) <= within * last:
            break
        was, excess = excess, math.log(arl(last) / arl0)
        slope = (excess - was) / (last - before)
    return last


def _bracket(excess: Callable[[float], float], start: float, arl0: float) -> tuple[float, float]:
    """Two limits with the root between them, in steps that grow; equal when the root was hit."""
    here, factor = start, 1.25
    value = excess(here)
    if value == 0.0:
        return here, here
    upward = value < 0.0
    while _TINY < here < _HUGE:
        there = here * factor if upward else here / factor
        if (excess(there) >= 0.0) == upward:
            return (here, there) if upward else (there, here)
        here, factor = there, min(factor * factor, 4.0)
    raise ValueError(f"no limit between {_TINY:g} and {_HUGE:g} has an average run length of {arl0:g}")
