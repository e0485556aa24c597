"""Shewhart charts whose centre and sigma were estimated in Phase I: the average over estimates, and limits that allow for them.

With u the error of the centre in sigma of the plotted statistic, normal with variance 1 / m, and w the estimated over the true sigma
(`phase_one`), independent of u, a point signals with probability

    p(u, w) = Phi(-(L w + u - shift)) + Phi(-(L w - u + shift))

and the chart has, for ever, the average run length 1 / p(u, w).

Sources: Quesenberry (1993), The effect of sample size on estimated limits for Xbar and X control charts, Journal of Quality Technology
25; Chen (1997), The mean and standard deviation of the run length distribution of Xbar charts when control limits are estimated,
Statistica Sinica 7; Albers & Kallenberg (2004), Are estimated control charts in control?, Statistics 38; Hillier (1969), Xbar- and R-chart
control limits based on a small number of subgroups, Journal of Quality Technology 1 (the expected rate).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq
from scipy.special import log_ndtr, ndtri, stdtrit

from streamspc.design import arguments
from streamspc.design.panels import composite
from streamspc.design.phase_one import ChiSpread, Spread, spread_of
from streamspc.design.quadrature import normal_density
from streamspc.design.roots import limit_for

if TYPE_CHECKING:
    from streamspc.model import Floats


def estimated_shewhart_arl(m: int, n: int = 1, L: float = 3.0, shift: float = 0.0, sigma: str = "sd") -> float:  # noqa: N803 - the literature's name
    """Average run length over all Phase I of m points (n = 1), or m samples of n, with limits at the estimated centre +- L sigma.

    `sigma` is "sd" (s / c4), "moving_range" (mean / 1.128379), both for n = 1, or "pooled" (Sp / c4) for samples. `shift` is in sigma of
    the plotted statistic. The few charts whose sigma came out large never signal and dominate the average; it is infinite, and refused,
    where L^2 reaches the rate at which the law of the estimate falls (for "sd", (m - 1) c4^2).
    Source: Quesenberry 1993; Chen 1997.

    Raises:
        ValueError: m, n or `sigma` cannot be ("sd" and "moving_range" need n = 1, "pooled" n above 1), L is not above 0, or the average
            is infinite.

    >>> round(estimated_shewhart_arl(30), 1), round(estimated_shewhart_arl(25, 5, sigma="pooled"), 1)
    (1000.5, 418.5)
    """
    spread = spread_of(m, n, sigma)
    L, shift = arguments.positive("L", L), arguments.finite("shift", shift)  # noqa: N806
    if spread.tail <= L * L:
        raise ValueError(
            f"m is {m}, L is {L:g}: the average run length over Phase I is infinite; it is finite for L below {math.sqrt(spread.tail):.4g}"
        )
    return _average(m, n, L, abs(shift), sigma)


@lru_cache(maxsize=512)
def _average(m: int, n: int, limit: float, shift: float, sigma: str) -> float:
    """E 1 / p, in logarithms as 1 / p is large where the law of the estimate is small."""
    spread = spread_of(m, n, sigma)
    w, mass = _estimates(spread, limit)
    density = mass * spread.density(w).clip(0.0)
    drift = max(0.0, (limit * float(w[-1]) - shift) / max(m - 1.0, 1.0))
    wide = 10.0 / math.sqrt(max(m - 1.0, 1.0))
    low, high = -wide, wide + min(shift, drift)
    feature = min(1.0 / math.sqrt(m), 1.0 / (limit * float(w[-1])))
    u, share = composite(low, high, math.ceil((high - low) / (2.0 * feature)))
    with np.errstate(divide="ignore"):
        log = np.log(density)[:, None] + np.log(share * normal_density(u * math.sqrt(m)) * math.sqrt(m))
    log -= _log_signal(limit * w[:, None], u - shift)
    return float(np.exp(log).sum())


def _estimates(spread: Spread, limit: float) -> tuple[Floats, Floats]:
    """Nodes and weights where the density times 1 / p is not negligible."""
    low, high, deviation = spread.window(limit)
    return composite(low, high, math.ceil((high - low) / (2.0 * deviation)))


def _log_signal(y: Floats, u: Floats) -> Floats:
    """Log of P(|N - u| > y)."""
    log: Floats = np.logaddexp(log_ndtr(-y - u), log_ndtr(u - y))
    return log


@lru_cache(maxsize=512)
def guaranteed_limit(m: int, n: int = 1, arl0: float = 370.4, confidence: float = 0.9, sigma: str = "sd") -> float:
    """The L with which a share `confidence` of all Phase I gives charts whose own ARL0 is at least `arl0`.

    Estimates as in `estimated_shewhart_arl`; the limits are the estimated centre +- L estimated sigma.
    Source: Albers & Kallenberg 2004.

    Raises:
        ValueError: m, n or `sigma` cannot be ("sd" and "moving_range" need n = 1, "pooled" n above 1), arl0 is not above 1, or
            `confidence` is not between 0 and 1.

    >>> round(guaranteed_limit(300, confidence=0.95), 6), round(guaranteed_limit(100), 2)
    (3.220423, 3.32)
    """
    spread = spread_of(m, n, sigma)
    arl0, confidence = arguments.run_length("arl0", arl0), arguments.share("confidence", confidence)
    u, share = composite(0.0, 9.0, 9)
    share = 2.0 * share * normal_density(u)
    needed = _needed(u / math.sqrt(m), 1.0 / arl0)

    def excess(log_limit: float) -> float:
        return float(share @ spread.above(needed / math.exp(log_limit))) - confidence

    low = high = math.log(needed[0])
    while excess(low) > 0.0:
        low -= 0.5
    while excess(high) < 0.0:
        high += 0.5
    return math.exp(float(brentq(excess, low, high, xtol=1e-13, rtol=1e-13)))


def _needed(u: Floats, rate: float) -> Floats:
    """The half width y with P(|N - u| > y) = rate, by Newton's method on the logarithm, concave in y."""
    y: Floats = u - ndtri(rate / 2.0)
    for _ in range(60):
        log = _log_signal(y, u)
        slope = -(normal_density(y - u) + normal_density(y + u)) / np.exp(log)
        step = (log - math.log(rate)) / slope
        y -= step
        if float(np.abs(step).max()) < 1e-14 * float(y.max()):
            break
    return y


@lru_cache(maxsize=512)
def expected_rate_limit(m: int, n: int = 1, arl0: float = 370.4, sigma: str = "sd") -> float:
    """The L whose alarm rate, averaged over all Phase I, is 1 / arl0, with limits at the estimated centre +- L estimated sigma.

    L multiplies the unbiased estimate of sigma: s / c4(m) where `sigma` is "sd". A new point less the estimated centre has variance
    1 + 1 / m, and divided by s it has the t law. So in terms of s itself the limits lie at T s, T = t(m - 1) sqrt(1 + 1 / m) with the
    quantile at 1 - 1 / (2 arl0), and

        L = c4(m) T = c4(m) t(m - 1) sqrt(1 + 1 / m).

    Whoever writes limits as centre +- T s takes L / c4(m). Likewise for "pooled", with m (n - 1) degrees of freedom.

    Raises:
        ValueError: m, n, arl0 or `sigma` cannot be.

    >>> round(expected_rate_limit(25), 6), round(expected_rate_limit(25) / 0.989640, 4)
    (3.375657, 3.411)
    """
    spread = spread_of(m, n, sigma)
    arl0 = arguments.run_length("arl0", arl0)
    wider = math.sqrt(1.0 + 1.0 / m)
    if isinstance(spread, ChiSpread):
        return -float(stdtrit(spread.df, 0.5 / arl0)) * wider * spread.c4
    return limit_for(lambda limit: 1.0 / spread.expected_rate(limit / wider), arl0)
