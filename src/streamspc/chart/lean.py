"""Means lean on their own windows: how far a mean may be from its centre depends on how its records scatter.

The mean of a window of skewed records is skewed, and comes with their variance: where it is high, so is the variance of the
window's records (their covariance is mu_3 / n). So sigma follows the window a little. With s^2 the variance of the n records of
the window, and unit that of Phase I,

    r = (PRIOR + (n - 1) s^2 / unit) / (PRIOR + n - 1)
    lean^2 = (between^2 + extra + r^(3/8) unit / n) / (between^2 + extra + unit / n)            sigma_t = lean sigma

and the distance in units of it has no skewness, whatever the law of the records: to first order sigma^(1/3) takes the skewness of
a mean away, and the power with its prior is 1/3 at n = 100. Nothing is learnt for it, so no Phase I is too short for it: at three
sigma, means of 100 exponential records are beyond it 1.03 times as often as a normal law says, those of lognormal records (sigma 1)
1.00 times, where fixed limits have 1.2 and 2.5 times. With few records the prior, which is the variance of Phase I, decides, and
`rest` of the skewness is left to `skew`. Normal records lose next to nothing: their sigma varies by 2 % at n = 100.

A window of one record, or whose records are all the same, says nothing of their scatter: lean is 1.

Sources: Johnson (1978), Modified t tests and confidence intervals for asymmetrical populations, Journal of the American Statistical
Association 73; Hall (1992), On the removal of skewness by transformation, Journal of the Royal Statistical Society B 54 (a mean and
the variance beside it); the power between z (0, skewness g) and t (1, skewness -2 g) is this module's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streamspc.model import MetricKind

if TYPE_CHECKING:
    from streamspc.model import Floats, Ints

KINDS = frozenset({MetricKind.MEAN, MetricKind.LAG})
PRIOR = 12.0  # records that the variance of Phase I counts for


class Records(NamedTuple):
    """The records of windows, arrays of one shape (or that broadcast)."""

    n: Ints
    variance: Floats
    expected: Floats  # variance, from all of Phase I


def evened(n: Ints | Floats, ratio: Floats) -> Floats:
    """r^(3/8) of windows of n records (at least 1), whose variance is `ratio` of that of Phase I; a ratio of 1 says nothing."""
    free = n - 1.0
    r = PRIOR + free * ratio
    r /= PRIOR + free
    for _ in range(3):
        np.sqrt(r, out=r)
    power: Floats = r * r
    power *= r
    return power


def factor(records: Records, unit: Floats, others: Floats) -> Floats:
    """What sigma is multiplied by, sigma^2 being unit / n and `others`."""
    n, own, expected = np.maximum(records.n, 1), records.variance, records.expected
    told = (own > 0.0) & (expected > 0.0) & (unit > 0.0) & (n > 1)
    power = evened(n, np.where(told, own, 1.0) / np.where(told, expected, 1.0))
    within = unit / n
    share = np.where(told, within, 0.0) / np.where(told, others + within, 1.0)
    lean: Floats = np.sqrt(1.0 + share * (power - 1.0))
    return lean


def rest(n: Ints) -> Floats:
    """The share of the skewness of a mean that is left."""
    free = np.maximum(n - 1, 0)
    left: Floats = np.maximum(1.0 - 1.125 * free / (PRIOR + free), 0.0)
    return left
