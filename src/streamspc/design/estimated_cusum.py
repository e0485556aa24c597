"""CUSUM charts whose centre and sigma were estimated in Phase I: limits that allow for it.

With u and w as in `phase_one_limits`, a point in estimated units is (x - u) / w: the chart is a CUSUM of x with k w, h w and a shift of -u.
`headstart` is in estimated sigma, as k and h are.

Sources: Jones, Champ & Rigdon (2004), The run length distribution of the CUSUM with estimated parameters, Journal of Quality Technology
36; Gandy & Kvaloy (2013), Guaranteed conditional performance of control charts via bootstrap methods, Scandinavian Journal of Statistics
40; Saleh, Zwetsloot, Mahmoud & Woodall (2016), CUSUM charts with controlled conditional performance under estimated parameters, Quality
Engineering 28.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from streamspc.design import arguments
from streamspc.design.cusum import SIDES, cusum_limit
from streamspc.design.many_cusums import Charts, cusum_means
from streamspc.design.phase_one import spread_of
from streamspc.design.phase_one_limits import Means, Phase, expected, guaranteed

if TYPE_CHECKING:
    from streamspc.model import Floats


def guaranteed_cusum_limit(  # noqa: PLR0913, PLR0917 - each argument is one number of the chart
    k: float,
    m: int,
    n: int = 1,
    arl0: float = 370.4,
    confidence: float = 0.9,
    sigma: str = "sd",
    sided: str = "two",
    headstart: float = 0.0,
) -> float:
    """The h with which a share `confidence` of all Phase I gives charts whose own ARL0 is at least arl0.

    Phase I: m points (n = 1) or m samples of n; `sigma` is "sd" (s / c4), "moving_range" (mean / 1.128379), both for n = 1, or "pooled"
    (Sp / c4) for samples. k and h count estimated sigma.
    `headstart` is the starting value of the statistic, of both sides when there are two; `sided` is "two", "upper" or
    "lower"; signal at S > h (Gandy & Kvaloy 2013).

    Raises:
        ValueError: an argument that cannot be ("sd" and "moving_range" need n = 1, "pooled" n above 1), or no limit has this guarantee
            after so few points.

    >>> round(guaranteed_cusum_limit(0.5, 100), 3)
    6.203
    """
    k, headstart = arguments.non_negative("k", k), arguments.non_negative("headstart", headstart)
    confidence = arguments.share("confidence", confidence)
    return _limit((k, arguments.run_length("arl0", arl0), arguments.one_of("sided", sided, SIDES), headstart), (m, n, sigma), confidence)


def expected_rate_cusum_limit(  # noqa: PLR0913, PLR0917 - each argument is one number of the chart
    k: float, m: int, n: int = 1, arl0: float = 370.4, sigma: str = "sd", sided: str = "two", headstart: float = 0.0
) -> float:
    """The h whose alarm rate 1 / ARL0, averaged over all Phase I, is 1 / arl0. Phase I (m, n, `sigma`) as in `guaranteed_cusum_limit`.

    `headstart` and `sided` too (Jones, Champ & Rigdon 2004).

    Raises:
        ValueError: an argument that cannot be ("sd" and "moving_range" need n = 1, "pooled" n above 1), or no limit has this rate after
            so few points.

    >>> round(expected_rate_cusum_limit(0.5, 100), 3)
    5.266
    """
    k, headstart = arguments.non_negative("k", k), arguments.non_negative("headstart", headstart)
    return _limit((k, arguments.run_length("arl0", arl0), arguments.one_of("sided", sided, SIDES), headstart), (m, n, sigma), None)


@lru_cache(maxsize=512)
def _limit(chart: tuple[float, float, str, float], estimates: tuple[int, int, str], confidence: float | None) -> float:
    k, arl0, sided, headstart = chart
    phase = Phase(estimates[0], spread_of(*estimates), sided == "two")
    start = headstart, cusum_limit(k, arl0, sided, headstart)
    if confidence is None:
        return expected(_means(k, sided, headstart), phase, arl0, start)
    return guaranteed(_means(k, sided, headstart), phase, arl0, confidence, start)


def _means(k: float, sided: str, headstart: float) -> Means:
    def means(h: float, w: Floats, u: Floats) -> Floats:
        return cusum_means(Charts(k * w, h * w, -u, np.minimum(headstart, h) * w), sided)

    return means
