"""Charts of counts: p and np (hits among n), c and u (events per unit).

Definition, with the centre sum x / sum n of the data:

    p   centre -/+ L sqrt(p (1 - p) / n_i), within 0 and 1      share of hits
    np  n p -/+ L sqrt(n p (1 - p)), within 0 and n             number of hits, n the same
    c   c -/+ L sqrt(c), not below 0                             number of events, area the same
    u   u -/+ L sqrt(u / n_i), not below 0                       events per unit

`binomial` and `poisson` are limits in counts from the laws themselves: the quantiles of each tail, of which a count strictly outside
has at most that probability. Prefer them where n p is below ten or so: the symmetric lower limit is 0 there and blind to improvement.

Use them only while the laws hold. When n is large, rates differ between windows by more than sampling, and these charts signal at
almost every point: with an intraclass correlation of 1e-4 and p = 0.01 the ARL0 is 28 at n = 10^4 and 1.3 at 10^6. See `laney`.

Source: Montgomery (2020), Introduction to Statistical Quality Control, chapter 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from streamspc.chart.classic.limits import Limits, around, tail

if TYPE_CHECKING:
    from streamspc.chart.classic.limits import Numbers
    from streamspc.model import Floats


def rate(x: Floats, n: Numbers = 1.0) -> Floats:
    """All hits or events over all trials or units, along the last axis; nan is left out."""
    there = ~np.isnan(x)
    mean: Floats = np.where(there, x, 0.0).sum(axis=-1) / np.where(there, n, 0.0).sum(axis=-1)
    return mean


def p(centre: Numbers, n: Numbers, width: float = 3.0) -> Limits:
    """Limits of shares of n trials."""
    return around(centre, np.sqrt(centre * (1.0 - centre) / n), width, least=0.0, most=1.0)


def np_(centre: Numbers, n: Numbers, width: float = 3.0) -> Limits:
    """Limits of numbers of hits in n trials; `centre` is the share."""
    middle, lower, upper = p(centre, n, width)
    return Limits(middle * n, lower * n, upper * n)


def c(centre: Numbers, width: float = 3.0) -> Limits:
    """Limits of numbers of events."""
    return around(centre, np.sqrt(centre), width, least=0.0)


def u(centre: Numbers, n: Numbers, width: float = 3.0) -> Limits:
    """Limits of events per unit, of n units."""
    return around(centre, np.sqrt(centre / n), width, least=0.0)


def binomial(centre: Numbers, n: Numbers, confidence: float) -> Limits:
    """Limits of numbers of hits in n trials from the binomial law; `centre` is the share."""
    each = tail(confidence)
    lower, upper = stats.binom.ppf(each, n, centre), stats.binom.isf(each, n, centre)
    return Limits(*np.broadcast_arrays(centre * np.asarray(n, np.float64), lower, upper))


def poisson(centre: Numbers, confidence: float) -> Limits:
    """Limits of numbers of events from the Poisson law."""
    each = tail(confidence)
    return Limits(np.asarray(centre, np.float64), stats.poisson.ppf(each, centre), stats.poisson.isf(each, centre))
