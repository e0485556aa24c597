"""The memory of Phase I: the first points of series that have no baseline yet.

Only segments that still learn have a place here, so that a series that is charted costs no memory of its first windows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from streamspc.chart.baseline import Baseline, Learnt, freeze
from streamspc.model.lanes import take

if TYPE_CHECKING:
    from streamspc.chart.plan import Plan
    from streamspc.model import Codes, Floats, Ints, Statistics

Series = tuple[npt.NDArray[np.intp], ...]


class Learning(NamedTuple):
    """Points of k segments, m windows each. A segment stays until all its metrics have a baseline."""

    seen: Codes  # [M, k] points so far
    value: Floats  # [m, M, k]
    n: Ints
    unit: Floats
    extra: Floats

    @classmethod
    def fresh(cls, windows: int, metrics: int, segments: int) -> Learning:
        """Memory of segments that begin to learn."""
        shape = (windows, metrics, segments)
        floats = [np.zeros(shape) for _ in range(3)]
        return cls(np.zeros((metrics, segments), np.int32), floats[0], np.zeros(shape, np.int64), floats[1], floats[2])

    def take(self, places: Ints) -> Learning:
        """Only these segments, in this order."""
        return Learning(*take(self, places))

    def add(self, statistics: Statistics, columns: Ints) -> None:
        """Remember a window's points; `columns` says where the k segments are in the statistics [M, S]."""
        value = statistics.value[:, columns]
        metric, place = np.nonzero(~np.isnan(value) & (self.seen < len(self.value)))
        window, column = self.seen[metric, place], columns[place]
        self.value[window, metric, place] = statistics.value[metric, column]
        self.n[window, metric, place] = statistics.n[metric, column]
        self.unit[window, metric, place] = statistics.unit[metric, column]
        self.extra[window, metric, place] = statistics.extra[metric, column]
        self.seen[metric, place] += 1

    def due(self, baseline: Baseline, columns: Ints) -> Series:
        """Series that have seen enough and have no baseline yet, as (metric, place)."""
        return np.nonzero((self.seen == len(self.value)) & (baseline.version[:, columns] == 0))

    def freeze(self, plan: Plan, baseline: Baseline, columns: Ints, due: Series) -> Baseline:
        """The bank's baselines with those that are due. New arrays: published points share the old ones."""
        new = baseline.copy()
        metrics, places = due
        for metric in np.unique(metrics):
            place = places[metrics == metric]
            at = metric, columns[place]
            learnt = freeze(plan.kinds[metric], self._learnt(metric, place), plan.baseline.screen)
            for name, part in learnt._asdict().items():
                getattr(new, name)[at] = part
            new.version[at] = 1
        return new

    def _learnt(self, metric: np.intp, place: npt.NDArray[np.intp]) -> Learnt:
        value, n = self.value[:, metric, place], self.n[:, metric, place]
        return Learnt(value, n, self.unit[:, metric, place], self.extra[:, metric, place])
