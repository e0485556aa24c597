"""Hotelling's T2 chart of several metrics together.

Definition: T2 = n (x - centre)' S^-1 (x - centre) of a vector of p metrics (the mean of n of them, in subgroups). The limit depends on
whether the vector helped to estimate centre and S, and one is never good for the other:

    individuals, m vectors, S their sample covariance
      Phase I    (m - 1)^2 / m  Beta(p / 2, (m - p - 1) / 2)
      Phase II   p (m + 1) (m - 1) / (m (m - p))  F(p, m - p)
    m subgroups of n, S the mean of their covariances
      Phase I    p (m - 1) (n - 1) / (m n - m - p + 1)  F(p, m n - m - p + 1)
      Phase II   p (m + 1) (n - 1) / (m n - m - p + 1)  F(p, m n - m - p + 1)

For 20 vectors of 8 metrics at 0.999 they are 15.5 and 102.5: the Phase I limit would signal at two of five new vectors in control.

`contributions` says which metric it was: `alone` is T2 less the T2 of the others without it (what only this metric adds, never negative;
Runger, Alt & Montgomery), `share` sums to T2 and may be negative where a metric makes up for another.

Use it when metrics are correlated and break their correlation before they leave their own limits. A shift in Phase I inflates S and
hides itself: `successive` is the covariance of neighbouring differences, which a sustained shift hardly moves (its law is not that of
these limits).

Sources: Hotelling (1947), Multivariate quality control; Tracy, Young & Mason (1992), Multivariate control charts for individual
observations, Journal of Quality Technology 24(2) (beta and F); Runger, Alt & Montgomery (1996), Contributors to a multivariate
statistical process control signal, Communications in Statistics 25; Sullivan & Woodall (1996), A comparison of multivariate control
charts for individual observations, Journal of Quality Technology 28(4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import betaincinv, fdtri

if TYPE_CHECKING:
    from streamspc.model import Floats


class Estimate(NamedTuple):
    """Centre [..., p] and covariance [..., p, p]."""

    centre: Floats
    covariance: Floats


class Contributions(NamedTuple):
    """What each metric adds to T2, [..., p]."""

    alone: Floats
    share: Floats


def individuals(x: Floats) -> Estimate:
    """From vectors [..., m, p], none of them nan."""
    centre = x.mean(axis=-2)
    apart = x - centre[..., None, :]
    return Estimate(centre, _outer(apart) / (x.shape[-2] - 1))


def successive(x: Floats) -> Estimate:
    """From differences of neighbouring vectors [..., m, p]: half their mean square."""
    return Estimate(x.mean(axis=-2), _outer(np.diff(x, axis=-2)) / (2 * (x.shape[-2] - 1)))


def subgroups(x: Floats) -> Estimate:
    """From subgroups [..., m, n, p]: the mean of their covariances."""
    mean = x.mean(axis=-2)
    apart = x - mean[..., None, :]
    return Estimate(mean.mean(axis=-2), (_outer(apart) / (x.shape[-2] - 1)).mean(axis=-3))


def t2(x: Floats, estimate: Estimate, n: int = 1) -> Floats:
    """T2 of vectors [..., m, p], each the mean of n. [..., m]."""
    apart = x - estimate.centre[..., None, :]
    return np.asarray(n * (apart * _solved(apart, estimate)).sum(axis=-1), np.float64)


def contributions(x: Floats, estimate: Estimate, n: int = 1) -> Contributions:
    """What each metric adds to the T2 of vectors [..., m, p]. [..., m, p]."""
    apart = x - estimate.centre[..., None, :]
    solved = _solved(apart, estimate)
    precision = np.diagonal(np.linalg.inv(estimate.covariance), axis1=-2, axis2=-1)[..., None, :]
    return Contributions(n * solved**2 / precision, n * apart * solved)


def phase_one_limit(p: int, m: int, n: int = 1, confidence: float = 0.9973) -> float:
    """Upper limit for the m vectors (n = 1) or subgroups that the estimate is from.

    >>> round(phase_one_limit(8, 25, confidence=0.999), 6)
    17.417047
    """
    if n > 1:
        return (m - 1) / (m + 1) * phase_two_limit(p, m, n, confidence)
    _enough(p, m - 1 - p)
    return (m - 1) ** 2 / m * float(betaincinv(p / 2, (m - p - 1) / 2, confidence))


def phase_two_limit(p: int, m: int, n: int = 1, confidence: float = 0.9973) -> float:
    """Upper limit for new vectors (n = 1) or subgroups, when the estimate is from m others.

    >>> round(phase_two_limit(8, 25, confidence=0.999), 5)
    70.02943
    """
    free = m - p if n == 1 else m * n - m - p + 1
    _enough(p, free)
    scale = p * (m + 1) * (m - 1) / (m * free) if n == 1 else p * (m + 1) * (n - 1) / free
    return scale * float(fdtri(p, free, confidence))


def _enough(p: int, free: int) -> None:
    if free < 1:
        raise ValueError(f"{p} metrics need more vectors than there are to estimate their covariance")


def _solved(apart: Floats, estimate: Estimate) -> Floats:
    """S^-1 (x - centre), [..., m, p]."""
    return np.asarray(np.linalg.solve(estimate.covariance, apart.swapaxes(-1, -2)).swapaxes(-1, -2), np.float64)


def _outer(rows: Floats) -> Floats:
    product: Floats = rows.swapaxes(-1, -2) @ rows
    return product
