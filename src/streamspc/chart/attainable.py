"""The rate of false alarms that whole numbers of hits allow: the next one below the promise.

Where a window holds 0, 1 or 2 hits there is no limit that is crossed just as often as was promised, and charts take the one that is
crossed less often. How often that is, in expectation over what Phase I does not know, follows from the law of hits (`rare`): their mean
is gamma distributed about what was learnt, of which `MEANS` quantiles stand for all, and given it hits vary as much as windows were
seen to. Each number of hits has its z, so a CUSUM is a walk with steps z - k, whose average run length is that of a Markov chain on
`CELLS` points of [0, h]; steps end between two of them, and each has its share, so that the mean of a step is kept. The Shewhart chart
signals in the same chain where z is beyond its limit. Two sides signal at the sum of their rates.

Limits allow for overdispersion that cannot be excluded, and are crossed more rarely still where there is none. EWMAs, further scales,
confirmation and run rules are not in it: None where one of them may speak.

Source: Brook & Evans (1972), An approach to the probability distribution of CUSUM run length, Biometrika 59.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betainc, gammaincinv

from streamspc.chart import rare
from streamspc.model import ChartKind

if TYPE_CHECKING:
    from streamspc.chart.bank import Bank
    from streamspc.model import Bools, Floats

CELLS, MEANS = 80, 12
REST = 1e-15  # probability of more hits than are looked at
LEAST_RATE = 1e-13  # of false alarms that can be told from none
LEAST = 1e-9  # relative variance between windows: Poisson
SHEWHART, CUSUM, EWMA = (list(ChartKind).index(kind) for kind in ChartKind)


def arl0(bank: Bank, series: tuple[int, int], n: float) -> float | None:
    """Windows for each false alarm of a rare series with n records a window; None where it is not rare, or nothing is promised."""
    plan, baseline, row = bank.plan, bank.baseline, series[0]
    shewhart, cusum, ewma = (bool(plan.by[chart, row]) for chart in (SHEWHART, CUSUM, EWMA))
    more = any(row in rows for rows in (plan.more.cusum, plan.more.ewma, plan.ruled, plan.confirmed))
    if not baseline.side[series] or not bank.limits.arl0[series] or ewma or more:
        return None
    mean = float(baseline.expected[series]) * (1.0 if plan.counts[row] else n)
    total = max(mean * int(baseline.kept[series]), 0.5)  # hits in Phase I
    over = max(float(baseline.relative[series]) - 1.0 / total, LEAST)
    means = mean * gammaincinv(total, (np.arange(MEANS) + 0.5) / MEANS) / total
    chances = _chances(np.maximum(means, 1e-12), over)
    z, beyond = _scores(bank, series, mean, chances.shape[1])
    rate, h, k = np.zeros(MEANS), float(bank.limits.cusum[series]), float(plan.cusum_k[row, 0])
    for side in (1, -1):
        if plan.may[:, row, side].any():
            over_it = (beyond * side > 0.0) & shewhart
            rate += _cusum(chances, side * z - k, over_it, h) if cusum else chances[:, over_it].sum(axis=1)
    often = float(rate.mean())
    return 1.0 / often if often > 0.0 else math.inf


def _chances(means: Floats, d: float) -> Floats:
    """Probabilities of 0, 1, ... hits, [means, hits]."""
    most, size, chance = math.ceil(means.max()) + 1, 1.0 / d, means * d / (1.0 + means * d)
    while betainc(most + 1.0, size, chance[-1]) > REST and most < 10_000:
        most += most // 2 + 1
    hits = np.arange(1.0, most + 2.0)
    above = betainc(hits, size, chance[:, None])
    return np.diff(-above, axis=1, prepend=-1.0)


def _scores(bank: Bank, series: tuple[int, int], mean: float, hits: int) -> tuple[Floats, Floats]:
    """Z of each number of hits as the charts have it, and on which side the Shewhart chart is beyond its limit."""
    baseline, limit = bank.baseline, np.full(hits, bank.limits.shewhart[series])
    laws = np.full(hits, baseline.relative[series]), np.full(hits, baseline.wider[series])
    number = np.arange(float(hits))
    z, least, most = rare.judged(number, np.full(hits, mean), laws, limit)
    beyond = np.where(number > most, 1.0, np.where(number < least, -1.0, 0.0))
    side = float(baseline.side[series])
    return side * np.where(beyond != 0.0, z, np.clip(z, -limit, limit)), side * beyond


def _cusum(chances: Floats, step: Floats, over: Bools, h: float) -> Floats:
    """Signals a window of C = max(0, C + step) from 0, which signals above h and where `over`. [means]."""
    to = np.maximum(np.linspace(0.0, h, CELLS) + step[~over, None], 0.0) * ((CELLS - 1) / h)  # [steps, from]
    low = np.minimum(to.astype(np.int64), CELLS - 2)
    share = np.where(to <= CELLS - 1, to - low, np.nan)
    cells = np.arange(CELLS)
    upper, lower = np.nan_to_num(share), np.nan_to_num(1.0 - share)
    move = (low[..., None] == cells) * lower[..., None] + (low[..., None] + 1 == cells) * upper[..., None]  # [steps, from, to]
    stays = np.tensordot(chances[:, ~over], move, axes=1)
    runs = np.linalg.solve(np.eye(CELLS) - (1.0 - LEAST_RATE) * stays, np.ones((len(chances), CELLS, 1)))
    rates: Floats = np.maximum(1.0 / runs[:, 0, 0] - LEAST_RATE, 0.0)
    return rates
