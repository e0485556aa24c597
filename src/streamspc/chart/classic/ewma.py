"""EWMA chart with known centre and sigma.

Definition: E_t = (1 - lambda) E_(t-1) + lambda x_t, from the centre. Limits are centre -/+ L sd(E_t), with

    exact   sd(E_t)^2 = (1 - lambda)^2 sd(E_(t-1))^2 + lambda^2 sigma_t^2, from 0: for equal sigma the factor lambda / (2 - lambda)
            (1 - (1 - lambda)^(2 t)), and right for a sigma that varies with n
    fixed   sigma_t^2 lambda / (2 - lambda) from the first point on

The same L has a lower ARL0 with exact limits (469.5 instead of 499.9 at lambda 0.05, L 2.615): state which it was designed for. Over a
missing value both statistic and sd hold. The statistic is not reset after a signal (nor is it in R's qcc); the daemon's chart is.

Use it for small shifts that last; lambda 0.05 to 0.1 is robust against values that are not normal.

Sources: Roberts (1959), Control chart tests based on geometric moving averages, Technometrics 1(3); Lucas & Saccucci (1990),
Exponentially weighted moving average control schemes, Technometrics 32(1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamspc.chart.classic.limits import Limits, around

if TYPE_CHECKING:
    from streamspc.chart.classic.limits import Numbers
    from streamspc.model import Floats


def statistic(x: Floats, centre: Numbers, weight: float) -> Floats:
    """E_1 .. E_m of series [..., m]; `centre` is [...], and where they start."""
    told, now = np.empty(x.shape), np.broadcast_to(np.asarray(centre, np.float64), x.shape[:-1])
    for at in range(x.shape[-1]):
        value = x[..., at]
        now = np.where(np.isnan(value), now, (1.0 - weight) * now + weight * value)
        told[..., at] = now
    return told


def limits(centre: Numbers, spread: Floats, width: float) -> Limits:
    """Limits of E_1 .. E_m, from their standard deviations [..., m]; `centre` is [...]."""
    return around(np.asarray(centre, np.float64)[..., None], spread, width)


def fixed(sigma: Numbers, weight: float) -> Floats:
    """Standard deviation of E_t for large t; `sigma` is that of a value."""
    return np.asarray(sigma * np.sqrt(weight / (2.0 - weight)), np.float64)


def exact(x: Floats, sigma: Numbers, weight: float) -> Floats:
    """Standard deviations of E_1 .. E_m of series [..., m]; `sigma` is that of a value, anything that broadcasts to [..., m]."""
    spread = np.broadcast_to(np.asarray(sigma, np.float64), x.shape)
    variance, now = np.empty(x.shape), np.zeros(x.shape[:-1])
    for at in range(x.shape[-1]):
        now = np.where(np.isnan(x[..., at]), now, (1.0 - weight) ** 2 * now + (weight * spread[..., at]) ** 2)
        variance[..., at] = now
    return np.sqrt(variance)
