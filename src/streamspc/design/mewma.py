"""Multivariate EWMA charts: average run length and limits by integral equations, for p metrics of known mean and covariance.

Z = (1 - lam) Z + lam x from 0; signal for T2 = Z' inverse(Sigma_Z) Z > h4, with the asymptotic covariance Sigma_Z = lam / (2 - lam)
Sigma at all times. With Sigma the identity and lengths in units of lam, a step has standard deviation 1 in every direction and the
limit is a sphere of radius sqrt(h4 / (lam (2 - lam))).

In control the average run length depends on the length r of Z alone: one equation, whose kernel is the noncentral chi law of the
next length (Rigdon). The rule of Gauss-Legendre in r converges geometrically, and elimination without subtraction keeps all
digits. A shift by delta adds the coordinate along the shift (`mewma_shifted`).

Sources: Lowry, Woodall, Champ & Rigdon (1992), A multivariate exponentially weighted moving average control chart, Technometrics 34;
Rigdon (1995), An integral equation for the in-control average run length of a multivariate exponentially weighted moving average
control chart, Journal of Statistical Computation and Simulation 52; Knoth (2017), ARL numerics for MEWMA charts, Journal of Quality
Technology 49. Tables from coarse Markov chains (Prabhu & Runger 1997) are off by up to 2 %.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy.special import chdtri

from streamspc.design import arguments
from streamspc.design.absorbing import Absorbing
from streamspc.design.ewma import ewma_arl
from streamspc.design.hotelling import t2_arl
from streamspc.design.mewma_shifted import shifted_arl
from streamspc.design.noncentral_chi import length_density, noncentral_above
from streamspc.design.quadrature import enough, interval
from streamspc.design.roots import limit_for

MOST_METRICS = 1000


def mewma_arl(p: int, lam: float, h4: float, delta: float = 0.0) -> float:
    """Average run length of a MEWMA chart of p metrics from 0, with fixed limits: signal for T2 > h4, Sigma_Z = lam / (2 - lam) Sigma.

    `delta` is the Mahalanobis distance of the shift, not its square; the shift is there from the first point. An average under a
    shift of more than one metric that is beyond 1e8 or so is refused: rounding would decide it.
    Source: Rigdon 1995, both papers; Knoth 2017.

    Raises:
        ValueError: p is not a whole number from 1 to 1000, lam is not above 0 and at most 1, h4 is not above 0, delta is negative, or the
            average is too large under a shift.

    >>> round(mewma_arl(4, 0.3, 14.33589854), 4), round(mewma_arl(2, 0.2, 9.65, 1.0), 4)
    (200.0, 10.1675)
    """
    p, lam = arguments.whole("p", p, 1, MOST_METRICS), arguments.weight("lam", lam)
    h4, delta = arguments.positive("h4", h4), arguments.non_negative("delta", delta)
    if lam == 1.0:
        return t2_arl(p, h4, delta)
    if delta and p == 1:
        return ewma_arl(lam, math.sqrt(h4), delta)
    return shifted_arl(p, lam, h4, delta) if delta else _in_control(p, lam, h4)


@lru_cache(maxsize=1024)
def mewma_limit(p: int, lam: float, arl0: float) -> float:
    """The limit h4 of a MEWMA chart of p metrics with average run length `arl0` in control.

    Signal for T2 > h4 with Sigma_Z = lam / (2 - lam) Sigma at all times (Rigdon 1995; Knoth 2017).

    Raises:
        ValueError: p is not a whole number from 1 to 1000, lam is not above 0 and at most 1, or arl0 is not above 1.

    >>> round(mewma_limit(2, 0.05, 200.0), 6)
    7.347277
    """
    p, lam, arl0 = arguments.whole("p", p, 1, MOST_METRICS), arguments.weight("lam", lam), arguments.run_length("arl0", arl0)
    start = float(chdtri(p, 1.0 / arl0))  # exact for lam = 1, else a little large
    return start if lam == 1.0 else limit_for(lambda h4: _in_control(p, lam, h4), arl0, start)


@lru_cache(maxsize=1024)
def _in_control(p: int, lam: float, h4: float) -> float:
    """The average run length without a shift."""
    radius = math.sqrt(h4 / (lam * (2.0 - lam)))
    r, weights = interval(0.0, radius, enough(radius))
    r = np.append(0.0, r)  # the start is a state of its own that nothing returns to
    ahead = (1.0 - lam) * r
    steps = length_density(p, ahead, r) * np.append(0.0, weights)
    leave = np.array([noncentral_above(p, radius * radius, float(nu)) for nu in ahead])
    return float(Absorbing(steps, leave).mean[0])
