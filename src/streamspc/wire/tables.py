"""Format of tally tables, and of the blocks and lessons that carry them (version 1).

Columns of a table (w windows, c cells, e bins, r raw values):

    window.start [w], window.span [w]      start and length; windows in order
    window.cells [w]                       how many cells each has
    segment [c], records [c]               code into metadata `names`; records of the cell
    sources.start, .partition, .first, .last, .records   as in model.Sources
    T.n [c], T.hits [c]                    tally number T; its form is in metadata `tallies`
    T.total, T.squares [c, b]              digits of exact sums; metadata T.total, T.squares hold their lowest weight
    T.least [c], T.most [c]
    T.raw [c], T.raw_value [r]             raw values of each cell, and the values
    T.bins [c]                             bins of each cell
    T.bin_first [cells with bins]          key of the first bin of a cell
    T.bin_step [e], T.bin_step.more        key less the key before it in the same cell; 0 at the first
    T.bin_count [e], T.bin_count.more      values in the bin

Steps and counts are many and nearly all small, so they travel as a byte each, and `more` holds what those of 255 lack, in order.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from streamspc.model import (
    Block,
    Codes,
    Command,
    Count,
    ExactSum,
    Ints,
    Lesson,
    Moments,
    Progress,
    Quantiles,
    Ratio,
    Sources,
    Tally,
    TallyTable,
)
from streamspc.wire.container import Array, Meta, pack, understood, unpack

_FORMS: dict[str, type[Tally]] = {"count": Count, "ratio": Ratio, "moments": Moments, "quantiles": Quantiles}
_BYTE = 255
_NAMES = {form: name for name, form in _FORMS.items()}


def encode_table(table: TallyTable) -> bytes:
    """A tally table on its own."""
    return pack("table", 1, *_flat(table))


def decode_table(data: bytes) -> TallyTable:
    """What `encode_table` was given. Raises Fatal."""
    _, meta, columns = unpack(data, "table")
    return understood("table", lambda: _table(meta, columns))


def encode_block(block: Block) -> bytes:
    """What one observe transaction sends to one chart partition."""
    meta, columns = _flat(block.table)
    progress = [msgspec.structs.replace(one, refused=dict(sorted(one.refused.items()))) for one in block.progress]
    head = {"stream": block.stream, "config": block.config, "source_partitions": block.source_partitions, "progress": progress}
    return pack("block", 1, {**head, **meta}, columns)


def decode_block(data: bytes) -> Block:
    """What `encode_block` was given. Raises Fatal."""
    _, meta, columns = unpack(data, "block")
    return understood("block", lambda: _block(meta, columns))


def encode_lesson(lesson: Lesson) -> bytes:
    """The part of a lesson that one chart partition gets."""
    meta, columns = _flat(lesson.table)
    return pack("lesson", 1, {"command": msgspec.to_builtins(lesson.command), **meta}, columns)


def decode_lesson(data: bytes) -> Lesson:
    """What `encode_lesson` was given. Raises Fatal."""
    _, meta, columns = unpack(data, "lesson")
    return understood("lesson", lambda: Lesson(msgspec.convert(meta["command"], Command), _table(meta, columns)))


def _block(meta: Meta, columns: dict[str, Array]) -> Block:
    progress = msgspec.convert(meta["progress"], tuple[Progress, ...])
    return Block(str(meta["stream"]), str(meta["config"]), int(meta["source_partitions"]), progress, _table(meta, columns))


def _flat(table: TallyTable) -> tuple[Meta, dict[str, Array]]:
    heads = np.flatnonzero(np.diff(table.start, prepend=table.start[:1] - 1))
    columns: dict[str, Array] = {
        "window.start": table.start[heads],
        "window.span": table.end[heads] - table.start[heads],
        "window.cells": np.diff(heads, append=len(table)),
        "segment": table.segment,
        "records": table.records,
        **{f"sources.{name}": column for name, column in table.sources._asdict().items()},
    }
    meta: Meta = {"names": table.names, "tallies": [_NAMES[type(tally)] for tally in table.tallies]}
    for index, tally in enumerate(table.tallies):
        if isinstance(tally, Quantiles):
            columns |= {f"{index}.{name}": column for name, column in _flat_quantiles(tally).items()}
            continue
        for name, column in tally._asdict().items():
            if isinstance(column, ExactSum):
                meta[f"{index}.{name}"] = column.low
            columns[f"{index}.{name}"] = column.bins if isinstance(column, ExactSum) else column
    return meta, columns


def _flat_quantiles(tally: Quantiles) -> dict[str, Array]:
    cells = len(tally.n)
    first = np.diff(tally.bin_cell, prepend=-1) != 0
    step = np.diff(tally.bin_key, prepend=0)
    step[first] = 0
    return {
        "n": tally.n,
        "raw": np.bincount(tally.raw_cell, minlength=cells),
        "raw_value": tally.raw_value,
        "bins": np.bincount(tally.bin_cell, minlength=cells),
        "bin_first": tally.bin_key[first],
        "bin_step": np.minimum(step, _BYTE),
        "bin_step.more": step[step >= _BYTE] - _BYTE,
        "bin_count": np.minimum(tally.bin_count, _BYTE),
        "bin_count.more": tally.bin_count[tally.bin_count >= _BYTE] - _BYTE,
    }


def _table(meta: Meta, columns: dict[str, Array]) -> TallyTable:
    cells = columns["window.cells"]
    start = np.repeat(columns["window.start"], cells)
    end = start + np.repeat(columns["window.span"], cells)
    names, segment, records = tuple(meta["names"]), columns["segment"], columns["records"]
    tallies = tuple(_tally(form, index, meta, columns) for index, form in enumerate(meta["tallies"]))
    lengths = {len(column) for column in (start, segment, records, *(tally.n for tally in tallies))}
    if len(lengths) > 1:
        raise ValueError("columns of one table differ in length")
    if len(segment) and not 0 <= segment.min() <= segment.max() < len(names):
        raise ValueError("a segment has no name")
    return TallyTable(_frozen(start), _frozen(end), segment, names, records, tallies, read_sources(columns))


def read_sources(columns: dict[str, Array]) -> Sources:
    """The columns `sources.*` of any format."""
    sources = Sources(*(columns[f"sources.{name}"] for name in Sources._fields))
    if len({column.shape for column in sources}) > 1:
        raise ValueError("columns of the sources differ in length")
    return sources


def _tally(form: str, index: int, meta: Meta, columns: dict[str, Array]) -> Tally:
    if form == "quantiles":
        prefix = f"{index}."
        return _quantiles({name.removeprefix(prefix): column for name, column in columns.items() if name.startswith(prefix)})
    parts: list[Any] = []
    for name in _FORMS[form]._fields:
        column = columns[f"{index}.{name}"]
        parts.append(ExactSum(int(meta[f"{index}.{name}"]), column) if name in {"total", "squares"} else column)
        if len(column) != len(columns[f"{index}.n"]):
            raise ValueError("columns of one tally differ in length")
    return _FORMS[form](*parts)


def _quantiles(columns: dict[str, Array]) -> Quantiles:
    n, bins, raw, value = columns["n"], columns["bins"], columns["raw"], columns["raw_value"]
    step, count = (_whole(columns[name], columns[f"{name}.more"]) for name in ("bin_step", "bin_count"))
    cells = np.arange(len(n), dtype=np.int32)
    bin_cell, raw_cell = np.repeat(cells, bins), np.repeat(cells, raw)
    if not len(bin_cell) == len(step) == len(count) or len(raw_cell) != len(value) or count.sum() + len(value) != n.sum():
        raise ValueError("columns of one sketch differ in length")
    key = _keys(bins[bins > 0], columns["bin_first"], step)
    return Quantiles(n, _frozen(bin_cell), _frozen(key), _frozen(count), _frozen(raw_cell), value)


def _whole(short: Array, more: Array) -> Array:
    """Numbers that travelled as bytes."""
    whole, full = short.copy(), short == _BYTE
    if np.count_nonzero(full) != len(more):
        raise ValueError("numbers that travelled as bytes lack what exceeds them")
    whole[full] += more
    return whole


def _keys(bins: Ints, first: Codes, step: Codes) -> Codes:
    """Keys from the first of each cell and the steps between: a running sum that starts again in each cell."""
    risen = np.cumsum(step)
    heads = np.cumsum(bins) - bins
    keys: Codes = (risen + np.repeat(first - risen[heads], bins)).astype(np.int32)
    return keys


def _frozen(column: Array) -> Array:
    column.flags.writeable = False
    return column
