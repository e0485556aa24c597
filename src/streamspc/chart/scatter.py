"""Centre and scatter of vectors in Phase I, for many series at once, and distances by them.

Everything is elementwise over the series, written out for the p metrics of a vector, so that the bits of one series depend neither on its
neighbours nor on a linear algebra library.

Screening. A vector with a metric beyond the screen teaches nothing, nor does one whose T2 is beyond the quantile that as many normal
vectors exceed as are beyond the screen with one metric, by the law of T2 in Phase I (beta); again and again until none is left out. A step
that would keep fewer than half of all vectors is not taken. The covariance is that of the vectors kept, divided by what cutting off a
normal law there takes from it.

A metric that did not vary counts with variance one, in its own sigma. Of metrics that are functions of others what is left is taken to
be 1e-8 of their variance at least, so that rounding is no signal.

Sources: Tracy, Young & Mason (1992), Multivariate control charts for individual observations, Journal of Quality Technology 24(2); Golub &
Van Loan (2013), Matrix computations, algorithm 4.2.1 (Cholesky).
"""

from __future__ import annotations

import math
from functools import reduce
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import betaincinv, chdtr, chdtri

from streamspc.chart import order

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamspc.model import Bools, Codes, Floats

LEAST_REST = 1e-8  # of a metric's variance, once the metrics before it are known


class Scatter(NamedTuple):
    """Of q series: centre [p, q], the inverse W [p, p, q] of the lower Cholesky factor of the covariance, and vectors kept [q]."""

    centre: Floats
    whiten: Floats
    kept: Codes


def estimate(z: Floats, screen: float) -> Scatter:
    """Scatter of vectors z [m, p, q], none of them nan, in sigma of each metric. m is at least 2 p + 4."""
    m, p, _ = z.shape
    inner = math.erf(screen / math.sqrt(2.0))
    near = np.logical_and.reduce(np.abs(z) <= screen, axis=1)
    keep: Bools = near | (2 * order.kept(near) < m)
    for _ in range(m):
        centre, covariance = _moments(z, keep)
        k = order.kept(keep)
        bound = (k - 1.0) ** 2 / k * betaincinv(p / 2, (k - p - 1) / 2, inner)
        inside = keep & (_lengths(z, centre, whitening(covariance)) <= bound)
        step = np.where(2 * order.kept(inside) >= m, inside, keep)
        if np.array_equal(step, keep):
            break
        keep = step
    centre, covariance = _moments(z, keep)
    cut = float(chdtr(p + 2, chdtri(p, 1.0 - inner))) / inner
    return Scatter(centre, whitening(covariance / cut), order.kept(keep).astype(np.int32))


def _moments(z: Floats, keep: Bools) -> tuple[Floats, Floats]:
    """Mean [p, q] and covariance [p, p, q] of the vectors that are kept."""
    p = z.shape[1]
    centre = np.stack([order.mean(z[:, i], keep) for i in range(p)])
    apart = [np.where(keep, z[:, i] - centre[i], 0.0) for i in range(p)]
    freedom = order.kept(keep) - 1
    covariance = np.empty((p, p, z.shape[2]))
    for i in range(p):
        for j in range(i + 1):
            covariance[i, j] = covariance[j, i] = order.total(apart[i] * apart[j]) / freedom
    return centre, covariance


def whitening(covariance: Floats) -> Floats:
    """W [p, p, q], lower, with W' W the inverse of the covariance [p, p, q]: W x has unit covariance."""
    p = len(covariance)
    lower, whiten = np.zeros(covariance.shape), np.zeros(covariance.shape)
    for j in range(p):
        variance = np.where(covariance[j, j] > 0.0, covariance[j, j], 1.0)
        rest = variance - _sum(lower[j, k] * lower[j, k] for k in range(j))
        lower[j, j] = np.sqrt(np.maximum(rest, LEAST_REST * variance))
        for i in range(j + 1, p):
            lower[i, j] = (covariance[i, j] - _sum(lower[i, k] * lower[j, k] for k in range(j))) / lower[j, j]
    for j in range(p):
        whiten[j, j] = 1.0 / lower[j, j]
        for i in range(j + 1, p):
            whiten[i, j] = -_sum(lower[i, k] * whiten[k, j] for k in range(j, i)) / lower[i, i]
    return whiten


def whitened(whiten: Floats, x: Floats) -> Floats:
    """W x of vectors x [p, ...]."""
    return np.stack([_sum(whiten[i, j] * x[j] for j in range(i + 1)) for i in range(len(x))])


def squared(y: Floats) -> Floats:
    """Squared length of vectors y [p, ...]."""
    return _sum(part * part for part in y)


def alone(whiten: Floats, x: Floats) -> Floats:
    """What each metric adds to T2 of x [p, q]: T2 less the T2 of the others without it, never negative. [p, q].

    Source: Runger, Alt & Montgomery (1996), Contributors to a multivariate statistical process control signal.
    """
    p, y = len(x), whitened(whiten, x)
    solved = np.stack([_sum(whiten[i, j] * y[i] for i in range(j, p)) for j in range(p)])
    precision = np.stack([_sum(whiten[i, j] * whiten[i, j] for i in range(j, p)) for j in range(p)])
    return solved * solved / precision


def _lengths(z: Floats, centre: Floats, whiten: Floats) -> Floats:
    """T2 of every vector [m, q]."""
    return squared(whitened(whiten[:, :, None, :], np.moveaxis(z, 1, 0) - centre[:, None, :]))


def _sum(parts: Iterable[Floats]) -> Floats:
    """In their order; 0 of none."""
    total: Floats = reduce(np.add, parts, np.zeros(()))
    return total
