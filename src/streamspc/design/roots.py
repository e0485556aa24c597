"""Limits from average run lengths: the root of an ARL that grows with the limit.

The logarithm of an ARL is nearly linear in the limit of most charts (exactly so, for large limits, for a CUSUM), so the root is sought
on that scale: by the secant through the latest two limits until there is one on either side, then by Brent's method.

Source: Brent, R. P. (1973), Algorithms for minimization without derivatives, chapter 4.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.optimize import brentq

_TINY, _HUGE = 1e-9, 1e9
_RUNGS = (0.6, 0.03, 1e-4), (0.8, 3e-4, 1e-7), (1.0, 1e-5, 1e-10)
_SECANTS, _FARTHEST = 30, 3.0  # on a rung, and the factor of one
_PAST = 1.1  # times the way to the root of the secant, so that the next limit is on its other side
_STEP = 1.1, 4.0  # the next limit is farther by a factor, from and to


def limit_for(arl: Callable[[float], float], arl0: float, start: float = 3.0, within: float = 1e-11) -> float:
    """The limit at which the increasing function `arl` takes the value `arl0`.

    Args:
        arl: average run length as a function of the limit; it may be infinite.
        arl0: the average run length that is wished for, more than 1 and finite.
        start: a first guess of the limit, above 0.
        within: relative error of the average run length that will do; they are hardly known better than to 1e-11.

    Raises:
        ValueError: `arl0` is not a finite number above 1, or no limit from 1e-9 to 1e9 has it.

    >>> round(limit_for(lambda limit: math.exp(limit), 370.4), 6)
    5.914584
    """
    if not (math.isfinite(arl0) and arl0 > 1.0):
        raise ValueError(f"arl0 must be a finite number above 1, got {arl0}")
    goal, known = math.log(arl0), dict[float, float]()

    def excess(limit: float) -> float:
        if limit not in known:
            value = min(math.log(arl(limit)) - goal, 1e3)  # an infinite ARL is merely a large one here
            known[limit] = 0.0 if abs(value) < within else value
        return known[limit]

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


def by_ladder(arl: Callable[[float, float, float], float], guess: float, slope: float, arl0: float) -> float:
    """The limit at which an average that is dear to compute takes the value `arl0`, by secants with more nodes the nearer it is.

    Each rung is so large a share of the nodes, left when log ARL is so near, by equations solved so well; the next one starts with the
    slope of the one before. What the last secant leaves is far less than the last distance.

    Args:
        arl: average run length as a function of limit, share of the nodes, and what may be left of the equation.
        guess: a limit above 0.
        slope: a guess by how much log ARL rises per limit.
        arl0: the average run length that is wished for.

    Raises:
        ValueError: thirty secants do not come near it.

    >>> round(by_ladder(lambda limit, share, within: math.exp(limit + (1.0 - share) ** 9), 5.0, 2.0, 370.4), 6)
    5.914584
    """
    limit = guess
    for share, enough, within in _RUNGS:
        before: tuple[float, float] | None = None
        for _ in range(_SECANTS):
            excess = math.log(arl(limit, share, within) / arl0)
            if before is not None and (excess - before[1]) * (limit - before[0]) > 0.0:  # else what is left of the equation decides
                slope = (excess - before[1]) / (limit - before[0])
            before, limit = (limit, excess), min(max(limit - excess / slope, limit / _FARTHEST), limit * _FARTHEST)
            if abs(excess) < enough:
                break
    if abs(excess) >= enough:
        raise ValueError(f"no limit was found with an average run length of {arl0:g}: the nearest has {arl0 * math.exp(excess):g}")
    return limit


def _bracket(excess: Callable[[float], float], start: float, arl0: float) -> tuple[float, float]:
    """Two limits with the root between them; equal when the root was hit."""
    here, value = start, excess(start)
    upward, factor = value < 0.0, 1.25
    while value != 0.0 and _TINY < here < _HUGE:
        there = here * factor if upward else here / factor
        beyond = excess(there)
        if beyond == 0.0 or (beyond > 0.0) == upward:
            return (here, there) if upward else (there, here)
        slope = (beyond - value) / (there - here)
        target = there - _PAST * beyond / slope if slope > 0.0 else 0.0
        ratio = (target / there if upward else there / target) if target > 0.0 else _STEP[1]
        here, value, factor = there, beyond, min(max(ratio, _STEP[0]), _STEP[1])
    if value == 0.0:
        return here, here
    raise ValueError(f"no limit between {_TINY:g} and {_HUGE:g} has an average run length of {arl0:g}")
