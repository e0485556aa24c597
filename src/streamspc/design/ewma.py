"""EWMA chart: average run lengths and limits.

The chart: Z = (1 - lam) Z + lam x from `headstart` (0), x in sigma from the centre; a signal when |Z| is strictly beyond its limit,
L times the asymptotic sigma sqrt(lam / (2 - lam)) with `limits="fixed"`, L times the sigma of Z_t with `limits="exact"`. The same L means
a shorter ARL0 with exact limits: 499.9 and 469.5 at lam = 0.05, L = 2.615. lam = 1 is a Shewhart chart.

Sources: Roberts (1959), Control chart tests based on geometric moving averages, Technometrics 1; Lucas & Saccucci (1990), Exponentially
weighted moving average control schemes, Technometrics 32; the equations are in `ewma_smooth`, `ewma_exact`, `ewma_law`.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from streamspc.design import arguments
from streamspc.design.cusum import STATES
from streamspc.design.ewma_exact import exact_mean
from streamspc.design.ewma_law import law_mean
from streamspc.design.ewma_smooth import asymptotic, smooth
from streamspc.design.roots import improved, limit_for
from streamspc.design.standardised import Law

LIMITS = ("fixed", "exact")


def ewma_arl(  # noqa: PLR0913, PLR0917 - each argument is one number of the chart
    lam: float,
    L: float,  # noqa: N803 - the literature's name
    shift: float = 0.0,
    limits: str = "fixed",
    headstart: float = 0.0,
    state: str = "zero",
    distribution: Any = None,
) -> float:
    """Average run length of a two-sided EWMA.

    `state="zero"`: from `headstart`, a value of Z. `state="steady"`: conditional steady state, the limit of E[RL - tau | RL > tau] when a
    chart that has been in control for tau points shifts; head start and kind of limits do not matter then. `distribution` is that of a
    point: normal (None, "normal") or a frozen, continuous scipy.stats one, standardised to mean 0 and variance 1 here; an object without
    `mean` and `std` is taken to be standardised.

    Raises:
        ValueError: lam is not above 0 and at most 1, L is negative or not finite, the head start is beyond the (fixed) limits, or the
            distribution has no density or no finite variance.

    >>> round(ewma_arl(0.1, 2.814), 1), round(ewma_arl(0.1, 2.814, shift=1.5), 6)
    (499.6, 6.084184)
    >>> round(ewma_arl(0.03, 2.437, shift=0.5, limits="exact"), 6)
    20.418947
    """
    lam, L, shift = arguments.weight("lam", lam), arguments.non_negative("L", L), arguments.finite("shift", shift)  # noqa: N806
    exact = arguments.one_of("limits", limits, LIMITS) == "exact"
    steady = arguments.one_of("state", state, STATES) == "steady"
    start = arguments.finite("headstart", headstart)
    if abs(start) > L * asymptotic(lam):
        raise ValueError(f"headstart is {start:g}: a chart cannot start beyond its limits +-{L * asymptotic(lam):.6g}")
    given = None if isinstance(distribution, str) and distribution == "normal" else distribution
    kind = "steady" if steady else "exact" if exact else "fixed"
    try:
        return _arl(lam, L, shift, kind, (start, given))
    except TypeError:  # a distribution that cannot be hashed is not cached
        return _arl.__wrapped__(lam, L, shift, kind, (start, given))


def ewma_limit(lam: float, arl0: float, limits: str = "fixed") -> float:
    """The L at which an EWMA of normal points in control has the average run length arl0, from 0.

    Raises:
        ValueError: lam is not above 0 and at most 1, or arl0 is not a finite number above 1.

    >>> round(ewma_limit(0.05, 370.4), 5), round(ewma_limit(0.1, 370.4), 5), round(ewma_limit(0.2, 370.4), 5)
    (2.49015, 2.70146, 2.85934)
    """
    lam, arl0 = arguments.weight("lam", lam), arguments.run_length("arl0", arl0)
    return _limit(lam, arl0, arguments.one_of("limits", limits, LIMITS))


@lru_cache(maxsize=4096)
def _arl(lam: float, L: float, shift: float, kind: str, start: tuple[float, Any]) -> float:  # noqa: N803
    limit, (headstart, distribution) = L * asymptotic(lam), start
    if distribution is not None:
        return law_mean(Law(distribution, 0.0), (lam, limit, shift), kind, headstart)
    chart = smooth(lam, limit, shift)
    if math.isinf(chart.chain.mean.max()):
        return math.inf
    if kind == "exact":
        return max(1.0, exact_mean(chart, lam, limit, headstart))
    if kind == "steady":
        return max(1.0, float(smooth(lam, limit, 0.0).chain.law @ chart.chain.mean))
    return float(chart.mean(np.array([headstart]))[0])


@lru_cache(maxsize=1024)
def _limit(lam: float, arl0: float, limits: str) -> float:
    def fixed(L: float) -> float:  # noqa: N803
        return _arl.__wrapped__(lam, L, 0.0, "fixed", (0.0, None))

    first = limit_for(fixed, arl0)
    if limits == "fixed" or lam == 1.0:
        return first

    def exact(L: float) -> float:  # noqa: N803
        return _arl(lam, L, 0.0, "exact", (0.0, None))

    return improved(exact, fixed, first, arl0)
