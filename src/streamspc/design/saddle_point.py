"""Chances of single counts, free of cancellation for means up to a billion: Loader's form of the binomial and Poisson laws.

The logarithm of a factorial of a million has seven digits before the point, and takes as many away from a difference of such
logarithms. Here Stirling's formula is divided out on paper: what remains are its small errors and two deviances.

Source: Loader, C. (2000), Fast and accurate computation of binomial probabilities (the method of R's dbinom, dpois and dnbinom).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln, xlogy

Array = npt.NDArray[np.float64]

_ROOT = math.sqrt(2.0 * math.pi)


def poisson(x: Array, mean: float) -> Array:
    """P(X = x) for whole x >= 0 and mean > 0.

    >>> [round(float(chance), 6) for chance in poisson(np.array([0.0, 2.0, 20.0]), 2.0)]
    [0.135335, 0.270671, 0.0]
    """
    chance: Array = np.where(x == 0.0, math.exp(-mean), poisson_between(np.maximum(x, 1.0), mean))
    return chance


def poisson_between(x: Array, mean: Array | float) -> Array:
    """The Poisson density for x > 0, whole or not."""
    density: Array = np.exp(-_stirling(x) - _deviance(x - mean, mean)) / (_ROOT * np.sqrt(x))
    return density


def binomial(x: Array, rest: Array, p: float, q: float) -> Array:
    """The binomial density x + rest over x, p^x q^rest, for x, rest > 0, whole or not, and p + q = 1."""
    n = x + rest
    above = x * q - rest * p
    exponent = _stirling(n) - _stirling(x) - _stirling(rest) - _deviance(above, n * p) - _deviance(-above, n * q)
    density: Array = np.exp(exponent) * np.sqrt(n / (x * rest)) / _ROOT
    return density


def _stirling(x: Array) -> Array:
    """Log x! less Stirling's formula, for x > 0."""
    far = np.maximum(x, 16.0)
    square = 1.0 / (far * far)
    series = (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188)))) / far
    if np.all(x >= 16.0):
        return np.asarray(series)
    near = gammaln(x + 1.0) - xlogy(x + 0.5, x) + x - math.log(_ROOT)
    error: Array = np.where(x < 16.0, near, series)
    return error


def _deviance(above: Array, mean: Array | float) -> Array:
    """X log(x / mean) + mean - x, for x = mean + above."""
    share = above / mean
    deviance: Array = mean * ((1.0 + share) * np.log1p(share) - share)
    return deviance
