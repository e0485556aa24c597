"""Records to tallies: a few array operations for each tally of the plan, no loop over records or cells."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from streamspc.bucket import exact, sketch
from streamspc.bucket.merge import combine, merge, nothing
from streamspc.bucket.plan import Plan, Recipe, plan
from streamspc.model import (
    WHOLE,
    Batch,
    Bools,
    Columns,
    Count,
    Floats,
    Ints,
    Moments,
    Quantiles,
    Ratio,
    Sources,
    Tally,
    TallyTable,
)

__all__ = ["Plan", "empty", "plan", "tabulate"]

_DENSE = 16  # cells are numbered through a dense array while it has at most so many entries a record


def empty(plan: Plan) -> TallyTable:
    """The table without cells: the identity of merging."""
    return nothing([recipe.form for recipe in plan.tallies])


def tabulate(  # noqa: PLR0913, PLR0917 - they are one batch, column by column
    plan: Plan, columns: Columns, keep: Bools, start: Ints, end: Ints, batch: Batch
) -> TallyTable:
    """Tally the admitted records [k] that `keep` [k] leaves, each in its window from `start` [k] to `end` [k].

    With segments there is a cell for each window and segment that occur, and one for the whole stream in each window; without, only
    the latter. `sources` tell the offsets of the records kept.
    """
    if not keep.any():
        return empty(plan)
    records = _Records(plan, columns, None if keep.all() else np.flatnonzero(keep))
    windows = _windows(records.kept(start), records.kept(end))
    cells = _cells(windows, records)
    count = len(cells.window)
    table = TallyTable(
        windows.start[cells.window],
        windows.end[cells.window],
        cells.segment.astype(np.int32),
        cells.names,
        np.bincount(cells.of, minlength=count),
        tuple(_tally(recipe, records, cells.of, count) for recipe in plan.tallies),
        _sources(windows, batch.partition, records.kept(batch.offsets[columns.rows])),
    )
    return merge([table, _whole(table)]) if plan.segmented else table


@dataclass(slots=True)
class _Records:
    """The records kept, as columns. `rows` are their places among the admitted ones; None: all."""

    plan: Plan
    columns: Columns
    rows: Ints | None
    _masks: dict[str, Bools] = field(default_factory=dict)

    def kept(self, column: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return column if self.rows is None else column[self.rows]

    def where(self, text: str | None) -> Bools | None:
        """Where the condition holds; None means everywhere."""
        if text is None:
            return None
        if text not in self._masks:
            holds = self.plan.conditions[text].mask(self.columns.fields, len(self.columns.rows))
            self._masks[text] = self.kept(holds)
        return self._masks[text]

    def null(self, path: str) -> Bools:
        return self.kept(self.columns.fields[path].null)

    def numbers(self, path: str | None) -> Floats:
        """Values of a field, or (None) the lag in seconds. Adding zero turns -0.0 into 0.0: equal values then have equal bits."""
        if path is None:
            return self.kept(self.columns.kafka_time - self.columns.event_time) / 1e6
        values: Floats = self.kept(self.columns.fields[path].values) + 0.0
        return values


class _Windows(NamedTuple):
    """The windows that occur, sorted, and that of each record."""

    start: Ints  # [w]
    end: Ints  # [w]
    of: Ints  # [k]


class _Cells(NamedTuple):
    """The cells that occur, sorted by window and name, and that of each record."""

    window: Ints  # [c]
    segment: Ints  # [c] code into `names`
    names: tuple[str, ...]
    of: Ints  # [k]


def _windows(start: Ints, end: Ints) -> _Windows:
    """Records come in runs of one window: only the first of each run is sorted."""
    heads = np.concatenate([[0], np.flatnonzero(np.diff(start)) + 1])
    starts, code = np.unique(start[heads], return_inverse=True)
    ends = np.empty_like(starts)
    ends[code] = end[heads]
    return _Windows(starts, ends, np.repeat(code, np.diff(heads, append=len(start))))


def _cells(windows: _Windows, records: _Records) -> _Cells:
    count = len(windows.start)
    if not records.plan.segmented:
        return _Cells(np.arange(count), np.zeros(count, np.int64), (WHOLE,), windows.of)
    segment, known = records.kept(records.columns.segment), records.columns.names
    used = sorted(np.flatnonzero(np.bincount(segment, minlength=len(known))).tolist(), key=known.__getitem__)
    place = np.zeros(len(known), np.int64)
    place[used] = np.arange(len(used))
    packed = windows.of * len(used) + place[segment]
    if count * len(used) <= _DENSE * len(packed):
        keys = np.flatnonzero(np.bincount(packed, minlength=count * len(used)))
        number = np.zeros(count * len(used), np.int64)
        number[keys] = np.arange(len(keys))
        of = number[packed]
    else:
        keys, of = np.unique(packed, return_inverse=True)
    return _Cells(keys // len(used), keys % len(used), tuple(map(known.__getitem__, used)), of)


def _tally(recipe: Recipe, records: _Records, cell: Ints, cells: int) -> Tally:
    counted = records.where(recipe.where)
    if recipe.form is Count:
        return Count(_count(cell, counted, cells))
    if recipe.form is Ratio:
        hits = records.where(recipe.hits) if recipe.field is None else records.null(recipe.field)
        return Ratio(_count(cell, counted, cells), _count(cell, _both(counted, hits), cells))
    values = records.numbers(recipe.field)
    if recipe.field is not None and (null := records.null(recipe.field)).any():
        counted = _both(counted, ~null)
    if counted is not None:
        values, cell = values[counted], cell[counted]
    return sketch.sketch(values, cell, cells) if recipe.form is Quantiles else _moments(values, cell, cells)


def _moments(values: Floats, cell: Ints, cells: int) -> Moments:
    least, most = np.full(cells, np.inf), np.full(cells, -np.inf)
    np.minimum.at(least, cell, values)
    np.maximum.at(most, cell, values)
    n = np.bincount(cell, minlength=cells)
    return Moments(n, exact.sums(values, cell, cells), exact.squares(values, cell, cells), least, most)


def _count(cell: Ints, where: Bools | None, cells: int) -> Ints:
    return np.bincount(cell if where is None else cell[where], minlength=cells)


def _both(one: Bools | None, other: Bools | None) -> Bools | None:
    return other if one is None else one if other is None else one & other


def _whole(table: TallyTable) -> TallyTable:
    """The whole stream in each window, from its segments: merging is exact, so the records need not be read again."""
    start, window = np.unique(table.start, return_inverse=True)
    end = np.empty_like(start)
    end[window] = table.end
    records = np.zeros(len(start), np.int64)
    np.add.at(records, window, table.records)
    tallies = tuple(combine([(tally, window)], len(start)) for tally in table.tallies)
    return TallyTable(start, end, np.zeros(len(start), np.int32), (WHOLE,), records, tallies, nothing(()).sources)


def _sources(windows: _Windows, partition: int, offsets: Ints) -> Sources:
    count = len(windows.start)
    first, last = np.full(count, np.iinfo(np.int64).max), np.zeros(count, np.int64)
    np.minimum.at(first, windows.of, offsets)
    np.maximum.at(last, windows.of, offsets)
    return Sources(windows.start, np.full(count, partition, np.int32), first, last, np.bincount(windows.of, minlength=count))
