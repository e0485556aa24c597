"""What Phase I knows: the law of the estimated sigma, relative to the true one.

Estimates of sigma from m points, or m samples of n (each divided by its mean, so that it is unbiased):
- "sd": s / c4(m) of m single points,
- "moving_range": the mean moving range of m single points / 1.128379,
- "pooled": pooled within-sample sd / c4(m (n - 1) + 1) of m samples of n.

The estimated centre is the mean of m points, or of m samples, independent of these (it is complete and sufficient for the mean, and
none of them changes when a constant is added: Basu).

Source: Montgomery (2020), Introduction to Statistical Quality Control, 8th edition, chapter 6; Basu (1955), Sankhya 15.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

import numpy as np
from scipy.special import gammaincc, gammaln, poch, stdtr

from streamspc.design import arguments
from streamspc.design.moving_range import MeanMovingRange

if TYPE_CHECKING:
    from streamspc.model import Floats

ESTIMATES = ("sd", "moving_range", "pooled")


class Spread(Protocol):
    """The law of w = estimated sigma / sigma."""

    tail: float  # the density falls like exp(-tail w^2 / 2)
    sd: float  # of w; its mean is 1

    def above(self, w: Floats) -> Floats:
        """P(W > w)."""

    def density(self, w: Floats) -> Floats:
        """The density at w > 0."""

    def window(self, limit: float) -> tuple[float, float, float]:
        """From where to where the density times exp(limit^2 w^2 / 2) counts, and the width of its details."""

    def expected_rate(self, wide: float) -> float:
        """E P(|N| > wide W), N standard normal: the alarm rate with limits +-wide W."""


def c4(n: int) -> float:
    """E s / sigma for a normal sample of n.

    >>> round(c4(5), 6)
    0.939986
    """
    return math.sqrt(2.0 / (n - 1)) * float(poch((n - 1) / 2.0, 0.5))


class ChiSpread:
    """w = sqrt(chi^2 / df) / c4(df + 1): a standard deviation, of one sample or pooled."""

    def __init__(self, df: int) -> None:
        self.df = df
        self.c4 = c4(df + 1)
        self.tail = df * self.c4**2
        self.sd = math.sqrt(max(1.0 - self.c4**2, 0.0)) / self.c4

    def above(self, w: Floats) -> Floats:
        """P(W > w)."""
        result: Floats = gammaincc(self.df / 2.0, self.tail * np.square(w) / 2.0)
        return result

    def density(self, w: Floats) -> Floats:
        """The density at w > 0."""
        half = self.df / 2.0
        log = math.log(2.0) + half * math.log(self.tail / 2.0) - float(gammaln(half)) + (self.df - 1.0) * np.log(w)
        result: Floats = np.exp(log - self.tail * np.square(w) / 2.0)
        return result

    def window(self, limit: float) -> tuple[float, float, float]:
        """It is like w^(df - 1) exp(-slack w^2 / 2)."""
        slack = self.tail - limit * limit
        centre, deviation = math.sqrt((self.df - 1.0) / slack), math.sqrt(0.5 / slack)
        return max(0.0, centre - 14.0 * deviation), centre + 14.0 * deviation, deviation

    def expected_rate(self, wide: float) -> float:
        """E P(|N| > wide W): a t law."""
        return 2.0 * float(stdtr(self.df, -wide / self.c4))


@lru_cache(maxsize=256)
def spread_of(m: int, n: int, sigma: str) -> Spread:
    """The law of an estimate. `m` points (n = 1) or samples of n.

    >>> round(float(spread_of(25, 1, "sd").above(np.float64(1.1))), 6)
    0.241862
    """
    n = arguments.whole("n", n, 1)
    arguments.one_of("sigma", sigma, ESTIMATES)
    if sigma == "pooled":
        if n < 2:
            raise ValueError("sigma is 'pooled' and n is 1: a single point has no spread within its sample; take 'sd' or 'moving_range'")
        return ChiSpread(arguments.whole("m", m, 1) * (n - 1))
    if n > 1:
        raise ValueError(f"sigma is {sigma!r} and n is {n}: it is an estimate from single points (n=1); take 'pooled'")
    m = arguments.whole("m", m, 2)
    return ChiSpread(m - 1) if sigma == "sd" else MeanMovingRange(m)
