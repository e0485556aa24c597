"""Rates near 0 or 1 and small counts: what the next window may hold, given what Phase I has seen.

A rate that was 0 in all of Phase I is not known to be 0, and a normal law says nothing of numbers such as 0, 1 and 2. For such a
series, a window's hits x have a predictive law: Poisson about a mean that is itself uncertain, with a gamma law, that is negative
binomial with mean mu and variance mu + d mu^2, where

    count:  mu = (T + 1/2) / m           T hits in m windows; half a hit more is Jeffreys' prior, so that mu is never 0
    rate:   mu = n (T + 1/2) / (N + 1)   T hits among N records, n in this window
    d = 1 / (T + 1/2) + overdispersion   what Phase I does not know, and how windows differ

Overdispersion is what the variance between windows says. Of rates it may be up to `rho` (1 - p) / p whatever that says: two records of one
window may be alike by 1e-5 (`baseline.overdispersion`), and a few windows without a hit cannot show that they are not. As that makes
windows of many hits likelier, and those of one hit less likely, limits are the wider and scores the nearer of the two laws: that of
what the windows say, and that of what cannot be excluded. So a first null after 50 windows of none is news, and no alarm.

Limits are the outermost numbers of hits whose tail, P(X >= x) or P(X <= x), is as likely as the limit's: of the rates that a
lattice allows, the next one below the promise. A point's z is the normal score of the middle of its number of hits, P(X < x) + P(X
= x) / 2, which is within the limit of z where the hits are: a CUSUM of conservative scores would be blind.

Series are rare when they expect fewer than `FEW` hits a window of average size (misses for rates near 1, whose score then has its
sign turned). Scores are rounded to six decimals, so that no machine's last bit decides.

Sources: Box & Tiao (1973), Bayesian inference in statistical analysis (Jeffreys' prior); Hahn & Meeker (1991), Statistical
intervals, chapter 7 (prediction of counts).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import betainc, ndtr, ndtri

from streamspc.chart import order

if TYPE_CHECKING:
    from streamspc.model import Bools, Floats, Ints

    Sides = npt.NDArray[np.int8]

FEW = 25.0  # hits a window
SMALL = 0.1  # rate
RHO = 1e-5


class Rare(NamedTuple):
    """The predictive law of q series."""

    side: Sides  # +1 hits are rare, -1 misses are, 0 neither
    expected: Floats  # hits for each record; of a count, in each window
    relative: Floats  # d as the windows say
    wider: Floats  # d with the overdispersion that cannot be excluded


def of_counts(value: Floats, keep: Bools, spread: Floats) -> Rare:
    """Counts [m, q], and their variance [q]."""
    m = order.kept(keep)
    total = order.total(np.where(keep, value, 0.0)) + 0.5
    expected = total / m
    over = np.maximum(0.0, spread - expected) / (expected * expected)
    relative = 1.0 / total + over
    return Rare((expected < FEW).astype(np.int8), expected, relative, relative)


def of_rates(value: Floats, n: Ints, keep: Bools, between: Floats, rho: float = RHO) -> Rare:
    """Rates [m, q] of n records, and the variance [q] between windows; two records of one window may be alike by `rho`."""
    records = order.total(np.where(keep, n, 0.0))
    hits = np.round(order.total(np.where(keep, value * n, 0.0)))
    many = hits + hits > records
    rare = np.where(many, records - hits, hits) + 0.5
    expected = rare / (records + 1.0)
    few = (expected < SMALL) & (expected * records < FEW * order.kept(keep))
    over = between / (expected * expected)
    side = np.where(many, -1, 1) * few
    return Rare(side.astype(np.int8), expected, 1.0 / rare + over, 1.0 / rare + np.maximum(over, rho * (1.0 - expected) / expected))


def judged(hits: Floats, mean: Floats, d: tuple[Floats, Floats], limit: Floats) -> tuple[Floats, Floats, Floats]:
    """Score, and the least and the most hits that do not signal, of the nearer and the wider of two laws."""
    z, (least, most) = score(hits, mean, d[0]), limits(mean, d[0], limit)
    at = np.flatnonzero(d[1] > d[0])
    if len(at):
        other, (lower, upper) = score(hits[at], mean[at], d[1][at]), limits(mean[at], d[1][at], limit[at])
        z[at] = np.where(np.abs(other) < np.abs(z[at]), other, z[at])
        least[at], most[at] = np.minimum(least[at], lower), np.maximum(most[at], upper)
    return z, least, most


def score(hits: Floats, mean: Floats, relative: Floats) -> Floats:
    """Normal score of the middle of each number of hits: of P(X < x) + P(X = x) / 2."""
    above, below = _tails(hits, mean, relative)
    beyond, short = _tails(hits + 1.0, mean, relative)[0], np.where(hits > 0.0, _tails(np.maximum(hits, 1.0) - 1.0, mean, relative)[1], 0.0)
    z: Floats = np.round(np.where(above < below, -ndtri(0.5 * (above + beyond)), ndtri(0.5 * (below + short))), 6)
    return z


def _tails(hits: Floats, mean: Floats, relative: Floats) -> tuple[Floats, Floats]:
    """P(X >= x) and P(X <= x)."""
    size, chance = 1.0 / relative, mean * relative / (1.0 + mean * relative)
    above = np.where(hits > 0.0, betainc(np.maximum(hits, 1.0), size, chance), 1.0)
    below: Floats = betainc(size, hits + 1.0, 1.0 - chance)
    return above, below


def limits(mean: Floats, relative: Floats, limit: Floats) -> tuple[Floats, Floats]:
    """The least and the most hits that do not signal."""
    tail = ndtr(-limit)
    low, high = np.full(mean.shape, -1.0), np.ceil(mean) + 1.0
    while (short := _tails(high, mean, relative)[0] >= tail).any():
        high = np.where(short, 2.0 * high + 1.0, high)
    least = _first(lambda x: _tails(x, mean, relative)[1] >= tail, low, high)
    return least, _first(lambda x: _tails(x + 1.0, mean, relative)[0] < tail, low, high)


def _first(holds: Callable[[Floats], Bools], low: Floats, high: Floats) -> Floats:
    """The first whole numbers above `low`, at most `high`, where it holds; from there on it does."""
    while (high - low > 1.0).any():
        middle = np.floor(0.5 * (low + high))
        there = holds(np.maximum(middle, 0.0))
        low, high = np.where(there, low, middle), np.where(there, np.maximum(middle, low + 1.0), high)
    return high
