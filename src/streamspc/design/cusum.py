"""Tabular CUSUM of normal points: average run lengths and limits.

The chart: S+ = max(0, S+ + x - k), S- = max(0, S- - x - k), a signal when one of them is strictly above h; x in sigma from the centre.
`headstart` is the starting value of the statistic itself, of both when there are two. In control at k = 0.5, h = 5: ARL0 465.44 two-sided,
930.89 one-sided; Siegmund's approximation says 469.1.

Sources: Page (1954), Continuous inspection schemes, Biometrika 41; Lucas & Crosier (1982), Fast initial response for CUSUM
quality-control schemes, Technometrics 24 (head start, steady state); Hawkins & Olwell (1998), Cumulative sum charts and charting for
quality improvement.
"""

from __future__ import annotations

import math
from functools import lru_cache, partial

from streamspc.design import arguments
from streamspc.design.cusum_pair import pair, survivors
from streamspc.design.cusum_side import side
from streamspc.design.far_limit import FAR, applies, far_mean
from streamspc.design.roots import limit_for
from streamspc.design.siegmund import siegmund_limit

SIDES = ("two", "upper", "lower")
STATES = ("zero", "steady")


def cusum_arl(  # noqa: PLR0913, PLR0917 - each argument is one number of the chart
    k: float, h: float, shift: float = 0.0, sided: str = "two", headstart: float = 0.0, state: str = "zero"
) -> float:
    """Average run length of a CUSUM with reference value k and limit h, in sigma of the plotted statistic.

    `state="zero"`: from `headstart`. `state="steady"`: conditional steady state, the limit of E[RL - tau | RL > tau] when a chart that has
    been in control for tau points shifts; it does not depend on the head start. Two-sided: over the joint law of both sides.

    Raises:
        ValueError: k, h or the head start is negative or not finite, the head start is above h, or h is above 1900 or so in a
            steady state, with a head start near h, or with a shift that is more than 1 from k or -k.

    >>> round(cusum_arl(0.5, 5), 2), round(cusum_arl(0.5, 5, headstart=2.5), 1), round(cusum_arl(0.5, 5, shift=1.0), 2)
    (465.44, 430.4, 10.38)
    >>> round(cusum_arl(0.5, 3, sided="upper"), 4)
    117.5957
    """
    k, h = arguments.non_negative("k", k), arguments.non_negative("h", h)
    shift, headstart = arguments.finite("shift", shift), arguments.non_negative("headstart", headstart)
    if headstart > h:
        raise ValueError(f"headstart is {headstart:g}: a chart cannot start above its limit h = {h:g}")
    if arguments.one_of("state", state, STATES) == "steady":
        return _steady(k, h, shift, arguments.one_of("sided", sided, SIDES))
    return _zero(k, h, shift, arguments.one_of("sided", sided, SIDES), headstart)


def cusum_limit(k: float, arl0: float, sided: str = "two", headstart: float = 0.0) -> float:
    """The limit h at which a CUSUM in control has the average run length arl0.

    `headstart` is the starting value of the statistic, whatever h comes out; h is not below it.

    Raises:
        ValueError: k or the head start is negative or not finite, or arl0 is not above 1 or below that of h = headstart.

    >>> round(cusum_limit(0.5, 370.4), 6)
    4.774897
    """
    k, arl0 = arguments.non_negative("k", k), arguments.run_length("arl0", arl0)
    headstart = arguments.non_negative("headstart", headstart)
    return _limit(k, arl0, arguments.one_of("sided", sided, SIDES), headstart)


@lru_cache(maxsize=4096)
def _zero(k: float, h: float, shift: float, sided: str, headstart: float) -> float:
    drifts = {"two": (k - shift, k + shift), "upper": (k - shift,), "lower": (k + shift,)}[sided]
    apart = sided != "two" or 2.0 * headstart <= h + 2.0 * k
    if apart and all(applies(h - headstart, drift) for drift in drifts):
        return _far(h, drifts, headstart)
    if sided == "two":
        return max(1.0, pair(k, h, shift).mean_from(headstart))
    return side(k, h, shift if sided == "upper" else -shift).mean_from(headstart)


def _near(drift: float, h: float) -> float:
    return float(side(drift, h, 0.0).chain.mean[0])


def _far(h: float, drifts: tuple[float, ...], headstart: float) -> float:
    """Average run length where h is far; what a head start takes from it does not depend on h then."""
    share, rate = 1.0, 0.0
    for drift in drifts:
        mean = far_mean(partial(_near, drift), h, drift)
        rate += 1.0 / mean
        if headstart > 0.0 and mean < math.inf:
            short = side(drift, headstart + FAR, 0.0)
            share -= (short.mean_from(0.0) - short.mean_from(headstart)) / mean
    return share / rate if rate > 0.0 else math.inf


@lru_cache(maxsize=4096)
def _steady(k: float, h: float, shift: float, sided: str) -> float:
    if sided == "two":
        law, chart = survivors(k, h), pair(k, h, shift)
        return max(1.0, float(law @ chart.mean(chart.upper.states, chart.lower.states)))
    law, after = side(k, h, 0.0).chain.law, side(k, h, shift if sided == "upper" else -shift)
    return max(1.0, float(law @ after.chain.mean))


@lru_cache(maxsize=1024)
def _limit(k: float, arl0: float, sided: str, headstart: float) -> float:
    least = _zero(k, headstart, 0.0, sided, headstart)
    if least > arl0:
        raise ValueError(f"arl0 is {arl0:g}: with k = {k:g} and head start {headstart:g} it is at least {least:.6g}")

    def excess(above: float) -> float:
        return _zero.__wrapped__(k, headstart + above, 0.0, sided, headstart)

    guess = siegmund_limit(k, 2.0 * arl0 if sided == "two" else arl0) - headstart
    return headstart + (limit_for(excess, arl0, max(guess, 0.01)) if least < arl0 else 0.0)
