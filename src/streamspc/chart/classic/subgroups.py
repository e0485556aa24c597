"""Charts of subgroups: mean with range (Xbar-R), mean with standard deviation (Xbar-S).

Definition: from m subgroups of n_i values, Xbar has limits centre -/+ L sigma / sqrt(n_i), R has d2(n_i) sigma -/+ L d3(n_i) sigma, S has
c4(n_i) sigma -/+ L sqrt(1 - c4(n_i)^2) sigma, the last two not below 0. sigma is estimated within subgroups:

    mean_range      mean of R_i / d2(n_i)
    weighted_range  the same, weighted by the inverse variance d2^2 / d3^2 (best linear)
    mean_sd         mean of S_i / c4(n_i)
    weighted_sd     the same, weighted by c4^2 / (1 - c4^2)
    pooled          sqrt(sum (n_i - 1) S_i^2 / f) / c4(f + 1), f = sum (n_i - 1): the most efficient

`probability_*` have equal tails instead of L sigma: R and S are skewed, and L = 3 signals 4.6 and 3.9 times in 1000 at n = 5, all above.

Use Xbar-R for subgroups up to ten by hand, Xbar-S otherwise. With varying n both centre and limits of R and S follow n; a centre
line that ignores it (as R's qcc draws it) is a choice of the caller: `centre=`. When windows hold thousands of records, within-subgroup
sigma says nearly nothing about how windows differ: use individuals of the means (`individuals`) or the daemon's between-sigma.

Sources: Shewhart (1931); Burr (1969), Control charts for measurements with varying sample sizes, Journal of Quality Technology 1
(weights); Montgomery (2020), Introduction to Statistical Quality Control, chapter 6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import chdtri

from streamspc.chart.classic.constants import c4, d2, d3, range_quantile
from streamspc.chart.classic.limits import Limits, around, tail

if TYPE_CHECKING:
    from streamspc.chart.classic.limits import Counts, Numbers
    from streamspc.model import Floats, Ints

METHODS = ("mean_range", "weighted_range", "mean_sd", "weighted_sd", "pooled")


class Subgroups(NamedTuple):
    """What charts need of subgroups, [..., m]. A subgroup of one has a mean alone, an empty one is nan."""

    mean: Floats
    range: Floats
    sd: Floats
    n: Ints

    @classmethod
    def of(cls, values: Floats) -> Subgroups:
        """From observations [..., m, n]; those that are nan are missing, so that subgroups may differ in size."""
        there = ~np.isnan(values)
        n = there.sum(axis=-1)
        some = np.where(n > 0, n, np.nan)
        two = np.where(n > 1, n, np.nan)
        mean = np.where(there, values, 0.0).sum(axis=-1) / some
        squares = np.where(there, values - mean[..., None], 0.0) ** 2
        widest = np.where(there, values, -np.inf).max(axis=-1) - np.where(there, values, np.inf).min(axis=-1)
        return cls(mean, np.where(n > 1, widest, np.nan), np.sqrt(squares.sum(axis=-1) / (two - 1.0)), n)

    def centre(self) -> Floats:
        """Mean of all observations. [...]."""
        centre: Floats = np.where(self.n > 0, self.mean * self.n, 0.0).sum(axis=-1) / self.n.sum(axis=-1)
        return centre

    def sigma(self, method: str = "pooled") -> Floats:
        """Standard deviation within subgroups, by a method of the module's table. [...]."""
        estimate: Floats
        match method:
            case "mean_range":
                estimate = np.nanmean(self.range / d2(self.n), axis=-1)
            case "weighted_range":
                estimate = _weighted(self.range, d2(self.n), d3(self.n) ** 2)
            case "mean_sd":
                estimate = np.nanmean(self.sd / c4(self.n), axis=-1)
            case "weighted_sd":
                estimate = _weighted(self.sd, c4(self.n), 1.0 - c4(self.n) ** 2)
            case "pooled":
                free = np.maximum(self.n - 1, 0)
                total = np.nansum(free * self.sd**2, axis=-1)
                estimate = np.sqrt(total / free.sum(axis=-1)) / c4(free.sum(axis=-1) + 1)
            case _:
                raise ValueError(f"method is {method!r}: it must be one of {', '.join(METHODS)}")
        return estimate


def xbar(centre: Numbers, sigma: Numbers, n: Counts, width: float = 3.0) -> Limits:
    """Limits of means of n observations. For equal tails `width` is `limits.normal_width(confidence)`."""
    return around(centre, sigma / np.sqrt(np.asarray(n, np.float64)), width)


def r(sigma: Numbers, n: Counts, width: float = 3.0, centre: Numbers | None = None) -> Limits:
    """Limits of ranges of n observations."""
    return around(sigma * d2(n) if centre is None else centre, sigma * d3(n), width, least=0.0)


def s(sigma: Numbers, n: Counts, width: float = 3.0, centre: Numbers | None = None) -> Limits:
    """Limits of standard deviations of n observations."""
    return around(sigma * c4(n) if centre is None else centre, sigma * np.sqrt(1.0 - c4(n) ** 2), width, least=0.0)


def probability_r(sigma: Numbers, n: Counts, confidence: float) -> Limits:
    """Limits of ranges with equal tails, from the law of the range."""
    each = tail(confidence)
    return Limits(*np.broadcast_arrays(sigma * d2(n), sigma * range_quantile(each, n), sigma * range_quantile(1.0 - each, n)))


def probability_s(sigma: Numbers, n: Counts, confidence: float) -> Limits:
    """Limits of standard deviations with equal tails: (n - 1) S^2 / sigma^2 is chi-square."""
    each, free = tail(confidence), np.asarray(n, np.float64) - 1.0
    lower, upper = (sigma * np.sqrt(chdtri(free, above) / free) for above in (1.0 - each, each))
    return Limits(*np.broadcast_arrays(sigma * c4(n), lower, upper))


def _weighted(statistic: Floats, mean: Floats, variance: Floats) -> Floats:
    """Best linear unbiased estimate of sigma from statistics with mean `mean` sigma and variance `variance` sigma^2."""
    weight = np.where(np.isnan(statistic), 0.0, mean / variance)
    estimate: Floats = np.nansum(weight * statistic, axis=-1) / np.nansum(weight * mean, axis=-1)
    return estimate
