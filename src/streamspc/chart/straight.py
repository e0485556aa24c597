"""Single skewed values: a shifted logarithm makes them straight, where Phase I shows that they are skewed.

Nothing within a window says how a sum, or any other single value, is distributed, and normal limits on exponential values signal
twenty times too often. The values x of Phase I are asked themselves. With M and R their median and robust sigma, t = (x - M) / R,

    y = M + R log(1 + s t) / s          has no L-skewness at the shape s, which is sought; s = 0 is y = x

s is 0 where x has an L-skewness below `CLEAR` standard errors of normal values: then nothing is done, and normal values keep their
detection. Else screening and Phase I go on with y, as if it were normal, and s is that at which y leans the other way by `SAFE`
standard errors. The law of x is then a shifted lognormal one (mirrored where s < 0), whose long tail is longer than an exponential or
a Weibull one: an error is on the side of too few false alarms. Limits of x are at the score w where

    w = log(1 + b u) / b          u = (e^(b w) - 1) / b          u = (x - centre) / sigma

with the centre the median of that law and sigma its slope there. On the side of the short tail they are no nearer than normal ones,
for an estimate of where a law ends is no reason for an alarm: scores beyond `SHORT` are u there, or SHORT where u is nearer.

The logarithm is 64 (y^(1/64) - 1), six square roots, and the exponential function six squares: the same bits on every machine, and
2 % off where a value is 20 times as far from the shift as the centre is.

Sources: Hosking (1990), L-moments, Journal of the Royal Statistical Society B 52; Cohen (1988) in Crow & Shimizu, Lognormal
distributions (three parameters); Johnson (1949), Systems of frequency curves, Biometrika 36 (S_L).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streamspc.chart import order

if TYPE_CHECKING:
    from streamspc.model import Bools, Floats, Ints

ENOUGH = 20  # values to see their shape
CLEAR, SAFE = 2.5, 0.5
SHORT = 2.5  # scores of the short tail beyond it are those of a normal law
ERROR = 0.1866, 0.8  # variance of the L-skewness of m normal values: 0.1866 / m + 0.8 / m^2
STEPS, NEAREST = 30, 0.999


class Shape(NamedTuple):
    """Of q series."""

    median: Floats
    scale: Floats
    bend: Floats  # s


def log(y: Floats) -> Floats:
    """The logarithm, of numbers that are above 0."""
    for _ in range(6):
        y = np.sqrt(y)
    return 64.0 * (y - 1.0)


def exp(x: Floats) -> Floats:
    """Its inverse, 0 below -64."""
    y = np.maximum(1.0 + x / 64.0, 0.0)
    for _ in range(6):
        y = y * y
    return y


def shape(values: Floats, keep: Bools) -> Shape:
    """The shape of kept values [m, q]."""
    m = order.kept(keep)
    median = order.median(values, keep)
    scale = 1.4826 * order.median(np.abs(values - median), keep)
    some = (scale > 0.0) & (m >= ENOUGH)
    t = np.where(keep & some, (values - median) / np.where(some, scale, 1.0), np.inf)
    ordered = np.sort(t, axis=0)
    weights = _weights(m, len(values))
    ordered = np.where(np.isfinite(ordered), ordered, 0.0)
    error = np.sqrt(ERROR[0] / m + ERROR[1] / (m * m))
    lean = _lean(ordered, weights)
    side = np.where(some & (np.abs(lean) > CLEAR * error), np.sign(lean), 0.0)
    t, weights = side * ordered, (weights[0], side * weights[1])
    low, high = np.zeros(len(m)), NEAREST / np.maximum(-np.min(t, axis=0), 1e-9)
    for _ in range(STEPS):
        middle = 0.5 * (low + high)
        short = _lean(log(1.0 + middle * t) / np.where(middle > 0.0, middle, 1.0), weights) > -SAFE * error
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return Shape(median, np.where(some, scale, 1.0), side * low)


def straightened(values: Floats, of: Shape) -> Floats:
    """Values y [m, q]; those beyond the end of the law are far out."""
    s = np.where(of.bend == 0.0, 1.0, of.bend)
    y = of.median + of.scale * log(np.maximum(1.0 + s * ((values - of.median) / of.scale), 1e-12)) / s
    return np.where(of.bend == 0.0, values, y)


def back(centre: Floats, variance: Floats, of: Shape) -> tuple[Floats, Floats, Floats]:
    """Centre, sigma^2 and b of x from the mean and the variance of y. [q] each."""
    s = np.where(of.bend == 0.0, 1.0, of.bend)
    slope = exp(s * (centre - of.median) / of.scale)
    some = of.bend != 0.0
    return (
        np.where(some, of.median + of.scale * (slope - 1.0) / s, centre),
        np.where(some, variance * slope * slope, variance),
        np.where(some, s * np.sqrt(variance) / of.scale, 0.0),
    )


def normal(u: Floats, b: Floats) -> Floats:
    """Normal scores w of standardised values."""
    some = np.where(b == 0.0, 1.0, b)
    w = log(np.maximum(1.0 + some * u, 1e-12)) / some
    return np.where((b == 0.0) | (np.isnan(u)), u, np.where(w * b < -SHORT * np.abs(b), _outer(w, u), w))


def _outer(w: Floats, u: Floats) -> Floats:
    """Scores of the short tail: the smaller of w and the larger of SHORT and u, as distances."""
    return np.where(w < 0.0, np.maximum(w, np.minimum(u, -SHORT)), np.minimum(w, np.maximum(u, SHORT)))


def standard(w: Floats, b: Floats) -> Floats:
    """Standardised values u of normal scores."""
    some = np.where(b == 0.0, 1.0, b)
    return np.where((b == 0.0) | (w * b < -SHORT * np.abs(b)), w, (exp(some * w) - 1.0) / some)


def _weights(m: Ints, rows: int) -> tuple[Floats, Floats]:
    """Of ordered values in their second and third L-moment. [m, q]."""
    rank = np.arange(rows, dtype=np.float64)[:, None]
    first = rank / np.maximum(m - 1, 1)
    second = first * (rank - 1.0) / np.maximum(m - 2, 1)
    there = rank < m
    return np.where(there, 2.0 * first - 1.0, 0.0), np.where(there, 6.0 * second - 6.0 * first + 1.0, 0.0)


def _lean(ordered: Floats, weights: tuple[Floats, Floats]) -> Floats:
    """L-skewness."""
    spread, third = (order.total(ordered * weight) for weight in weights)
    return third / np.where(spread == 0.0, 1.0, spread)
