"""Merging of tallies: exact, associative and commutative, with the empty table as identity.

Every tally has one canonical form for what it holds (digits of exact sums, bins or sorted raw values, sorted cells), so equal contents
are equal arrays, whatever was merged with what and when.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import chain, compress, pairwise
from typing import cast

import numpy as np

from streamspc.bucket import exact, sketch
from streamspc.model import Bools, Count, Ints, Moments, Quantiles, Ratio, Sources, Tally, TallyTable, shard

REMEMBERED = 200_000  # segments whose shard is known, of each stream


class _Homes(dict[str, int]):
    """The shards of a stream's segments, learnt as they are met."""

    def __init__(self, stream: str) -> None:
        super().__init__()
        self._stream = stream

    def __missing__(self, segment: str) -> int:
        self[segment] = home = shard(self._stream, segment)
        return home


_homes = cache(_Homes)


def nothing(forms: Sequence[type[Tally]]) -> TallyTable:
    """The table without cells: the identity of merging. `forms` are those of the plan's tallies."""
    none = np.zeros(0, np.int64)
    codes, floats, zero = none.astype(np.int32), none.astype(np.float64), exact.add([], 0)
    blank: dict[type[Tally], Tally] = {
        Count: Count(none),
        Ratio: Ratio(none, none),
        Moments: Moments(none, zero, zero, floats, floats),
        Quantiles: Quantiles(none, codes, codes, none, codes, floats),
    }
    return TallyTable(none, none, codes, (), none, tuple(blank[form] for form in forms), Sources(none, codes, none, none, none))


def merge(tables: Sequence[TallyTable]) -> TallyTable:
    """All tables of one plan as one. Of no table at all: one without cells and without tallies, which is an identity too."""
    full = [table for table in tables if len(table)]
    sources = _merged_sources([table.sources for table in tables])
    if not full:
        blank = next((table for table in tables if table.tallies), nothing(()))  # no `or`: a table without cells is false
        return replace(blank, sources=sources)
    if len(full) == 1:
        return replace(full[0], sources=sources)
    names = tuple(dict.fromkeys(sorted(chain.from_iterable(table.names for table in full))))  # a sort of sorted runs only joins them
    code = dict(zip(names, range(len(names)), strict=True)).__getitem__
    segment = np.concatenate([np.array(list(map(code, table.names)), np.int64)[table.segment] for table in full])
    starts, window = np.unique(np.concatenate([table.start for table in full]), return_inverse=True)
    keys, target = np.unique(window * len(names) + segment, return_inverse=True)
    cells = len(keys)
    end, records = np.zeros(cells, np.int64), np.zeros(cells, np.int64)
    end[target] = np.concatenate([table.end for table in full])
    np.add.at(records, target, np.concatenate([table.records for table in full]))
    cuts = np.cumsum([0, *(len(table) for table in full)])
    targets = [target[a:b] for a, b in pairwise(cuts)]
    tallies = tuple(
        combine([(table.tallies[i], to) for table, to in zip(full, targets, strict=True)], cells) for i in range(len(full[0].tallies))
    )
    return TallyTable(starts[keys // len(names)], end, (keys % len(names)).astype(np.int32), names, records, tallies, sources)


def combine(parts: Sequence[tuple[Tally, Ints]], cells: int) -> Tally:
    """Add tallies of one form into `cells`: row i of a part goes to cell `target[i]` of its pair. At least one part."""
    form = type(parts[0][0])
    if form is Quantiles:
        return sketch.add(cast(Sequence[tuple[Quantiles, Ints]], parts), cells)
    n = _counted([(part.n, target) for part, target in parts], cells)
    if form is Count:
        return Count(n)
    if form is Ratio:
        ratios = cast(Sequence[tuple[Ratio, Ints]], parts)
        return Ratio(n, _counted([(part.hits, target) for part, target in ratios], cells))
    moments = cast(Sequence[tuple[Moments, Ints]], parts)
    least, most = np.full(cells, np.inf), np.full(cells, -np.inf)
    for part, target in moments:
        np.minimum.at(least, target, part.least)
        np.maximum.at(most, target, part.most)
    total = exact.add([(part.total, target) for part, target in moments], cells)
    squares = exact.add([(part.squares, target) for part, target in moments], cells)
    return Moments(n, total, squares, least, most)


def split(table: TallyTable, bound: int) -> tuple[TallyTable, TallyTable]:
    """Windows that start before `bound`, and the others: cells and sources alike, also where a window has no cell here."""
    return _part(table, table.start < bound, table.sources.start < bound), _part(table, table.start >= bound, table.sources.start >= bound)


def window(table: TallyTable, start: int) -> TallyTable:
    """The window that starts there: its cells and its sources, either of which may be none."""
    return _part(table, table.start == start, table.sources.start == start)


def scatter(table: TallyTable, stream: str, partitions: int) -> list[TallyTable]:
    """One table for each chart partition: its segments, and the sources of all windows (so merging all of them counts sources often)."""
    everywhere = np.ones(len(table.sources.start), bool)
    homes = _homes(stream)
    if len(homes) > REMEMBERED:
        homes.clear()
    home = (np.array(list(map(homes.__getitem__, table.names)), np.int64) % partitions)[table.segment]
    return [_part(table, home == partition, everywhere) for partition in range(partitions)]


def _part(table: TallyTable, cells: Bools, sources: Bools) -> TallyTable:
    start, partition, first, last, records = table.sources
    kept = Sources(start[sources], partition[sources], first[sources], last[sources], records[sources])
    if cells.all():
        return replace(table, sources=kept)
    rows = np.flatnonzero(cells)
    if not len(rows):
        return replace(nothing([type(tally) for tally in table.tallies]), sources=kept)
    used = np.bincount(table.segment[rows], minlength=len(table.names)) > 0
    place = np.cumsum(used, dtype=np.int32) - 1
    names = tuple(compress(table.names, used.tolist()))
    tallies = tuple(_take(tally, rows) for tally in table.tallies)
    segment = place[table.segment[rows]].astype(np.int32)
    return TallyTable(table.start[rows], table.end[rows], segment, names, table.records[rows], tallies, kept)


def _take(tally: Tally, rows: Ints) -> Tally:
    """Some cells of a tally; `rows` increases."""
    match tally:
        case Count(n):
            return Count(n[rows])
        case Ratio(n, hits):
            return Ratio(n[rows], hits[rows])
        case Moments(n, total, squares, least, most):
            return Moments(n[rows], exact.take(total, rows), exact.take(squares, rows), least[rows], most[rows])
        case Quantiles():
            return sketch.take(tally, rows)


def _counted(parts: Sequence[tuple[Ints, Ints]], cells: int) -> Ints:
    total = np.zeros(cells, np.int64)
    for counts, target in parts:
        np.add.at(total, target, counts)
    return total


def _merged_sources(parts: Sequence[Sources]) -> Sources:
    """One row a window and partition."""
    full = [part for part in parts if len(part.start)]
    if not full:
        return nothing(()).sources
    if len(full) == 1:
        return full[0]
    start, partition, first, last, records = (np.concatenate(column) for column in zip(*full, strict=True))
    order = np.lexsort((partition, start))
    start, partition = start[order], partition[order]
    fresh = np.ones(len(order), bool)
    fresh[1:] = (np.diff(start) != 0) | (np.diff(partition) != 0)
    at = np.flatnonzero(fresh)
    return Sources(
        start[at],
        partition[at],
        np.minimum.reduceat(first[order], at),
        np.maximum.reduceat(last[order], at),
        np.add.reduceat(records[order], at),
    )
