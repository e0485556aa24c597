"""Charts of rare events: g (how many went well between two) and t (how long between two).

g. Definition: x is the number of records between two events, geometric with P(X = x) = p (1 - p)^x when nothing has changed, mean (1 -
p) / p and variance mean (mean + 1). Limits are mean -/+ L sqrt(mean (mean + 1)), not below 0, or (`geometric`) quantiles of the law.

t. Definition: x is the time between two events, exponential when nothing has changed; limits are quantiles of the law (`exponential`), or
those of individuals of x^(1 / 3.6), which is nearly normal, taken back (`transformed`).

In both a point above the upper limit is good news (events have become rarer), one below the lower limit is bad. The symmetric lower
limit of g is always 0, so it cannot tell that things got worse: take the quantiles. A point comes with each event; while none comes,
compare the time since the last one with the upper limit.

Use them where a p or u chart has mostly zeros (n p below 1). A single short interval says little: for a sustained rise of the rate a
Bernoulli or an exponential CUSUM is much faster.

Sources: Benneyan (2001), Number-between g-type statistical quality control charts, Health Care Management Science 4; Nelson (1994), A
control chart for parts-per-million nonconforming items, Journal of Quality Technology 26(3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamspc.chart.classic import individuals
from streamspc.chart.classic.limits import Limits, around, tail

if TYPE_CHECKING:
    from streamspc.chart.classic.limits import Numbers
    from streamspc.model import Floats

POWER = 1.0 / 3.6  # of a time: skewness and kurtosis are nearly those of a normal value


def g(mean: Numbers, width: float = 3.0) -> Limits:
    """Limits of numbers between events, from their mean.

    >>> [round(float(limit), 6) for limit in g(20.0)]
    [20.0, 0.0, 81.481705]
    """
    middle = np.asarray(mean, np.float64)
    return around(middle, np.sqrt(middle * (middle + 1.0)), width, least=0.0)


def geometric(mean: Numbers, confidence: float) -> Limits:
    """Limits of numbers between events from the geometric law: strictly outside has at most (1 - confidence) / 2 on each side."""
    each, middle = tail(confidence), np.asarray(mean, np.float64)
    stay = -np.log1p(1.0 / middle)  # log(1 - p)
    lower, upper = (np.ceil(np.log(kept) / stay - 1.0) for kept in (1.0 - each, each))
    return Limits(middle, np.maximum(lower, 0.0), np.maximum(upper, 0.0))


def exponential(mean: Numbers, confidence: float) -> Limits:
    """Limits of times between events from the exponential law."""
    each, middle = tail(confidence), np.asarray(mean, np.float64)
    return Limits(middle, -middle * np.log1p(-each), -middle * np.log(each))


def transformed(times: Floats, width: float = 3.0) -> Limits:
    """Limits of times between events [..., m], from individuals and moving ranges of x^(1 / 3.6); the centre is near the median."""
    y = times**POWER
    limits = individuals.individuals(np.nanmean(y, axis=-1), individuals.sigma(y), width)
    return Limits(*(np.maximum(limit, 0.0) ** (1.0 / POWER) for limit in limits))
