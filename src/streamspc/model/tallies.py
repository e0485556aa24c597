"""Tallies: mergeable partial aggregates of windows and segments, and the block that carries them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from streamspc.model.columns import Codes, Floats, Ints


class ExactSum(NamedTuple):
    """Exact sums of doubles, one a cell: sum_j bins[:, j] * 2**(26 * (low + j)). Bins are canonical: see bucket.exact."""

    low: int
    bins: Ints  # [c, b]


class Count(NamedTuple):
    """Number of (filtered) records."""

    n: Ints  # [c]


class Ratio(NamedTuple):
    """Proportion and null rate: `hits` of `n`."""

    n: Ints  # [c]
    hits: Ints  # [c]


class Moments(NamedTuple):
    """Exact sums of x and x^2 over the `n` values that are not null; least and most are +inf and -inf where n is 0."""

    n: Ints  # [c]
    total: ExactSum
    squares: ExactSum
    least: Floats  # [c]
    most: Floats  # [c]


class Quantiles(NamedTuple):
    """Sketch with integer bins. A cell with at most bucket.sketch.RAW values carries them raw, sorted; else it is in bins only."""

    n: Ints  # [c]
    bin_cell: Codes  # [e] sorted by (cell, bin), unique
    bin_key: Codes  # [e]
    bin_count: Ints  # [e]
    raw_cell: Codes  # [r] sorted by (cell, value)
    raw_value: Floats  # [r]


Tally = Count | Ratio | Moments | Quantiles


class Sources(NamedTuple):
    """Which source offsets a window's records came from: one row per window and source partition, sorted, unique."""

    start: Ints  # [w] window start
    partition: Codes  # [w]
    first: Ints  # [w] offset of the first record
    last: Ints  # [w] offset of the last record
    records: Ints  # [w]


@dataclass(frozen=True, slots=True, eq=False)
class TallyTable:
    """Mergeable partial aggregates of one stream: one cell per window and segment, sorted by (start, segment name), unique.

    `tallies` are in the order of `bucket.tally.plan(spec)`. The empty table (c = 0) is the identity of merging.
    """

    start: Ints  # [c]
    end: Ints  # [c]
    segment: Codes  # [c] code into `names`
    names: tuple[str, ...]  # sorted, all of them used
    records: Ints  # [c]
    tallies: tuple[Tally, ...]
    sources: Sources

    def __len__(self) -> int:
        """Cells in the table."""
        return len(self.start)


class Progress(msgspec.Struct, frozen=True):
    """How far one source partition was read when a block was made.

    `idle_us` is a duration, None while the partition is not idle: how long it has been so since it was last told of. Durations add
    up, so that one that a new owner has begun to measure counts from where the old one ended.
    """

    partition: int
    first: int
    next: int
    watermark: int
    idle_us: int | None = None
    refused: dict[str, int] = {}  # records by errors.Reason


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """What one observe transaction sends to one chart partition."""

    stream: str
    config: str
    source_partitions: int
    progress: tuple[Progress, ...]
    table: TallyTable


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """Window statistics, each [M, S].

    `value` is nan where there is no point; `unit` is the within-window variance of one
    record and `extra` a variance that more records do not shrink, so that the variance within a window is unit / n + extra.
    """

    value: Floats
    n: Ints
    unit: Floats
    extra: Floats
