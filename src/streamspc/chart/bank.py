"""The bank: the state of every series of a stream in one chart partition.

Arrays [..., S] over segments, which are always in the order of their names, so that the order in which segments were first seen, or
shards were restored, leaves no trace in anything that is published. The fold owns the bank and `advance` changes it in place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamspc.chart import recall
from streamspc.chart.autocorrelation import Carry
from streamspc.chart.baseline import Baseline
from streamspc.chart.cusum import Cusum
from streamspc.chart.ewma import Ewma
from streamspc.chart.fit import Fit, fit
from streamspc.chart.learning import Learning
from streamspc.chart.limits import Limits, known, limits, moved
from streamspc.chart.multivariate import Multivariate
from streamspc.chart.places import places
from streamspc.chart.plan import Plan, plan
from streamspc.chart.rules import Runs
from streamspc.chart.scales import More, restarted
from streamspc.chart.shewhart import Unconfirmed
from streamspc.chart.stuck import Still
from streamspc.model import WHOLE
from streamspc.model.lanes import Lanes, join, take, under

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamspc.model import Bools, Ints, Statistics, StreamSpec

    Part = tuple[Sequence[str], Lanes]  # names, and what `save` made of them

LEARNING, RECALL, COLUMNS = "learning.", "recall.", "columns"  # `columns`: which of the saved segments have a place there
LATER, TOGETHER = "later", "together."


class Bank:
    """Baselines and chart statistics, struct of arrays [..., S]; see the module.

    `segments` are sorted; `baseline`, `carry`, `cusum`, `ewma`, `runs`, `limits`, `fit`, `later` and `together` follow them;
    `learning` follows `columns`, the segments that still learn, and `recall` follows `recalled`, those with an open episode.
    `known` segments divide the false alarms of the stream, None before they are counted; `windows` were charted by then.
    """

    __slots__ = (
        *(
            "baseline",
            "carry",
            "columns",
            "cusum",
            "ewma",
            "fit",
            "known",
            "later",
            "learning",
            "limits",
            "more",
            "partitions",
            "plan",
            "recall",
            "recalled",
            "runs",
            "segments",
            "spec",
        ),
        *("still", "together", "unconfirmed", "windows"),
    )
    spec: StreamSpec
    plan: Plan
    partitions: int  # chart partitions that share the stream
    segments: tuple[str, ...]
    baseline: Baseline
    carry: Carry
    cusum: Cusum
    ewma: Ewma
    runs: Runs
    unconfirmed: Unconfirmed
    still: Still
    more: More
    limits: Limits
    fit: Fit
    later: Bools  # [S] came after the known segments were counted
    together: Multivariate
    learning: Learning
    columns: Ints
    recall: Learning
    recalled: Ints
    known: int | None
    windows: int

    @classmethod
    def empty(cls, spec: StreamSpec, partitions: int = 1) -> Bank:
        """A bank without segments."""
        return cls.load(spec, (), partitions)

    @classmethod
    def load(cls, spec: StreamSpec, parts: Sequence[Part], partitions: int = 1, counted: tuple[int | None, int] = (None, 0)) -> Bank:
        """The bank that `save` took apart, however it was split, bit for bit. `counted`: its `known` and `windows`.

        Raises ValueError where a segment comes twice.
        """
        bank = cls()
        bank.spec, bank.plan, bank.partitions = spec, plan(spec), partitions
        bank.known, bank.windows = counted
        if bank.known is None:
            bank.known = known(spec)
        bank._set(parts)
        return bank

    def save(self, columns: Sequence[int]) -> Lanes:
        """Copies of the state of these segments (indices into `segments`), for `load` with their names in the same order."""
        wanted = np.asarray(columns, np.int64)
        state = _named(
            baseline=self.baseline, carry=self.carry, cusum=self.cusum, ewma=self.ewma, runs=self.runs, unconfirmed=self.unconfirmed
        )
        state |= _named(more_cusum=self.more.cusum, more_ewma=self.more.ewma, still=self.still)
        saved = dict(zip(state, take(state.values(), wanted), strict=True))
        saved |= _placed(LEARNING, self.learning, self.columns, wanted) | _placed(RECALL, self.recall, self.recalled, wanted)
        return saved | {TOGETHER + key: array for key, array in self.together.save(wanted).items()} | {LATER: self.later[wanted]}

    def grow(self, names: Sequence[str]) -> None:
        """Add segments, whose series begin Phase I. Names that are there already stay as they are; columns move to keep the order."""
        new = sorted(set(names).difference(self.segments))
        before, old = self.limits, np.isin(sorted({*new, *self.segments}), self.segments)
        self._set([(self.segments, self.save(range(len(self.segments)))), (new, self._fresh(len(new)) | {LATER: self._late(new)})])
        changed = np.zeros(self.baseline.version.shape, bool)
        changed[:, old] = moved(before, Limits(*(now[:, old] for now in self.limits)))
        self._renew(changed)

    def count(self) -> bool:
        """One more window was charted. Does the stream's Phase I end with it, so that its segments are counted now?"""
        if self.known is not None:
            return False
        self.windows += 1
        if self.windows < self.spec.baseline.windows:
            return False
        self.divide(self.named() * self.partitions)  # of the others nothing is known yet; hashes spread segments evenly
        return True

    def named(self) -> int:
        """Segments beside the whole stream's."""
        return len(self.segments) - (WHOLE in self.segments)

    def divide(self, known: int) -> None:
        """So many segments, beside the whole stream's, divide the false alarms. Limits that change are a new version of the baseline."""
        first, self.known = self.known is None, known
        before, self.limits = self.limits, limits(self.spec, known, self.later, self.partitions)
        self.refit()
        if not first:  # nothing was judged before
            self._renew(moved(before, self.limits))

    def refit(self) -> None:
        """Baselines or limits have changed."""
        self.fit = fit(self.plan, self.baseline, self.limits)

    def _renew(self, changed: Bools) -> None:
        if (due := changed & (self.baseline.version > 0)).any():
            self.baseline = self.baseline._replace(version=self.baseline.version + due.astype(np.int32))

    def _late(self, names: Sequence[str]) -> Bools:
        """Do these segments come after the known ones were counted, or beyond those that were declared?"""
        if self.known is None or not self.spec.segment_by:
            return np.zeros(len(names), bool)
        declared = self.spec.budget.expected_segments
        room = 0 if declared is None else max(0, declared - self.named())
        others = np.array([name != WHOLE for name in names], bool)
        return others & (np.cumsum(others) > room)

    def restart(self, series: Bools) -> None:
        """Begin the charts of these series [M + V, S] again: an episode has ended, and the next run counts from here."""
        series, together = series[: len(self.plan.metrics)], series[len(self.plan.metrics) :]
        self.together.restart(together)
        if len(where := places(series)):
            self.cusum, self.ewma = self.cusum.restarted(where, self.plan.cusum_headstart), self.ewma.restarted(where)
            self.more = restarted(self.plan, self.more, None, series)
            self.runs = self.runs.restarted(places(series[self.plan.ruled]))
            self.unconfirmed = self.unconfirmed.restarted(series[self.plan.confirmed])
            self.still = self.still.restarted(series[self.plan.still])

    def remember(self, opened: Bools, statistics: Statistics, start: int) -> None:
        """Remember this window of the series [M, S] whose episode is open."""
        self.recall, self.recalled = recall.remember(self.recall, self.recalled, opened, statistics, start)

    def graduate(self) -> None:
        """Forget the Phase I windows of segments whose metrics all have a firm baseline."""
        stay = np.flatnonzero(self.learning.unsettled(self.baseline, self.columns).any(axis=0))
        if len(stay) < len(self.columns):
            self.columns, self.learning = self.columns[stay], self.learning.take(stay)

    def _fresh(self, segments: int) -> Lanes:
        """State of segments that begin, as `save` makes it."""
        shape = len(self.plan.metrics), segments
        places, none = np.arange(segments), np.zeros(0, np.int64)
        learning, recall = (Learning.fresh(self.plan.baseline.windows, shape[0], len(some)) for some in (places, none))
        charts = _named(cusum=Cusum.fresh(*shape), ewma=Ewma.fresh(*shape), runs=Runs.fresh(len(self.plan.ruled), segments))
        charts |= _named(carry=Carry.fresh(*shape), unconfirmed=Unconfirmed.fresh(len(self.plan.confirmed), segments))
        charts |= _named(still=Still.fresh(len(self.plan.still), segments))
        charts |= _named(
            more_cusum=Cusum.fresh(len(self.plan.more.cusum), segments), more_ewma=Ewma.fresh(len(self.plan.more.ewma), segments)
        )
        return (
            _named(baseline=Baseline.fresh(*shape))
            | _placed(LEARNING, learning, places, places)
            | _placed(RECALL, recall, none, places)
            | charts
            | {TOGETHER + key: array for key, array in Multivariate.fresh(self.spec, segments).items()}
            | {LATER: np.zeros(segments, bool)}
        )

    def _set(self, parts: Sequence[Part]) -> None:
        parts = [((), self._fresh(0)), *parts]
        segments, state = join(
            [(names, {key: part[key] for key in part if not key.startswith((LEARNING, RECALL, TOGETHER))}) for names, part in parts]
        )
        self.segments = tuple(segments)
        self.learning, self.columns = _places(LEARNING, segments, parts)
        self.recall, self.recalled = _places(RECALL, segments, parts)
        self.baseline = Baseline(*(state[f"baseline.{field}"] for field in Baseline._fields))
        self.carry = Carry(*(state[f"carry.{field}"] for field in Carry._fields))
        self.cusum = Cusum(*(state[f"cusum.{field}"] for field in Cusum._fields))
        self.ewma = Ewma(*(state[f"ewma.{field}"] for field in Ewma._fields))
        self.runs = Runs(*(state[f"runs.{field}"] for field in Runs._fields))
        self.unconfirmed = Unconfirmed(state["unconfirmed.side"])
        self.still = Still(*(state[f"still.{field}"] for field in Still._fields))
        more = (
            Cusum(*(state[f"more_cusum.{field}"] for field in Cusum._fields)),
            Ewma(*(state[f"more_ewma.{field}"] for field in Ewma._fields)),
        )
        self.more = More(*more)
        self.later = state[LATER]
        self.together = Multivariate.load(self.spec, [(names, under(part, TOGETHER)) for names, part in parts])
        self.limits = limits(self.spec, self.known or 0, self.later, self.partitions)
        self.refit()


def _placed(prefix: str, memory: Learning, columns: Ints, wanted: Ints) -> Lanes:
    """What a memory has of the wanted segments; `columns` have a place in it."""
    there = np.flatnonzero(np.isin(wanted, columns))
    saved = memory.take(np.searchsorted(columns, wanted[there]))._asdict() | {COLUMNS: there}
    return {prefix + name: array for name, array in saved.items()}


def _places(prefix: str, segments: Sequence[str], parts: Sequence[Part]) -> tuple[Learning, Ints]:
    """The memory that `_placed` took apart, and its columns."""
    saved = [(names, under(part, prefix)) for names, part in parts]
    names, memory = join([([names[i] for i in part.pop(COLUMNS)], part) for names, part in saved])
    column = {name: index for index, name in enumerate(segments)}
    return Learning(*(memory[field] for field in Learning._fields)), np.array([column[name] for name in names], np.int64)


def _named(**groups: Baseline | Carry | Cusum | Ewma | Runs | Still | Unconfirmed) -> Lanes:
    return {f"{group}.{field}": array for group, arrays in groups.items() for field, array in arrays._asdict().items()}
