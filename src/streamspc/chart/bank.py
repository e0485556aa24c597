"""The bank: the state of every series of a stream in one chart partition.

Arrays [..., S] over segments, which are always in the order of their names, so that the order in which segments were first seen, or
shards were restored, leaves no trace in anything that is published. The fold owns the bank and `advance` changes it in place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamspc.chart.baseline import Baseline
from streamspc.chart.cusum import Cusum
from streamspc.chart.ewma import Ewma
from streamspc.chart.learning import Learning
from streamspc.chart.plan import Plan, plan
from streamspc.chart.rules import Runs
from streamspc.model.lanes import Lanes, join, take

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamspc.model import Ints, StreamSpec

    Part = tuple[Sequence[str], Lanes]  # names, and what `save` made of them

LEARNERS = "learning.columns"  # which of the saved segments still learn
MEMORY = tuple(f"learning.{field}" for field in Learning._fields)


class Bank:
    """Baselines and chart statistics, struct of arrays [..., S]; see the module.

    `segments` are sorted; `baseline`, `cusum`, `ewma` and `runs` follow them; `learning` follows `columns`, the segments that still learn.
    """

    __slots__ = ("baseline", "columns", "cusum", "ewma", "learning", "plan", "runs", "segments")
    plan: Plan
    segments: tuple[str, ...]
    baseline: Baseline
    cusum: Cusum
    ewma: Ewma
    runs: Runs
    learning: Learning
    columns: Ints

    @classmethod
    def empty(cls, spec: StreamSpec) -> Bank:
        """A bank without segments."""
        return cls.load(spec, ())

    @classmethod
    def load(cls, spec: StreamSpec, parts: Sequence[Part]) -> Bank:
        """The bank that `save` took apart, however it was split, bit for bit. Raises ValueError where a segment comes twice."""
        bank = cls()
        bank.plan = plan(spec)
        bank._set(parts)
        return bank

    def save(self, columns: Sequence[int]) -> Lanes:
        """Copies of the state of these segments (indices into `segments`), for `load` with their names in the same order."""
        wanted = np.asarray(columns, np.int64)
        state = _named(baseline=self.baseline, cusum=self.cusum, ewma=self.ewma, runs=self.runs)
        saved = dict(zip(state, take(state.values(), wanted), strict=True))
        learners = np.flatnonzero(np.isin(wanted, self.columns))
        learning = self.learning.take(np.searchsorted(self.columns, wanted[learners]))
        return saved | _named(learning=learning) | {LEARNERS: learners}

    def grow(self, names: Sequence[str]) -> None:
        """Add segments, whose series begin Phase I. Names that are there already stay as they are; columns move to keep the order."""
        new = sorted(set(names).difference(self.segments))
        self._set([(self.segments, self.save(range(len(self.segments)))), (new, self._fresh(len(new)))])

    def graduate(self) -> None:
        """Forget the Phase I windows of segments whose metrics all have a baseline."""
        stay = np.flatnonzero((self.baseline.version[:, self.columns] == 0).any(axis=0))
        if len(stay) < len(self.columns):
            self.columns, self.learning = self.columns[stay], self.learning.take(stay)

    def _fresh(self, segments: int) -> Lanes:
        """State of segments that begin, as `save` makes it."""
        shape = len(self.plan.metrics), segments
        learning = Learning.fresh(self.plan.baseline.windows, *shape)
        charts = _named(cusum=Cusum.fresh(*shape), ewma=Ewma.fresh(*shape), runs=Runs.fresh(len(self.plan.ruled), segments))
        return _named(baseline=Baseline.fresh(*shape), learning=learning) | charts | {LEARNERS: np.arange(segments)}

    def _set(self, parts: Sequence[Part]) -> None:
        parts = [((), self._fresh(0)), *parts]
        segments, state = join([(names, {key: part[key] for key in part if not key.startswith("learning.")}) for names, part in parts])
        learners, memory = join([([names[i] for i in part[LEARNERS]], {key: part[key] for key in MEMORY}) for names, part in parts])
        self.segments, self.learning = tuple(segments), Learning(*(memory[key] for key in MEMORY))
        self.baseline = Baseline(*(state[f"baseline.{field}"] for field in Baseline._fields))
        self.cusum = Cusum(*(state[f"cusum.{field}"] for field in Cusum._fields))
        self.ewma = Ewma(*(state[f"ewma.{field}"] for field in Ewma._fields))
        self.runs = Runs(*(state[f"runs.{field}"] for field in Runs._fields))
        column = {name: index for index, name in enumerate(segments)}
        self.columns = np.array([column[name] for name in learners], np.int64)


def _named(**groups: Baseline | Cusum | Ewma | Learning | Runs) -> Lanes:
    return {f"{group}.{field}": array for group, arrays in groups.items() for field, array in arrays._asdict().items()}
