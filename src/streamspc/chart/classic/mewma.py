"""Multivariate EWMA chart (MEWMA) of several metrics together.

Definition: Z_t = (1 - lambda) Z_(t-1) + lambda (x_t - centre), from 0; T2_t = Z_t' V^-1 Z_t with V = lambda / (2 - lambda) S (fixed),
times 1 - (1 - lambda)^(2 t) for exact V; a signal where T2 > h4. h4 for a wished ARL0 comes from `design`; it is for known centre and
S, and for fixed V. With lambda = 1 it is Hotelling's chart. A window in which any metric is missing is no point: the statistic holds.

`contributions` at a signal name the metrics as for Hotelling's chart, but of the average Z: they tell a small drift that no single
window shows.

Use it for small shifts that last in correlated metrics. Its ARL depends on a shift through its Mahalanobis distance alone.

Source: Lowry, Woodall, Champ & Rigdon (1992), A multivariate exponentially weighted moving average control chart, Technometrics 34(1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamspc.chart.classic import hotelling
from streamspc.chart.classic.hotelling import Contributions, Estimate

if TYPE_CHECKING:
    from streamspc.model import Floats


def average(x: Floats, centre: Floats, weight: float) -> Floats:
    """Z_1 .. Z_m of vectors [..., m, p]; `centre` is [..., p]."""
    told, now = np.empty(x.shape), np.zeros((*x.shape[:-2], x.shape[-1]))
    for at in range(x.shape[-2]):
        apart = x[..., at, :] - centre
        missing = np.isnan(apart).any(axis=-1, keepdims=True)
        now = np.where(missing, now, (1.0 - weight) * now + weight * apart)
        told[..., at, :] = now
    return told


def t2(x: Floats, estimate: Estimate, weight: float, *, exact: bool = False) -> Floats:
    """T2_1 .. T2_m of vectors [..., m, p]. [..., m]."""
    z = average(x, estimate.centre, weight)
    told: Floats = hotelling.t2(z, _of_average(estimate, weight)) / _grown(x, weight, exact=exact)
    return told


def contributions(x: Floats, estimate: Estimate, weight: float, *, exact: bool = False) -> Contributions:
    """What each metric adds to T2_1 .. T2_m. [..., m, p]."""
    z = average(x, estimate.centre, weight)
    grown = _grown(x, weight, exact=exact)[..., None]
    return Contributions(*(part / grown for part in hotelling.contributions(z, _of_average(estimate, weight))))


def _of_average(estimate: Estimate, weight: float) -> Estimate:
    return Estimate(np.zeros_like(estimate.centre), weight / (2.0 - weight) * estimate.covariance)


def _grown(x: Floats, weight: float, *, exact: bool) -> Floats:
    """Which share of its final covariance Z_t has: 1, or 1 - (1 - lambda)^(2 t) after t points (at least one)."""
    points = np.maximum(np.cumsum(~np.isnan(x).any(axis=-1), axis=-1), 1)
    share: Floats = 1.0 - (1.0 - weight) ** (2.0 * points) if exact else np.ones(points.shape)
    return share
