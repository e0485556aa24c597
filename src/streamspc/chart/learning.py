"""The memory of Phase I: the points of series that have no baseline yet, or a provisional one.

Only segments that still learn have a place here, so that a series that is charted costs no memory of its first windows. A series whose
baseline is provisional goes on to learn, of the newest windows (see `evidence`); the memory is a ring.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from streamspc.chart import evidence
from streamspc.chart.baseline import Baseline, Windows, freeze
from streamspc.model import Learnt
from streamspc.model.lanes import take

if TYPE_CHECKING:
    from streamspc.chart.plan import Plan
    from streamspc.model import Bools, Codes, Floats, Ints, Statistics

Series = tuple[npt.NDArray[np.intp], ...]


class Learning(NamedTuple):
    """Points of k segments, the newest m windows of each metric. A segment stays until all its metrics have a baseline that is firm."""

    seen: Codes  # [M, k] points so far; point number i is in row i % m
    value: Floats  # [m, M, k]
    n: Ints
    unit: Floats
    extra: Floats
    start: Ints

    @classmethod
    def fresh(cls, windows: int, metrics: int, segments: int) -> Learning:
        """Memory of segments that begin a Phase I of so many windows."""
        shape = (evidence.memory(windows), metrics, segments)
        floats = [np.zeros(shape) for _ in range(3)]
        whole = [np.zeros(shape, np.int64) for _ in range(2)]
        return cls(np.zeros((metrics, segments), np.int32), floats[0], whole[0], floats[1], floats[2], whole[1])

    def take(self, places: Ints) -> Learning:
        """Only these segments, in this order."""
        return Learning(*take(self, places))

    def placed(self, columns: Ints, wanted: Ints) -> Learning:
        """The memory of other segments: those in `columns` keep what they have, the others begin."""
        arrays = list[npt.NDArray[Any]](np.zeros((*array.shape[:-1], len(wanted)), array.dtype) for array in self)
        for new, old in zip(arrays, take(self, np.flatnonzero(np.isin(columns, wanted))), strict=True):
            new[..., np.isin(wanted, columns)] = old
        return Learning(*arrays)

    def again(self, columns: Ints, series: Bools) -> tuple[Learning, Ints]:
        """The memory, and its segments, in which Phase I of these series [M, S] begins now."""
        wanted = np.union1d(columns, np.flatnonzero(series.any(axis=0)))
        learning = self.placed(columns, wanted)
        learning.seen[series[:, wanted]] = 0
        return learning, wanted

    def unsettled(self, baseline: Baseline, columns: Ints) -> Bools:
        """Series that learn [M, k]; `columns` says where the k segments are in the bank."""
        return np.asarray((baseline.version[:, columns] == 0) | (baseline.doubt[:, columns] != 0))

    def add(self, statistics: Statistics, start: int, columns: Ints, teaches: Bools) -> Series:
        """Remember a window's points of the series that it teaches [M, k]. Those that have seen enough by it, as (metric, place)."""
        value = statistics.value[:, columns]
        metric, place = np.nonzero(~np.isnan(value) & teaches)
        window, column = self.seen[metric, place] % len(self.value), columns[place]
        self.value[window, metric, place] = statistics.value[metric, column]
        self.n[window, metric, place] = statistics.n[metric, column]
        self.unit[window, metric, place] = statistics.unit[metric, column]
        self.extra[window, metric, place] = statistics.extra[metric, column]
        self.start[window, metric, place] = start
        self.seen[metric, place] += 1
        return metric, place

    def due(self, windows: int, added: Series) -> Series:
        """Of the series that were added to, those to estimate: Phase I has so many windows, a provisional baseline comes again later."""
        beyond = self.seen[added] - windows
        now = (beyond >= 0) & (beyond % evidence.AGAIN == 0)
        return added[0][now], added[1][now]

    def freeze(self, plan: Plan, baseline: Baseline, columns: Ints, due: Series, promised: Bools) -> tuple[Baseline, Learnt]:
        """The bank's baselines with those that are due, and what is told of these. New arrays: published points share the old ones.

        Without a promise (`promised` [M, S]) nothing is in doubt.
        """
        new, told = baseline.copy(), []
        metrics, places = due
        seen = self.seen[due]
        for metric, number in sorted(set(zip(metrics.tolist(), seen.tolist(), strict=True))):
            place = places[(metrics == metric) & (seen == number)]
            rows = np.arange(max(0, number - len(self.value)), number) % len(self.value)
            at = metric, columns[place]
            windows = Windows(*(array[rows][:, metric, place] for array in (self.value, self.n, self.unit, self.extra)))
            frozen = freeze(plan.kinds[metric], windows, plan.baseline.screen, plan.baseline.overdispersion)
            frozen = frozen._replace(doubt=frozen.doubt * promised[at])
            for name in Baseline._fields[:-2]:
                getattr(new, name)[at] = getattr(frozen, name)
            new.version[at] = np.maximum(new.version[at], new.former[at]) + 1
            start = self.start[rows][:, metric, place]
            told.append(_told(at, new, start, frozen.keep))
        return new, _joined(told)


def _told(at: tuple[int, Ints], new: Baseline, start: Ints, keep: Bools) -> Learnt:
    """What is told of q baselines of one metric, from their windows [m, q]."""
    metric, columns = at
    baseline, row = np.nonzero(~keep.T)
    codes = [np.full(len(columns), number, np.int32) for number in (metric, len(start))]
    return Learnt(
        metric=codes[0],
        segment=columns.astype(np.int32),
        version=new.version[at],
        windows=codes[1],
        kept=new.kept[at],
        first=start[0],
        doubt=new.doubt[at],
        baseline=baseline.astype(np.int32),
        dropped=start[row, baseline],
    )


def _joined(parts: list[Learnt]) -> Learnt:
    """One after the other."""
    before = np.cumsum([0, *(len(part.metric) for part in parts[:-1])]).astype(np.int32)
    parts = [part._replace(baseline=part.baseline + offset) for part, offset in zip(parts, before, strict=True)]
    return Learnt(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
