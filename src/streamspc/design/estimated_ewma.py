"""EWMA charts whose centre and sigma were estimated in Phase I: limits that allow for it.

With u and w as in `phase_one_limits`, a point in estimated units is (x - u) / w: the chart is an EWMA of x with limits L w and a shift of
-u. `headstart` is in estimated sigma of a point.

Sources: Jones, Champ & Rigdon (2001), The performance of exponentially weighted moving average charts with estimated parameters,
Technometrics 43; Saleh, Mahmoud, Jones-Farmer, Zwetsloot & Woodall (2015), Another look at the EWMA control chart with estimated
parameters, Journal of Quality Technology 47 (guaranteed performance).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from streamspc.design import arguments
from streamspc.design.ewma import LIMITS, ewma_limit
from streamspc.design.ewma_smooth import asymptotic
from streamspc.design.many_ewmas import Charts, Ratio, exact_means, fixed_means
from streamspc.design.phase_one import spread_of
from streamspc.design.phase_one_limits import Means, Phase, expected, guaranteed, guaranteed_scale

if TYPE_CHECKING:
    from streamspc.model import Floats


def guaranteed_ewma_limit(  # noqa: PLR0913, PLR0917 - each argument is one number of the chart
    lam: float,
    m: int,
    n: int = 1,
    arl0: float = 370.4,
    confidence: float = 0.9,
    sigma: str = "sd",
    sided: str = "two",
    headstart: float = 0.0,
    limits: str = "fixed",
) -> float:
    """The L with which a share `confidence` of all Phase I gives charts whose own ARL0 is at least arl0.

    Phase I: m points (n = 1) or m samples of n; `sigma` is "sd" (s / c4), "moving_range" (mean / 1.128379), both for n = 1, or "pooled"
    (Sp / c4) for samples. Z = (1 - lam) Z + lam x; L multiplies the sigma of Z that follows from the estimated one. The chart is
    two-sided: `sided` is "two"; `limits` is "fixed" or "exact" (Saleh et al. 2015; Gandy & Kvaloy 2013).

    Raises:
        ValueError: an argument that cannot be ("sd" and "moving_range" need n = 1, "pooled" n above 1; `sided` other than "two"), or no
            limit has this guarantee after so few points.

    >>> round(guaranteed_ewma_limit(0.1, 100), 3)
    3.237
    """
    confidence = arguments.share("confidence", confidence)
    return _limit(_chart(lam, arl0, sided, headstart, limits), (m, n, sigma), confidence)


def expected_rate_ewma_limit(  # noqa: PLR0913, PLR0917 - each argument is one number of the chart
    lam: float,
    m: int,
    n: int = 1,
    arl0: float = 370.4,
    sigma: str = "sd",
    sided: str = "two",
    headstart: float = 0.0,
    limits: str = "fixed",
) -> float:
    """The L whose alarm rate 1 / ARL0, averaged over all Phase I, is 1 / arl0.

    Phase I (m, n, `sigma`), lam and the rest as in `guaranteed_ewma_limit` (Jones, Champ & Rigdon 2001).

    Raises:
        ValueError: an argument that cannot be ("sd" and "moving_range" need n = 1, "pooled" n above 1; `sided` other than "two"), or no
            limit has this rate after so few points.

    >>> round(expected_rate_ewma_limit(0.1, 100), 3)
    2.924
    """
    return _limit(_chart(lam, arl0, sided, headstart, limits), (m, n, sigma), None)


_ORDERS = (60, 11), (30, 15), (0, 21)  # of the interpolation, from so many points or samples on
_ROUNDS = 12  # of exact limits, whose means are interpolated near the latest limit
_Chart = tuple[float, float, float, bool]  # lam, arl0, head start, exact limits


def _chart(lam: float, arl0: float, sided: str, headstart: float, limits: str) -> _Chart:
    arguments.one_of("sided", sided, ("two",))
    exact = arguments.one_of("limits", limits, LIMITS) == "exact"
    return arguments.weight("lam", lam), arguments.run_length("arl0", arl0), abs(arguments.finite("headstart", headstart)), exact


@lru_cache(maxsize=512)
def _limit(chart: _Chart, estimates: tuple[int, int, str], confidence: float | None) -> float:
    lam, arl0, headstart, exact = chart
    phase = Phase(estimates[0], spread_of(*estimates), even=headstart == 0.0)
    least, sigma = headstart / asymptotic(lam), asymptotic(lam)
    if confidence is not None and headstart == 0.0:
        means = exact_means if exact else fixed_means
        known = sigma * ewma_limit(lam, arl0, "exact" if exact else "fixed")
        scaled = guaranteed_scale(lambda limit, u: means(lam, Charts(limit, u, np.zeros(len(u)))), phase, (arl0, confidence), known)
        return scaled / sigma

    def solved(means: Means, guess: float) -> float:
        start = least, max(guess, least + 0.1)
        return expected(means, phase, arl0, start) if confidence is None else guaranteed(means, phase, arl0, confidence, start)

    limit = solved(_means(lam, headstart, None), ewma_limit(lam, arl0))
    for _ in range(_ROUNDS if exact else 0):
        before, limit = limit, solved(_means(lam, headstart, _ratio(chart, phase, limit)), limit)
        if abs(limit - before) < (1e-6 if headstart else 0.03) * limit:
            break
    return limit


def _ratio(chart: _Chart, phase: Phase, limit: float) -> Ratio:
    """Exact over fixed limits for all estimates that count, near a limit L."""
    lam, _, headstart, _ = chart
    low, high, far = max(phase.range[0], 1.0 - 6.5 * phase.spread.sd), 1.0 + 5.0 * phase.spread.sd, phase.range[2]
    order = next(order for least, order in _ORDERS if phase.m >= least)
    scale = limit * asymptotic(lam)
    return Ratio(lam, (0.95 * low * scale, 1.05 * high * scale), (-far, far), headstart / scale, order)


def _means(lam: float, headstart: float, ratio: Ratio | None) -> Means:
    def means(limit: float, w: Floats, u: Floats) -> Floats:
        scale = limit * asymptotic(lam)
        charts = Charts(scale * w, -u, np.minimum(headstart, scale) * w)
        mean = fixed_means(lam, charts)
        return mean if ratio is None else mean * ratio.at(charts)

    return means
