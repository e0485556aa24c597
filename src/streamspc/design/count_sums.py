"""Sums of many counts: their density between whole numbers, and their first moments over a tail.

The sum of t counts has a law of the same family: a Poisson mean t times as large, t times as many items, t times the shape of a negative
binomial. Densities take any real t and x, as Loader's form does. Moments over a tail are tails of the size-biased sum: for a falling
factorial, E[J (J-1) ..., i factors; J >= c] = its mean times P(J* >= c - i), where J* has the same mean (Poisson), i items less
(binomial) or i added to the shape (negative binomial).

Source: Johnson, N. L., Kemp, A. W. and Kotz, S. (2005), Univariate discrete distributions, 3rd edition, sections 3.3, 4.3 and 5.3.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.special import betainc, betaincc, gammainc, gammaincc

from streamspc.design import saddle_point
from streamspc.design.counts import Binomial, Law, NegativeBinomial, Poisson
from streamspc.design.saddle_point import Array

_LARGEST = 700.0  # exponent of a float


def density(law: Law, t: Array, x: Array) -> Array:
    """The density at x of a sum of t counts, t and x > 0 whole or not; 0 where x cannot be.

    >>> round(float(density(Poisson(2.0), np.array(50.0), np.array(100.0))), 6)
    0.039861
    """
    y = np.maximum(x, 0.5)
    match law:
        case Poisson():
            inner = saddle_point.poisson_between(y, law.mean * t)
        case Binomial():
            rest = law.n * t - y
            inner = np.where(rest > 0.0, saddle_point.binomial(y, np.maximum(rest, 0.5), law.p, 1.0 - law.p), 0.0)
        case NegativeBinomial():
            size = law.size * t
            inner = size / (size + y) * saddle_point.binomial(y, size, law.share, law.mean / law.var)
        case _:
            raise TypeError(law)
    return np.where(x > 0.0, inner, 0.0)


def growth(law: Law, t: Array, x: Array) -> Array:
    """The density at x + 1 over that at x, for x > 0.

    >>> round(float(growth(Poisson(2.0), np.array(50.0), np.array(99.0))), 6)
    1.0
    """
    match law:
        case Poisson():
            rise = law.mean * t
        case Binomial():
            rise = np.maximum(law.n * t - x, 0.0) * (law.p / (1.0 - law.p))
        case NegativeBinomial():
            rise = (law.size * t + x) * law.share
        case _:
            raise TypeError(law)
    ratio: Array = rise / (x + 1.0)
    return ratio


def log_moment(law: Law, theta: float) -> float:
    """The logarithm of E e^(theta X); infinite where it is not finite.

    >>> round(log_moment(Poisson(2.0), 0.5), 6)
    1.297443
    """
    match law:
        case Poisson():
            return law.mean * math.expm1(theta) if theta < _LARGEST else math.inf
        case Binomial():
            return law.n * math.log1p(law.p * math.expm1(theta)) if theta < _LARGEST else math.inf
        case NegativeBinomial():
            left = 1.0 - law.share * math.exp(min(theta, _LARGEST))
            return law.size * math.log((1.0 - law.share) / left) if left > 0.0 else math.inf
        case _:
            raise TypeError(law)


def moments_from(law: Law, n: Array, c: Array) -> tuple[Array, Array, Array]:
    """P(J >= c), E[J; J >= c] and E[J^2; J >= c] of sums J of n counts.

    >>> [round(float(moment), 6) for moment in moments_from(Poisson(2.0), np.array(1.0), np.array(5.0))]
    [0.052653, 0.285753, 1.579047]
    """
    return _moments(law, n, lambda i: _from(law, n, c, i))


def moments_up_to(law: Law, n: Array, c: Array) -> tuple[Array, Array, Array]:
    """P(J <= c), E[J; J <= c] and E[J^2; J <= c] of sums J of n counts.

    >>> [round(float(moment), 6) for moment in moments_up_to(Poisson(2.0), np.array(1.0), np.array(4.0))]
    [0.947347, 1.714247, 4.420953]
    """
    return _moments(law, n, lambda i: _up_to(law, n, c, i))


def _moments(law: Law, n: Array, tail: Callable[[int], Array]) -> tuple[Array, Array, Array]:
    match law:
        case Poisson():
            first = second = law.mean * n
        case Binomial():
            first, second = law.n * law.p * n, (law.n * n - 1.0) * law.p
        case NegativeBinomial():
            odds = law.share / (1.0 - law.share)
            first, second = law.size * n * odds, (law.size * n + 1.0) * odds
        case _:
            raise TypeError(law)
    mean = first * tail(1)
    return tail(0), mean, first * second * tail(2) + mean


def _from(law: Law, n: Array, c: Array, i: int) -> Array:
    """P(J* >= c - i)."""
    least = np.maximum(c - i, 0.5)
    match law:
        case Poisson():
            inner = gammainc(least, law.mean * n)
        case Binomial():
            rest = law.n * n - i - least + 1.0
            inner = np.where(rest > 0.0, betainc(least, np.maximum(rest, 0.5), law.p), 0.0)
        case NegativeBinomial():
            inner = betainc(least, law.size * n + i, law.share)
        case _:
            raise TypeError(law)
    return np.where(c <= i, 1.0, inner)


def _up_to(law: Law, n: Array, c: Array, i: int) -> Array:
    """P(J* <= c - i)."""
    most = np.maximum(c - i, 0.0) + 1.0
    match law:
        case Poisson():
            inner = gammaincc(most, law.mean * n)
        case Binomial():
            rest = law.n * n - i - most + 1.0
            inner = np.where(rest > 0.0, betaincc(most, np.maximum(rest, 0.5), law.p), 1.0)
        case NegativeBinomial():
            inner = betaincc(most, law.size * n + i, law.share)
        case _:
            raise TypeError(law)
    return np.where(c < i, 0.0, inner)
