"""Metrics that are charted as logarithms: lags, which are as good as never near 0 and now and then a hundred times as long.

What a lag does, it does by a factor: twice as long is as odd as half as long, the scatter of records grows with the lag, and limits in
seconds that hold at three in the night are wrong at noon. So its charts see y = ln x, with the variances that follow (delta method):

    unit = s^2 / x^2        extra / x^2        skewness of a mean  (mu_3 - unit^2) / n^2 / sigma^3, mu_3 as `skew` learns it from y

mu_3 alone would have the mean of n exponential records without skewness; their logarithm has -1 / sqrt(n). Points show centre and limits as
lags again, e^y: the centre is the median, limits are no longer as far on both sides, sigma is that of y times the centre, and
shifts, which `min_effect` is about, are sigmas of that size. z and the other charts' statistics are those of y.

Values below `LEAST`, which is a tick of Kafka's clock, and those below 0, of clocks that differ, count as `LEAST`.

Logarithm and exponential are made of sums and products here, so that every machine has the same bits.

Source: Limpert, Stahel & Abbt (2001), Log-normal distributions across the sciences, BioScience 51(5).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from streamspc.model import MetricKind

if TYPE_CHECKING:
    from streamspc.model import Floats, Ints, Statistics

KINDS = frozenset({MetricKind.LAG})
LEAST = 1e-3  # seconds
_LN2_HIGH, _LN2_LOW = 0.693147180369123816490, 1.90821492927058770002e-10  # ln 2 in two parts: whole multiples of the first are exact
_ROOT = 0.7071067811865476


def scaled(rows: Ints, statistics: Statistics) -> Statistics:
    """The statistics [M, S] with those of these metrics as logarithms."""
    value, unit, extra = statistics.value.copy(), statistics.unit.copy(), statistics.extra.copy()
    level = np.fmax(value[rows], LEAST)
    value[rows] = np.where(np.isnan(value[rows]), np.nan, log(level))
    unit[rows] /= level * level
    extra[rows] /= level * level
    return replace(statistics, value=value, unit=unit, extra=extra)


def shown(rows: Ints, y: Floats) -> Floats:
    """Numbers [M, S], those of these metrics as lags again."""
    back = y.copy()
    back[rows] = exp(y[rows])
    return back


def log(x: Floats) -> Floats:
    """Natural logarithm of numbers above 0, within two units of the last place.

    ln x = k ln 2 + 2 atanh((m - 1) / (m + 1)), with m from sqrt(1/2) to sqrt(2).
    """
    m, k = np.frexp(x)
    small = m < _ROOT
    m, k = np.where(small, m + m, m), np.where(small, k - 1, k)
    s = (m - 1.0) / (m + 1.0)
    square = s * s
    series = np.zeros_like(s)
    for power in range(21, 0, -2):
        series = series * square + 1.0 / power
    total: Floats = k * _LN2_HIGH + (k * _LN2_LOW + 2.0 * s * series)
    return total


def exp(y: Floats) -> Floats:
    """Exponential, within two units of the last place; inf where that is too large a number, nan where y is.

    e^y = 2^k e^r, r at most half of ln 2, by its series.
    """
    inner = np.clip(np.where(np.isnan(y), 0.0, y), -800.0, 800.0)
    k = np.rint(inner / (_LN2_HIGH + _LN2_LOW))
    r = (inner - k * _LN2_HIGH) - k * _LN2_LOW
    series = np.ones_like(r)
    for power in range(14, 0, -1):
        series = 1.0 + series * r / power
    with np.errstate(over="ignore", under="ignore"):
        total: Floats = np.ldexp(series, k.astype(np.int64))
    return np.where(np.isnan(y), np.nan, total)
