"""Range charts: average run length from the exact law of the range of a normal sample.

With x the smallest of n values, P(R <= r) = n integral of phi(x) (Phi(x + r) - Phi(x))^(n - 1). The complement is integrated as a
difference of powers that is taken before the integral, so a small tail keeps its digits.

Sources: Tippett (1925), On the extreme individuals and the range of samples taken from a normal population, Biometrika 17; Hartley
(1942), The range in random samples, Biometrika 32.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from streamspc.design import arguments
from streamspc.design.quadrature import legendre, normal_density

if TYPE_CHECKING:
    from streamspc.model import Floats

PANEL, NODES = 0.5, 16
REACH = 38.0  # sigma: the density of a normal value is below 1e-300 there


def r_chart_arl(n: int, lower: float, upper: float, ratio: float = 1.0) -> float:
    """Average run length of an R chart of samples of n, with limits in units of sigma0.

    A sample signals for R > upper or R < lower, so a lower limit of 0 never signals. `ratio` is sigma / sigma0.
    The run length counts samples. Exact: the law of the range of n normal values (Tippett 1925; Hartley 1942).

    Raises:
        ValueError: n is below 2 or not whole, a limit is negative or not finite, lower is not below upper, or the ratio is not above 0.

    >>> round(r_chart_arl(5, 0.0, 4.918), 2)
    217.15
    """
    n = arguments.whole("n", n, 2)
    lower, upper = arguments.non_negative("lower", lower), arguments.positive("upper", upper)
    arguments.ordered(("lower", lower), ("upper", upper))
    ratio = arguments.positive("ratio", ratio)
    signal = range_above(n, upper / ratio) + range_below(n, lower / ratio)
    return 1.0 / min(signal, 1.0) if signal > 0.0 else math.inf  # a sum may round to more than 1


@lru_cache(maxsize=4096)
def range_above(n: int, r: float) -> float:
    """P(R > r) for n standard normal values: the smallest at x, the others above it, not all within r."""
    x, mass = _grid(r)
    rest, beyond = ndtr(-x), ndtr(-x - r)
    powers = -(rest ** (n - 1)) * np.expm1((n - 1) * np.log1p(-np.minimum(beyond / rest, 1.0 - 1e-16)))
    return float(n * (mass @ powers))


@lru_cache(maxsize=4096)
def range_below(n: int, r: float) -> float:
    """P(R < r) for n standard normal values."""
    if r == 0.0:
        return 0.0
    x, mass = _grid(r)
    return float(n * (mass @ _between(x, r) ** (n - 1)))


def _between(x: Floats, r: float) -> Floats:
    """Phi(x + r) - Phi(x), by quadrature where r is small, else from the nearer tail."""
    if r < 0.5:
        unit, weights = legendre(NODES)
        at = x[:, None] + r * (unit + 1.0) / 2.0
        density: Floats = normal_density(at) @ weights * (r / 2.0)
        return density
    centred: Floats = np.where(x + r / 2.0 > 0.0, ndtr(-x) - ndtr(-x - r), ndtr(x + r) - ndtr(x))
    return centred


def _grid(r: float) -> tuple[Floats, Floats]:
    """Gauss-Legendre nodes for the smallest value, with weights times the normal density, by panels wherever it can be."""
    unit, weights = legendre(NODES)
    left = np.arange(-REACH, min(9.0, REACH - r / 2.0) + PANEL, PANEL)[:, None]
    x = (left + PANEL * (unit + 1.0) / 2.0).ravel()
    mass = np.tile(weights * PANEL / 2.0, len(left)) * normal_density(x)
    return x, mass
