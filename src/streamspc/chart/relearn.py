"""Another baseline for a series that has one, because an operator says so.

reset: Phase I again, from the next point on. Whatever was learnt is forgotten, but for the number of the version.

learn: reset, and then the windows of a lesson teach before the next point does (`window.teach`).

accept: the newest windows of the open episode, as many as Phase I remembers or as there are, teach as Phase I does (`Learning.freeze`:
screened too), and hold from the next point on. They are few, and `kept` says so: limits allow for that. They were chosen since they are
far from what was known and not since they are alike, and 24 quiet windows in a row are no proof of a quiet process. So the level is
theirs, and nothing else becomes narrower than it was:

    between, unit   the larger of theirs and the former ones; of counts, whose variance goes with the mean, the former ones at the
                    new mean; of shares unit is p (1 - p) at the new p
    phi, relative   the larger; wider likewise
    bend            theirs, since shares and counts have it from their level; of means the former where they are too few to tell
    doubt           the former: there was evidence for the scale before; but also that there was no hit, which is about the level

Where the process has become calmer as well, reset says so honestly. An episode teaches from `LEAST` windows on. A baseline that is
provisional begins to learn again, from the new level on.

Charts of several metrics learn again when one of their metrics has another baseline, for they look at it in its sigma.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamspc.chart.autocorrelation import Carry
from streamspc.chart.baseline import Baseline
from streamspc.chart.cusum import Cusum
from streamspc.chart.evidence import BIT
from streamspc.chart.ewma import Ewma
from streamspc.chart.plan import RATIOS
from streamspc.model import Doubt, MetricKind
from streamspc.model.lanes import chosen

if TYPE_CHECKING:
    from streamspc.chart.bank import Bank
    from streamspc.model import Bools, Ints

LEAST = 8


def acceptable(bank: Bank) -> Bools:
    """Series [M, S] whose open episode has enough windows to teach."""
    enough = np.zeros(bank.baseline.version.shape, bool)
    enough[:, bank.recalled] = bank.recall.seen >= min(LEAST, len(bank.recall.value))
    return enough & (bank.baseline.version > 0)


def accept(bank: Bank, series: Bools) -> Bools:
    """The level of the open episodes of these series [M + V, S] becomes their baseline; all of them are `acceptable`.

    The series that begin again: they, and charts of several metrics that look at them.
    """
    series = series[: len(bank.plan.metrics)]
    former, places = bank.baseline, np.nonzero(series[:, bank.recalled])
    new, _ = bank.recall.freeze(bank.plan, former, bank.recalled, places, bank.limits.arl0 > 0.0)
    for metric in np.flatnonzero(series.any(axis=1)).tolist():
        _keep_wide(bank.plan.kinds[metric], new, former, (metric, np.flatnonzero(series[metric])))
    bank.recall.seen[places] = 0
    bank.learning, bank.columns = bank.learning.again(bank.columns, series & (new.doubt != 0))
    return _begin(bank, new, series)


def _keep_wide(kind: MetricKind, new: Baseline, former: Baseline, at: tuple[int, Ints]) -> None:
    """The scale of these baselines of one kind of metric is at least the former one; in place."""
    found, known = (Baseline(*(array[at] for array in baseline)) for baseline in (new, former))
    between, unit, bend = known.between, np.maximum(found.unit, known.unit), found.bend
    if kind is MetricKind.COUNT:
        between = between * np.where(known.centre > 0.0, found.centre / np.where(known.centre > 0.0, known.centre, 1.0), 1.0)
    elif kind in RATIOS:
        unit = found.unit
    else:
        bend = np.where(bend == 0.0, known.bend, bend)
    new.between[at], new.unit[at], new.bend[at] = np.maximum(found.between, between), unit, bend
    new.phi[at] = np.where(found.side == 0, np.maximum(found.phi, known.phi), 0.0)
    new.relative[at], new.wider[at] = np.maximum(found.relative, known.relative), np.maximum(found.wider, known.wider)
    new.doubt[at] = known.doubt | (found.doubt & BIT[Doubt.NO_HITS])


def reset(bank: Bank, series: Bools) -> Bools:
    """Phase I of these series [M + V, S] begins with the next point. The series that begin again, as of `accept`."""
    series, together = np.split(series, [len(bank.plan.metrics)])
    fresh, old = Baseline.fresh(*series.shape), bank.baseline
    fresh = fresh._replace(former=np.maximum(old.version, old.former))
    new = Baseline(*chosen(series, fresh, old))
    bank.learning, bank.columns = bank.learning.again(bank.columns, series)
    begun = _begin(bank, new, series)
    bank.together.again(together)
    begun[len(series) :] |= together
    bank.cusum = Cusum(*chosen(series, Cusum.fresh(*series.shape), bank.cusum))  # no statistics while they learn
    bank.ewma = Ewma(*chosen(series, Ewma.fresh(*series.shape), bank.ewma))
    return begun


def _begin(bank: Bank, baseline: Baseline, series: Bools) -> Bools:
    """Go on with other baselines of these series [M, S]: charts at zero, nothing carried over, those of several metrics in Phase I."""
    bank.baseline = baseline
    bank.refit()
    together = np.array([series[rows].any(axis=0) for rows in bank.together.rows], bool).reshape(-1, series.shape[1])
    bank.together.again(together)
    begun: Bools = np.concatenate([series, together])
    bank.restart(begun)
    bank.carry = Carry(np.where(series, 0.0, bank.carry.value), bank.carry.speaks & ~series)
    return begun
