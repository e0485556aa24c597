"""How far a window is from what was to be expected of it, in sigma, and the values at which that is too far."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streamspc.chart import lean, logarithm, rare, shewhart, skew, straight
from streamspc.chart.places import places, put

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamspc.chart.bank import Bank
    from streamspc.model import Floats, Ints, Statistics

    Law = Callable[[Floats, Floats], Floats]

MOST_SIGMA = 1e6  # z is cut off here, so that one absurd value is not remembered for ever


class Score(NamedTuple):
    """All series [M, S]; nan where there is no value, or no baseline."""

    centre: Floats  # what was to be expected
    sigma: Floats
    distance: Floats  # value - centre
    z: Floats  # distance / sigma; of rare series the normal score of the tail
    alone: Floats  # z if the window before is not asked
    lcl: Floats
    ucl: Floats


def score(bank: Bank, statistics: Statistics) -> Score:
    """Scores of one window."""
    raw, logs = statistics.value, bank.plan.logs
    if len(logs):
        statistics = logarithm.scaled(logs, statistics)
    baseline, fit, value, n = bank.baseline, bank.fit, statistics.value, statistics.n
    plain = _sigma(bank, statistics)
    sigma = plain * fit.widening
    centre = baseline.centre
    with np.errstate(over="ignore"):
        distance = value - centre
        alone = z = distance / sigma
    g = _skewness(bank, statistics, plain) if len(fit.skewed) else None
    if g is not None:
        _bend(bank, alone, g)
    np.clip(alone, -MOST_SIGMA, MOST_SIGMA, out=alone)
    of_last: tuple[Floats | float, Floats | float] = 0.0, 1.0
    if fit.correlated:
        of_last = ahead, share = bank.carry.tells(baseline.phi, fit.rest)
        z = (alone - ahead) / share
        np.clip(z, -MOST_SIGMA, MOST_SIGMA, out=z)
        centre = centre + ahead * sigma
        distance = value - centre
        sigma *= share
    lcl, ucl = shewhart.limits(bank.plan, bank.limits.shewhart, centre, sigma)
    result = Score(centre, sigma, distance, z, alone, lcl, ucl)
    if g is not None:
        _bend_limits(bank, result, of_last, (plain, g))
    if fit.rare:
        _score_rare(bank, result, value, n)
    return _shown(bank, result, raw) if len(logs) else result


def _shown(bank: Bank, result: Score, raw: Floats) -> Score:
    """Metrics that are charted as logarithms in their own unit."""
    logs = bank.plan.logs
    centre, lcl, ucl = (logarithm.shown(logs, numbers) for numbers in (result.centre, result.lcl, result.ucl))
    sigma, distance = result.sigma.copy(), result.distance.copy()
    sigma[logs] *= centre[logs]
    distance[logs] = raw[logs] - centre[logs]
    return result._replace(centre=centre, sigma=sigma, distance=distance, lcl=lcl, ucl=ucl)


def _sigma(bank: Bank, statistics: Statistics) -> Floats:
    """Sigma of the window; that of means follows the scatter of their records."""
    baseline, fit, rows = bank.baseline, bank.fit, bank.plan.means
    n = np.maximum(statistics.n, 1).astype(np.float64)  # once, for what divides by integers converts them each time
    variance = baseline.unit / n
    if len(rows) == len(n):
        variance *= _evened(n, statistics.unit, fit.scatter)
    elif len(rows):
        variance[rows] *= _evened(n[rows], statistics.unit[rows], fit.scatter[rows])
    variance += statistics.extra
    variance += baseline.between
    np.sqrt(variance, out=variance)
    return np.maximum(variance, fit.floor, out=variance)


def _evened(n: Floats, own: Floats, scatter: Floats) -> Floats:
    ratio = own / scatter
    put(ratio, places(~(ratio > 0.0)), 1.0)
    return lean.evened(n, ratio)


def _skewness(bank: Bank, statistics: Statistics, sigma: Floats) -> Floats:
    """Of skewed metrics, and of single values their shape, in units of a sigma that does not follow the window. [rows, S]."""
    rows, baseline, plan = bank.fit.skewed, bank.baseline, bank.plan
    if len(plan.means):
        sigma = baseline.sigma(statistics.n, statistics.extra, bank.fit.floor)
    bend, sigma, between, n = baseline.bend[rows], sigma[rows], baseline.between[rows], statistics.n[rows]
    between = np.where(plan.counts[rows, None], np.maximum(between - baseline.centre[rows], 0.0), between)
    more = np.where(np.isin(rows, plan.logs)[:, None], -(baseline.expected[rows] ** 2), 0.0)
    g = np.where(plan.hits[rows, None], skew.of_hits(bend, between, sigma), skew.of_means(bend, np.maximum(n, 1), sigma, more))
    return np.where(plan.single[rows, None], bend, g)


def _bend(bank: Bank, alone: Floats, g: Floats) -> None:
    """Make the scores of skewed metrics normal, in place."""
    rows = bank.fit.skewed
    widening = bank.fit.widening[rows]
    u = alone[rows] * widening
    alone[rows] = _by_law(bank, u, g, (skew.normal, straight.normal)) / widening


def _bend_limits(bank: Bank, result: Score, of_last: tuple[Floats | float, Floats | float], spread: tuple[Floats, Floats]) -> None:
    """Limits of skewed metrics, in place: the values whose scores are at the limit."""
    rows = bank.fit.skewed
    ahead, share = (np.broadcast_to(part, result.z.shape)[rows] for part in of_last)
    plain, g = spread[0][rows], spread[1]
    width, widening = bank.limits.shewhart[rows] * share, bank.fit.widening[rows]
    for limit, sign in ((result.lcl, -1.0), (result.ucl, 1.0)):
        w = (ahead + sign * width) * widening
        limit[rows] = bank.baseline.centre[rows] + plain * _by_law(bank, w, g, (skew.standard, straight.standard))
    shewhart.clip(bank.plan, result.lcl, result.ucl)


def _by_law(bank: Bank, scores: Floats, g: Floats, laws: tuple[Law, Law]) -> Floats:
    """Scores of skewed metrics by the law of type III, those of single values by the lognormal one."""
    single = bank.plan.single[bank.fit.skewed]
    result = laws[0](scores, np.where(single[:, None], 0.0, g))
    if single.any():
        result[single] = laws[1](scores[single], g[single])
    return result


def _score_rare(bank: Bank, result: Score, value: Floats, n: Ints) -> None:
    """Put the scores of rare series in their places."""
    baseline = bank.baseline
    at = np.nonzero((baseline.side != 0) & ~np.isnan(value))
    side, expected, relative, wider = baseline.side[at], baseline.expected[at], baseline.relative[at], baseline.wider[at]
    size = np.where(bank.plan.counts[at[0]], 1, n[at])
    hits = np.round(value[at] * size)
    mean = expected * size
    hits = np.where(side > 0, hits, size - hits)
    limit = bank.limits.shewhart[at]
    z, least, most = rare.judged(hits, mean, (relative, wider), limit)
    z = np.clip(z, -MOST_SIGMA, MOST_SIGMA)
    result.z[at] = side * np.where((hits < least) | (hits > most), z, np.clip(z, -limit, limit))
    result.sigma[at] = np.sqrt(mean + wider * mean * mean) / size
    result.lcl[at] = np.where(side > 0, least, size - most) / size
    result.ucl[at] = np.where(side > 0, most, size - least) / size
