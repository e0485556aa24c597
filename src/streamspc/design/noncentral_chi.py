"""The noncentral chi law: the length of a normal vector with unit covariance.

Its square has the noncentral chi-square law, a Poisson mixture of central ones: a small tail is a sum of positive terms. The density
goes by the exponentially scaled Bessel function, so that no factor overflows.

Source: Johnson, Kotz & Balakrishnan (1995), Continuous univariate distributions, volume 2, chapter 29.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gamma, gammaincc, gammaln, ive, xlogy

if TYPE_CHECKING:
    from streamspc.model import Floats


def noncentral_above(p: int, upper: float, delta: float) -> float:
    """P(chi-square > upper) with p degrees of freedom and noncentrality delta^2."""
    half = delta * delta / 2.0
    spread = 12.0 * math.sqrt(half + 1.0)
    last = max(half, math.sqrt(half * upper / 2.0)) + spread + 60.0  # the tail beyond a far limit comes from later terms
    j = np.arange(max(0, int(half - spread)), int(last))
    weights = np.exp(xlogy(j, half) - half - gammaln(j + 1.0))
    return min(float(weights @ gammaincc(p / 2.0 + j, upper / 2.0)), 1.0)


def length_density(p: int, ahead: Floats, r: Floats) -> Floats:
    """Density at length r of a p-variate normal vector with unit covariance whose mean has length `ahead`. [ahead, r]."""
    order = p / 2.0 - 1.0
    product = np.multiply.outer(ahead, r)
    small = product < 1e-8
    safe = np.where(small, 1.0, product)
    bessel = np.where(small, 1.0 / (2.0**order * gamma(order + 1.0)), ive(order, safe) / safe**order)
    density: Floats = np.exp(-0.5 * np.subtract.outer(ahead, r) ** 2) * bessel * r ** (p - 1.0)
    return density
