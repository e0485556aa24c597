"""The Phase I of a chart of several metrics: the windows that have all of them, of the segments that still learn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamspc.chart import sigma
from streamspc.model.lanes import Lanes, join, take

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from streamspc.chart.baseline import Baseline
    from streamspc.model import Codes, Floats, Ints, Statistics

LEARNERS = "columns"


class Memory:
    """m windows of p metrics of the k segments that still learn; `columns` [k] says which they are."""

    __slots__ = ("columns", "extra", "n", "seen", "value")
    columns: Ints
    seen: Codes  # [k] windows so far
    value: Floats  # [m, p, k]
    n: Ints
    extra: Floats

    @classmethod
    def fresh(cls, windows: int, metrics: int, segments: int) -> Memory:
        """Of segments that begin to learn."""
        memory, shape = cls(), (windows, metrics, segments)
        memory.columns, memory.seen = np.arange(segments), np.zeros(segments, np.int32)
        memory.value, memory.n, memory.extra = np.zeros(shape), np.zeros(shape, np.int64), np.zeros(shape)
        return memory

    @classmethod
    def load(cls, segments: Sequence[str], parts: Sequence[tuple[Sequence[str], Lanes]]) -> Memory:
        """What `save` took apart, for a bank of these segments."""
        memory = cls()
        names, state = join([([own[i] for i in part[LEARNERS]], {k: v for k, v in part.items() if k != LEARNERS}) for own, part in parts])
        column = {name: index for index, name in enumerate(segments)}
        memory.columns = np.array([column[name] for name in names], np.int64)
        memory.seen, memory.value, memory.n, memory.extra = (state[name] for name in ("seen", "value", "n", "extra"))
        return memory

    def save(self, wanted: Ints) -> Lanes:
        """Copies of the state of these segments of the bank."""
        learners = np.flatnonzero(np.isin(wanted, self.columns))
        places = np.searchsorted(self.columns, wanted[learners])
        arrays = dict(zip(("seen", "value", "n", "extra"), take((self.seen, self.value, self.n, self.extra), places), strict=True))
        return arrays | {LEARNERS: learners}

    def again(self, columns: Ints) -> None:
        """These segments of the bank learn from now on."""
        fresh, (windows, metrics, _) = np.flatnonzero(~np.isin(columns, self.columns)), self.value.shape
        every = np.concatenate([self.columns, columns[fresh]])
        order, new = np.argsort(every), Memory.fresh(windows, metrics, len(fresh))
        for name in ("seen", "value", "n", "extra"):
            setattr(self, name, np.concatenate([getattr(self, name), getattr(new, name)], axis=-1)[..., order])
        self.columns = every[order]
        self.seen[np.isin(self.columns, columns)] = 0

    def add(self, rows: Ints, statistics: Statistics, baseline: Baseline) -> tuple[npt.NDArray[np.int64], Floats]:
        """Remember a window where it has all of the metrics `rows`.

        Segments that have seen enough leave once no baseline of their metrics is provisional: their columns [q], and their windows [m, p,
        q] in sigma of their metrics. A metric has its baseline by then, for it has at least as many points.
        """
        if not len(self.columns):
            return self.columns, self.value
        value = statistics.value[np.ix_(rows, self.columns)]
        place = np.flatnonzero(~np.isnan(value).any(axis=0) & (self.seen < len(self.value)))
        window, column = self.seen[place], self.columns[place]
        self.value[window, :, place] = value[:, place].T
        self.n[window, :, place] = statistics.n[np.ix_(rows, column)].T
        self.extra[window, :, place] = statistics.extra[np.ix_(rows, column)].T
        self.seen[place] += 1
        due = (self.seen == len(self.value)) & ~(baseline.doubt[np.ix_(rows, self.columns)] != 0).any(axis=0)
        z, columns = self._standardised(rows, due, baseline), self.columns[due]
        if due.any():
            stay = np.flatnonzero(~due)
            self.columns = self.columns[stay]
            self.seen, self.value, self.n, self.extra = take((self.seen, self.value, self.n, self.extra), stay)
        return columns, z

    def _standardised(self, rows: Ints, due: npt.NDArray[np.bool_], baseline: Baseline) -> Floats:
        at = np.ix_(rows, self.columns[due])
        centre, between, unit = (array[at] for array in (baseline.centre, baseline.between, baseline.unit))
        spread = np.sqrt(between + sigma.within(unit, self.n[:, :, due], self.extra[:, :, due]))
        z: Floats = (self.value[:, :, due] - centre) / np.maximum(spread, sigma.floor(centre))
        return z
