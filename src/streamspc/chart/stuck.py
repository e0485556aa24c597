"""Stuck: a metric that stops moving.

A sensor that froze, a cache that answers for the database, a job that writes yesterday's file again: the value is in control and always
the same. The rule: so many identical values in a row as come by chance once in the part of the false alarms that is the rule's, given how
often neighbours tied in Phase I. It is part of the Shewhart chart, is told as rule `stuck`, and asks for neither a side nor a size.

With a ties among k pairs of neighbours, the chance t of one more tie has the law Beta(a + 1/2, k - a + 1/2) (Jeffreys' prior), and s ties
in a row the probability

    E t^s = product over i < s of (a + 1/2 + i) / (k + 1 + i)

in expectation over Phase I. A run of s + 1 windows signals at the least s for which this is at most `SHARE` of the series' false alarms;
the charts have what is left, so that all of them together keep the promise. Values that never tied in 50 windows are stuck after six
to eight of them. Where a tenth of the windows or more have one value, the pairs that begin at it are counted apart, and so are its runs:
nights without an order are not stuck, and a number that the days repeat is. What ties so often that `MOST` windows would not do is
never stuck; so a constant is none, and it signals when it moves.

Counts and values of records as they are; never a quantile, which a sketch makes alike, nor a share, which is 0 as long as all is well.
A window without a value ends the run, and so do signals and ends of episodes.

Prefer it to Nelson's rule 7, which takes many values near the centre for the same.

Sources: Jeffreys (1946), An invariant form for the prior probability in estimation problems; Feller (1968), An introduction to probability
theory and its applications 1, chapter XIII.7 (success runs).
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streamspc.chart import order
from streamspc.chart.places import Places, at, places, put
from streamspc.model import ChartKind, MetricKind

if TYPE_CHECKING:
    from streamspc.chart.baseline import Baseline
    from streamspc.model import Bools, Codes, Floats, Ints, MetricSpec

SHARE = 0.02  # of the false alarms of a series
MOST = 1000  # windows
NEVER_STUCK = 2**31 - 1
COMMON = 0.1  # share of the windows that have the most common value
KINDS = frozenset(MetricKind) - {MetricKind.QUANTILE, MetricKind.PROPORTION, MetricKind.NULL_RATE}


def asked(metric: MetricSpec) -> bool:
    """Is the metric looked at for being stuck? Its Shewhart chart speaks, and has its limit from the promise."""
    return metric.stuck and metric.kind in KINDS and ChartKind.SHEWHART in metric.signal_by and metric.charts.shewhart_limit is None


class Ties(NamedTuple):
    """Ties and pairs of q series, [q] each."""

    usual: Floats  # the value that many windows have, nan where none is
    ties: Codes  # of pairs that do not begin at it
    pairs: Codes
    usual_ties: Codes  # of those that do
    usual_pairs: Codes


def learn(value: Floats, keep: Bools) -> Ties:
    """What the windows [m, q] say."""
    common, windows = _most_common(value, keep)
    usual = np.where(windows >= np.maximum(COMMON * order.kept(keep), 3), common, np.nan)
    both = keep[1:] & keep[:-1]
    same, there = value[1:] == value[:-1], value[:-1] == usual
    groups = (both & ~there & same, both & ~there, both & there & same, both & there)
    return Ties(usual, *(order.kept(pairs).astype(np.int32) for pairs in groups))


def _most_common(value: Floats, keep: Bools) -> tuple[Floats, Ints]:
    """The value that most of the windows kept have (the least of several), and how many have it. [q] each."""
    ordered = np.sort(np.where(keep, value, np.nan), axis=0)  # nan come last
    best, number = ordered[0].copy(), np.ones(value.shape[1], np.int64)
    run = number.copy()
    for before, now in pairwise(ordered):
        run = np.where(now == before, run + 1, 1)
        more = run > number
        best, number = np.where(more, now, best), np.where(more, run, number)
    return best, number


@lru_cache(maxsize=65_536)
def run(ties: int, pairs: int, chance: float) -> int:
    """Ties in a row that come with at most this chance, NEVER_STUCK where `MOST` are likelier.

    >>> run(0, 49, 1e-6), run(10, 49, 1e-6), run(49, 49, 1e-6) == NEVER_STUCK
    (4, 11, True)
    """
    likely = 1.0
    for i in range(MOST):
        likely *= (ties + 0.5 + i) / (pairs + 1.0 + i)
        if likely <= chance:
            return i + 1
    return NEVER_STUCK


class Limits(NamedTuple):
    """Ties in a row that signal, of K metrics [K, S]."""

    any: Codes  # of whatever value
    usual: Codes  # of the usual one
    value: Floats  # which that is


def limits(baseline: Baseline, metrics: Ints, arl0: Floats) -> Limits:
    """Limits of these metrics, whose other charts have this ARL0 [M, S]; 0: no promise, and never stuck."""
    usual, ties, pairs, usual_ties, usual_pairs = (getattr(baseline, name)[metrics] for name in Ties._fields)
    arl0 = arl0[metrics]
    return Limits(_runs(ties, pairs, arl0), _runs(usual_ties, usual_pairs, arl0), usual)


def _runs(ties: Codes, pairs: Codes, arl0: Floats) -> Codes:
    found = np.full(ties.shape, NEVER_STUCK, np.int32)
    there = np.nonzero((pairs > 0) & (arl0 > 0.0))
    kinds, which = np.unique(np.stack((ties[there], pairs[there], arl0[there])), axis=1, return_inverse=True)
    each = [run(int(a), int(k), SHARE / (1.0 - SHARE) / arl) for a, k, arl in kinds.T.tolist()]
    found[there] = np.array(each, np.int32)[which.ravel()] if each else NEVER_STUCK
    return found


class Still(NamedTuple):
    """What K metrics remember of their last value, [K, S]."""

    last: Floats  # nan where there is none
    ties: Codes  # in a row; -1 where the next tie is the first value of a run

    @classmethod
    def fresh(cls, metrics: int, segments: int) -> Still:
        """No memory."""
        return cls(np.full((metrics, segments), np.nan), np.zeros((metrics, segments), np.int32))

    def step(self, value: Floats) -> tuple[Still, Places]:
        """After one window, and the few series that tied in it; where there is no value, the run ends."""
        ties, same = np.zeros(value.shape, np.int32), value == self.last
        if not same.any():
            return Still(value, ties), NOWHERE
        tied = places(same)
        put(ties, tied, at([self.ties], tied)[0] + 1)
        return Still(value, ties), tied

    def restarted(self, where: Bools) -> Still:
        """Without memory at these series [K, S]."""
        put(self.ties, places(where), -1)
        return self


NOWHERE: Places = np.zeros(0, np.intp)


class Told(NamedTuple):
    """Series that are stuck, counted through [K, S], and since how many windows before this one."""

    series: Places
    lag: Codes


def tell(still: Still, tied: Places, limits: Limits) -> Told:
    """Which of the series that tied are stuck."""
    last, ties = at(still, tied)
    of_any, of_usual, value = at(limits, tied)
    over = ties >= np.where(last == value, of_usual, of_any)
    return Told(tied[over], ties[over])
