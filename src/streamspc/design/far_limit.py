"""The average run length of one side of a CUSUM with a far limit, in closed form but for two numbers.

Let p be the chance of a point beyond the Shewhart limits, wherever the CUSUM stands (0 without them), and M(t) the moment generating
function of a step over the points that are within. M(t) = 1 has two real roots u > v. Away from 0 and from h the equation
A(s) = 1 + E[A(S')] is solved by 1 / p less a combination of e^(us) and e^(vs), whose ratio the barrier at 0 fixes and whose size the
limit does. So, with w = 1 + p G,
    A(0) = G(h) / w(h),    w(h) = a combination of e^(uh) and e^(vh),
which tends to G = g2(h) + b g1(h) + c, g1 = (e^(2kh) - 1) / 2k, g2 = (e^(2kh) - 1 - 2kh) / 2k^2, for p = 0 (steps of mean -k). The other,
complex roots of M(t) = 1, sqrt(k^2 +- 4 pi i) from k for normal points, fade like e^(-2.5h): two short charts, whose equations are solved,
give the two numbers.

Source: Siegmund (1985), Sequential analysis, chapter X (the form and its corrections b and c for k towards 0).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr

FAR, _NEAR, _DRIFT, _CLIP = 20.0, (16.0, 20.0), 1.0, 2.5
_LARGEST = 700.0  # exponents
_SETTLED = 1e-11  # short of 1 / p, relatively: the CUSUM no longer matters


def applies(h: float, drift: float, within: tuple[float, float] = (-math.inf, math.inf)) -> bool:
    """Is the limit so far, in sigma, that the rest is below 1e-11? `within`: what a point may be, from its mean."""
    return h > FAR and abs(drift) <= _DRIFT and within[0] <= -_CLIP and within[1] >= _CLIP


def far_mean(near: Callable[[float], float], h: float, drift: float, within: tuple[float, float] = (-math.inf, math.inf)) -> float:
    """Average run length from 0 of a side with the limit h.

    Args:
        near: the same of a short chart, as a function of its limit.
        h: the limit, where `applies`.
        drift: of the CUSUM, downwards, per point.
        within: what a point may be without a signal, from its mean.
    """
    beyond = float(ndtr(within[0]) + ndtr(-within[1]))
    roots = _roots(drift, within) if beyond > 0.0 else (2.0 * max(drift, 0.0), 2.0 * min(drift, 0.0))
    if roots[0] * h > _LARGEST:
        return 1.0 / beyond if beyond > 0.0 else math.inf
    rows, values = [], []
    for limit in _NEAR:
        (g2, g1), mean = _growths(limit, roots, beyond), near(limit)
        if beyond * mean > 1.0 - _SETTLED:
            return 1.0 / beyond
        gain = mean / (1.0 - beyond * mean)
        rows.append((g1, 1.0 + beyond * g2))
        values.append(gain - g2)
    slope, offset = np.linalg.solve(np.array(rows), np.array(values))
    g2, g1 = _growths(h, roots, beyond)
    gain = float(offset + (1.0 + beyond * offset) * g2 + slope * g1)
    return gain / (1.0 + beyond * gain)


def _growths(h: float, roots: tuple[float, float], beyond: float) -> tuple[float, float]:
    """g2 and g1 at h: solutions with g2(0) = g2'(0) = g1(0) = 0 and g1'(0) = 1, and 1 + p g2 a combination of the two exponentials."""
    u, v = roots
    g1 = math.exp(v * h) * (math.expm1((u - v) * h) / (u - v) if u > v else h)
    if beyond > 0.0:
        return (u * math.expm1(v * h) - v * math.expm1(u * h)) / ((u - v) * beyond), g1
    growth = (u + v) * h
    if abs(growth) < 1e-2:
        return h * h * sum(2.0 * growth**n / math.factorial(n + 2) for n in range(7)), g1
    return 2.0 * h * h * (math.expm1(growth) - growth) / growth**2, g1


def _roots(drift: float, within: tuple[float, float]) -> tuple[float, float]:
    """The roots of M(t) = 1: one above 0, one below."""

    def excess(t: float) -> float:
        exponent = 0.5 * t * t - drift * t
        return math.expm1(exponent) - math.exp(exponent) * float(ndtr(within[0] - t) + ndtr(t - within[1]))

    def root(sign: float) -> float:
        far = sign * 1e-3
        while excess(far) < 0.0:
            far *= 2.0
        return float(brentq(excess, 0.0, far, xtol=1e-300, rtol=1e-14, maxiter=500))

    return root(1.0), root(-1.0)
