"""Sigma of a point: what a window's statistic varies by when nothing has changed.

    sigma_t^2 = between^2 + unit / n_t + extra_t

`unit` is the variance of one record within a window, so unit / n_t shrinks with the records; `extra` does not shrink with them (the
grid of a quantile sketch); `between` is how windows differ although the process is in control, which no number of records averages out.
Without it a p chart of 10^6 records alarms at almost every window (Laney 2002); without unit / n_t a window of ten records does.

`unit` is pooled over the baseline's windows, because a window of few records says little about it:
- proportion and null rate: p' (1 - p') with p' = (hits + 1/2) / (n + 1) over all windows together, so that a rate that was 0 in
  Phase I still has a variance;
- quantile: the median over windows, because an estimate of a density at one point has heavy tails;
- count: 0, all variation is between windows (it is seldom Poisson);
- the others: mean weighted by n - 1, the degrees of freedom of each window.

Sigma is never 0: `floor` is 1e-9 of |centre| (and 1e-100 where the centre is 0), far below what a metric means and far above
its rounding, so that a constant metric that moves signals.

Sources: Nelson, L. S. (1989), Standardization of Shewhart control charts, Journal of Quality Technology 21(4); Laney, D. B. (2002),
Improved control charts for attributes, Quality Engineering 14(4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamspc.chart import order
from streamspc.chart.plan import RATIOS
from streamspc.model import MetricKind

if TYPE_CHECKING:
    from streamspc.model import Bools, Floats, Ints


def within(unit: Floats, n: Ints, extra: Floats) -> Floats:
    """Variance within a window of n records; n = 0 counts as 1 (an empty count has a value and no records)."""
    variance: Floats = unit / np.maximum(n, 1)
    variance += extra
    return variance


def floor(centre: Floats) -> Floats:
    """The least sigma of a series with this centre."""
    return np.maximum(1e-9 * np.abs(centre), 1e-100)


def pooled(kind: MetricKind, value: Floats, n: Ints, unit: Floats, keep: Bools) -> Floats:
    """Variance of one record, from windows [m, q] of one kind of metric. [q]."""
    if kind is MetricKind.COUNT:
        return np.zeros(value.shape[1])
    if kind in RATIOS:
        hits = order.total(np.where(keep, value * n, 0.0))
        p = (hits + 0.5) / (order.total(np.where(keep, n, 0.0)) + 1.0)
        return p * (1.0 - p)
    if kind is MetricKind.QUANTILE:
        return order.median(unit, keep)
    freedom = np.where(keep, np.maximum(n - 1, 0), 0.0)
    return order.total(freedom * np.where(freedom > 0.0, unit, 0.0)) / np.maximum(order.total(freedom), 1.0)
