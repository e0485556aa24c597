"""Tabular CUSUM, also together with a Shewhart chart.

Definition: C+_t = max(0, C+_(t-1) + x_t - k), C-_t = max(0, C-_(t-1) - x_t - k), of deviations x from the target, in sigma or in any
unit that k and h share; a signal where C > h, strictly (of counts: `count_cusum`). `headstart` is where both sides begin (Lucas &
Crosier: h / 2): a shift present from the start is told sooner, at the price of more false alarms (ARL0 465.4 becomes 430.4 at k 0.5, h 5,
head start 2.5).

Without `restart_above` the statistics go on after a signal, as R's qcc has it; with it they begin at 0 after every point above it. A
missing value holds them.

Use it for shifts of half a sigma to two that last. The combined chart adds |z| > c, which tells large shifts at once; h and c are
designed together (`design`), since their alarms overlap.

Sources: Page (1954), Continuous inspection schemes, Biometrika 41; Lucas & Crosier (1982), Fast initial response for CUSUM quality
control schemes, Technometrics 24(3); Lucas (1982), Combined Shewhart-CUSUM quality control schemes, Journal of Quality Technology
14(2); Hawkins & Olwell (1998), Cumulative sum charts and charting for quality improvement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from streamspc.chart.classic.limits import Numbers
    from streamspc.model import Bools, Floats


def two_sided(x: Floats, k: Numbers, headstart: float = 0.0, restart_above: float = np.inf) -> Floats:
    """Upper and lower statistic of deviations [..., m] from the target: [2, ..., m], both >= 0.

    >>> two_sided(np.array([1.0, 2.0, -1.5]), 0.5).tolist()
    [[0.5, 2.0, 0.0], [0.0, 0.0, 1.0]]
    """
    return one_sided(np.stack((x, -x)), k, headstart, restart_above)


def one_sided(x: Floats, k: Numbers, headstart: float = 0.0, restart_above: float = np.inf) -> Floats:
    """max(0, C + x - k) of series [..., m]."""
    told, now = np.empty(x.shape), np.full(x.shape[:-1], headstart)
    for at in range(x.shape[-1]):
        value = x[..., at]
        now = np.where(np.isnan(value), now, np.maximum(0.0, now + value - k))
        told[..., at] = now
        now = np.where(now > restart_above, 0.0, now)
    return told


def combined(z: Floats, k: float, h: float, c: float, headstart: float = 0.0) -> Bools:
    """Where a two-sided CUSUM or a Shewhart chart with limits -/+ c signals, neither restarted. [..., m]."""
    over: Bools = (two_sided(z, k, headstart) > h).any(axis=0) | (np.abs(z) > c)
    return over
