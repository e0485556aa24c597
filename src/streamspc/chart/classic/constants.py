"""Constants of normal samples, exact for any number of observations.

With R the range and S the standard deviation (divisor n - 1) of n standard normal values: d2 = E R, d3 = sd R, c4 = E S.

d2 and d3 are the first two moments of the law of the range, integrated over P(R > r) (`design.r_chart`); c4 is a quotient of gamma
functions, from Stirling's series where n is large, since the logarithms would cancel. Each n is computed once and remembered.

Sources: Tippett (1925), On the extreme individuals and the range of samples taken from a normal population, Biometrika 17; Montgomery
(2020), Introduction to Statistical Quality Control, appendix VI (three digits; eight cells of its D3, D4 and d3 are off in the last).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq

from streamspc.design.quadrature import interval
from streamspc.design.r_chart import range_above, range_below

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamspc.chart.classic.limits import Counts
    from streamspc.model import Floats

WIDEST = 24  # sigma: a range beyond it has a probability below 1e-30 for any n that fits a memory
NODES = 16  # of each panel of one sigma
MANY = 200  # degrees of freedom from which on Stirling's series has all digits


def d2(n: Counts) -> Floats:
    """Mean range of n standard normal values; nan below two.

    >>> d2([2, 5]).round(6).tolist()
    [1.128379, 2.325929]
    """
    return _each(lambda size: _range_moments(size)[0], n)


def d3(n: Counts) -> Floats:
    """Standard deviation of the range of n standard normal values; nan below two."""
    return _each(lambda size: _range_moments(size)[1], n)


def c4(n: Counts) -> Floats:
    """Mean standard deviation of n standard normal values; nan below two.

    >>> c4([2, 5]).round(6).tolist()
    [0.797885, 0.939986]
    """
    return _each(_mean_sd, n)


def range_quantile(probability: float, n: Counts) -> Floats:
    """The range of n standard normal values that is exceeded with probability 1 - `probability`; nan below two."""
    return _each(lambda size: _range_quantile(probability, size), n)


def _each(function: Callable[[int], float], n: Counts) -> Floats:
    sizes, where = np.unique(np.asarray(n, np.int64), return_inverse=True)
    values: Floats = np.array([function(int(size)) if size >= 2 else np.nan for size in sizes])[where].reshape(np.shape(n))
    return values


@lru_cache(maxsize=4096)
def _range_moments(n: int) -> tuple[float, float]:
    panels = [interval(start, start + 1.0, NODES) for start in range(WIDEST)]
    r, weights = (np.concatenate(parts) for parts in zip(*panels, strict=True))
    above = weights * np.array([range_above(n, float(at)) for at in r])
    mean = float(above.sum())
    return mean, math.sqrt(float(2.0 * (r - mean) @ above) + mean * mean)


@lru_cache(maxsize=4096)
def _range_quantile(probability: float, n: int) -> float:
    if probability < 0.5:
        return float(brentq(lambda r: range_below(n, r) - probability, 0.0, WIDEST, xtol=1e-14, rtol=1e-14))
    return float(brentq(lambda r: range_above(n, r) - (1.0 - probability), 0.0, WIDEST, xtol=1e-14, rtol=1e-14))


def _mean_sd(n: int) -> float:
    free = n - 1
    if free < MANY:
        return math.sqrt(2.0 / free) * math.exp(math.lgamma((free + 1) / 2) - math.lgamma(free / 2))
    x = 1.0 / free
    return 1.0 + x * (-1 / 4 + x * (1 / 32 + x * (5 / 128 + x * (-21 / 2048 - x * 399 / 8192))))
