"""Skewness: means of skewed records are skewed still, and normal limits are then too near on one side and too far on the other.

The mean of 100 exponential values has skewness 0.2, which is enough for five times as many false alarms beyond 4 sigma. Third
moments of records are not in tallies, and need not be: with n records in a window, their mean and variance have the covariance mu_3
/ n, so that Phase I tells mu_3, the third central moment of one record:

    mean            mu_3 = sum n_i (x_i - centre) (s_i^2 - their mean) / (m - 1)        g = rest mu_3 / n^2 / sigma_t^3
    rate p          b = (1 - 2 p) / (p (1 - p))                                         g = b (sigma_t^2 + between) / sigma_t
    count           b = 1 / centre                                                      g = b (sigma_t^2 + between) / sigma_t
    the others      only values are known: see `straight`

Lags are charted as logarithms (`logarithm`), and have a little more. g is the skewness of a window's statistic; of a mean what is left
of it where sigma follows the window (`lean`). Rates are taken for beta-binomial and counts for gamma-Poisson, whose skewness follows
from their variance (between is that which is more than binomial or Poisson). A standardised value u is made normal as if it had
Pearson's type III law, a shifted gamma, by the cube root of Wilson and Hilferty, and limits go the other way:

    w = 6 / g ((1 + g u / 2)^(1/3) - 1 + g^2 / 36)          u = 2 / g ((1 + g w / 6 - g^2 / 36)^3 - 1)

Where 1 + g u / 2 < 0 the value lies beyond the end of that law, and w stops there. |g| is at most 2 and, below 0.05, taken for 0;
so is a mu_3 whose correlation is below 2 / sqrt(m), or that fewer than 20 windows tell: what is no more than noise leaves limits
symmetric.

Sources: Wilson & Hilferty (1931), The distribution of chi-square, PNAS 17; Kite (1977), Frequency and risk analyses in hydrology
(type III); Stuart & Ord (1994), Kendall's advanced theory of statistics 1, chapter 10 (the covariance of mean and variance).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streamspc.chart import lean, order
from streamspc.chart.plan import RATIOS
from streamspc.model import MetricKind

if TYPE_CHECKING:
    from streamspc.model import Bools, Floats, Ints

MOST, LEAST = 2.0, 0.05
ENOUGH = 20  # windows to tell mu_3 from


def learn(kind: MetricKind, windows: Windows, centre: Floats, keep: Bools) -> Floats:
    """mu_3 or b of q series, from distances [m, q] to the centre [q], 0 where they are not kept. [q]."""
    if kind in RATIOS:
        variance = centre * (1.0 - centre)
        return np.where(variance > 0.0, (1.0 - 2.0 * centre) / np.where(variance > 0.0, variance, 1.0), 0.0)
    if kind is MetricKind.COUNT:
        return np.where(centre > 0.0, 1.0 / np.where(centre > 0.0, centre, 1.0), 0.0)
    if kind not in {MetricKind.MEAN, MetricKind.LAG}:
        return np.zeros(len(centre))
    distance, n, unit = windows
    off = np.where(keep, unit - order.mean(unit, keep), 0.0)
    m = order.kept(keep)
    weighted = n * distance
    with np.errstate(over="ignore", invalid="ignore"):
        total = order.total(weighted * off)
        alike = total * total > 4.0 / m * (order.total(weighted * weighted) * order.total(off * off))
        moment = total / np.maximum(m - 1, 1)
    return np.where(alike & (m >= ENOUGH) & np.isfinite(moment), moment, 0.0)


class Windows(NamedTuple):
    """Phase I windows [m, q] of means."""

    distance: Floats
    n: Ints
    unit: Floats


def of_means(cube: Floats, n: Ints, sigma: Floats, more: Floats) -> Floats:
    """G of windows of n records from mu_3, of which `lean` has not taken it, and what of mu_3 no variance tells."""
    return _tamed((cube * lean.rest(n) + more) / (n * n) / (sigma * sigma * sigma))


def of_hits(slope: Floats, between: Floats, sigma: Floats) -> Floats:
    """G of rates and counts from b and the variance between windows."""
    return _tamed(slope * (sigma * sigma + between) / sigma)


def _tamed(g: Floats) -> Floats:
    return np.where(np.abs(g) > LEAST, np.clip(g, -MOST, MOST), 0.0)


def normal(u: Floats, g: Floats) -> Floats:
    """Normal scores w of standardised values."""
    some = np.where(g == 0.0, 1.0, g)
    root = cube_root(np.maximum(1.0 + 0.5 * some * u, 0.0))
    return np.where(g == 0.0, u, 6.0 / some * (root - 1.0 + some * some / 36.0))


def standard(w: Floats, g: Floats) -> Floats:
    """Standardised values u of normal scores."""
    some = np.where(g == 0.0, 1.0, g)
    root = np.maximum(1.0 + some * w / 6.0 - some * some / 36.0, 0.0)
    return np.where(g == 0.0, w, 2.0 / some * (root * root * root - 1.0))


def cube_root(y: Floats) -> Floats:
    """Cube root of numbers that are not negative: three of Halley's steps, the same bits on every machine."""
    mantissa, exponent = np.frexp(y)
    whole = exponent // 3
    m = np.ldexp(mantissa, exponent - 3 * whole)  # from 0.5 to 4
    x = (1.0 + 2.0 * m) / (2.0 + m)
    for _ in range(3):
        cube = x * x * x
        x *= (cube + 2.0 * m) / (2.0 * cube + m)
    root: Floats = np.where(y > 0.0, np.ldexp(x, whole), y)
    return root
