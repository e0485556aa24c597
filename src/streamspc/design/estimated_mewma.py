"""Hotelling's T2 chart and MEWMA whose centre and covariance were estimated in Phase I: limits that allow for it.

From m vectors of p metrics, T2 of a new vector follows

    (m + 1) (m - 1) / m  B / (1 - B),    B ~ Beta(p / 2, (m - p) / 2)

that is p (m + 1) (m - 1) / (m (m - p)) F(p, m - p), so the limit with alarm rate 1 / arl0, averaged over Phase I, is exact for lam = 1.

A MEWMA remembers: the error of the centre is the same at every point and adds up, the error of the covariance does not. The two are
taken apart. The error of the centre is a shift of Mahalanobis distance sqrt(chi-square_p / m); the limit is the h4 whose mean rate
E[1 / ARL(delta)] is 1 / arl0, by Gauss-Laguerre quadrature of the exact ARL. The error of the covariance then multiplies the limit by
what it does to the quantile of T2 at which the chart for known parameters has its limit. Realised over simulated Phase I (standard
errors of 2 to 6 %): 104 to 109 % of the wished ARL0 of 370.4 for m = 50 and 100, lam = 0.05 to 0.2, p = 2 to 4; 112 and 115 % for m = 30.
Beyond an ARL0 of 1000 the error of the centre has the factor that it has there (ARL0 3000, m = 50, p = 3: 108 %).

Sources: Tracy, Young & Mason (1992), Multivariate control charts for individual observations, Journal of Quality Technology 24(2);
Champ, Jones-Farmer & Rigdon (2005), Properties of the T2 control chart when parameters are estimated, Technometrics 47; Champ &
Jones-Farmer (2007), Properties of multivariate control charts with estimated parameters, Sequential Analysis 26.
"""

from __future__ import annotations

import math
from functools import lru_cache

from scipy.special import betaincinv, chdtrc, roots_genlaguerre

from streamspc.design import arguments
from streamspc.design.mewma import MOST_METRICS, mewma_arl, mewma_limit
from streamspc.design.roots import limit_for

_NODES = 4  # eight change the limit by less than 1e-5 of itself
_FARTHEST = 1e3  # ARL0 at which the error of the centre is looked at


def expected_rate_mewma_limit(p: int, lam: float, m: int, arl0: float = 370.4) -> float:
    """The limit of T2 (lam = 1) or MEWMA whose alarm rate, averaged over Phase I of m vectors of p metrics, is 1 / arl0.

    T2 is taken with the mean and the sample covariance (divisor m - 1) of Phase I, Sigma_Z = lam / (2 - lam) of it. Raises ValueError where
    m is not above p. Exact for lam = 1; see the module for the others.

    Raises:
        ValueError: p, lam or arl0 cannot be, or m is not above p.

    >>> round(expected_rate_mewma_limit(8, 1.0, 25, 1000.0), 5), round(expected_rate_mewma_limit(3, 0.1, 100), 3)
    (70.02943, 15.418)
    """
    p, lam = arguments.whole("p", p, 1, MOST_METRICS), arguments.weight("lam", lam)
    m, arl0 = arguments.whole("m", m, p + 1), arguments.run_length("arl0", arl0)
    return _limit(p, lam, m, arl0)


@lru_cache(maxsize=1024)
def _limit(p: int, lam: float, m: int, arl0: float) -> float:
    if lam == 1.0:
        return t2_quantile(p, m, 1.0 / arl0)
    limit = mewma_limit(p, lam, arl0)
    tail = float(chdtrc(p, limit))
    covariance = t2_quantile(p, m, tail) / limit * m / (m + 1)  # without its part for the centre
    return limit * _of_centre(p, lam, m, min(arl0, _FARTHEST)) * covariance


def t2_quantile(p: int, m: int, tail: float) -> float:
    """What T2 of a new vector exceeds with probability `tail`, when centre and covariance are of m others.

    >>> round(t2_quantile(2, 50, 1.0 / 370.4), 4)
    13.9676
    """
    rest = float(betaincinv((m - p) / 2, p / 2, tail))
    return (m + 1) * (m - 1) / m * (1.0 - rest) / rest if rest > 0.0 else math.inf


@lru_cache(maxsize=1024)
def _of_centre(p: int, lam: float, m: int, arl0: float) -> float:
    """By what the error of the centre multiplies the limit."""
    nodes, weights = roots_genlaguerre(_NODES, p / 2 - 1)
    share = [float(w) for w in weights / weights.sum()]
    deltas = [math.sqrt(2.0 * float(x) / m) for x in nodes]  # delta^2 m / 2 has a gamma law
    known = mewma_limit(p, lam, arl0)

    def arl(h4: float) -> float:
        return 1.0 / sum(w / mewma_arl(p, lam, h4, delta) for w, delta in zip(share, deltas, strict=True))

    return limit_for(arl, arl0, known * (1.0 + (2.0 - lam) / (lam * m)) ** 0.5) / known
