"""A first guess of a CUSUM's limit: Siegmund's approximation to the average run length of one side, turned round.

With points of variance 1 whose mean is k below the reference value, and b = h + 1.166, ARL = (exp(2 k b) - 2 k b - 1) / (2 k^2). For other
points k and h are in units of the standard deviation of their sum over many points, per root of a point.

Source: Siegmund, D. (1985), Sequential analysis, chapter 10.
"""

from __future__ import annotations

import math

from scipy.optimize import brentq

_OVERSHOOT = 1.166  # 2 * 0.583 standard deviations


def siegmund_limit(k: float, arl0: float) -> float:
    """The h with the average run length arl0; below 0 where arl0 is small. k may be negative: then the sum rises.

    >>> round(siegmund_limit(0.5, 930.9), 1)
    5.0
    """

    def excess(b: float) -> float:
        growth = 2.0 * k * b
        in_control = (math.exp(growth) - growth - 1.0) / (2.0 * k * k) if abs(growth) > 2e-3 else b * b * (1.0 + growth / 3.0)
        return in_control - arl0

    if k < 0.0:
        high = 2.0 * math.sqrt(arl0) - 2.0 * k * arl0
    else:
        high = min(math.log(2.0 * k * k * arl0 + 20.0) / max(k, 1e-300), 2.0 * math.sqrt(arl0))
    return float(brentq(excess, 0.0, high)) - _OVERSHOOT
