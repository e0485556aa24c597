"""What tests of tallies share: records as rows, the columns made of them, and equality to the last bit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from streamspc.bucket.tally import Plan, plan, tabulate
from streamspc.model import Batch, Bools, Column, Columns, Ints, MetricKind, MetricSpec, StreamSpec, TallyTable

WINDOW = 10_000_000

METRICS = (
    MetricSpec(name="volume", kind=MetricKind.COUNT),
    MetricSpec(name="dear", kind=MetricKind.COUNT, where="price > 100"),
    MetricSpec(name="sum", kind=MetricKind.SUM, field="price"),
    MetricSpec(name="mean", kind=MetricKind.MEAN, field="price"),
    MetricSpec(name="mean_ok", kind=MetricKind.MEAN, field="price", where="status == 'ok'"),
    MetricSpec(name="sd", kind=MetricKind.SD, field="price"),
    MetricSpec(name="min", kind=MetricKind.MIN, field="price"),
    MetricSpec(name="max", kind=MetricKind.MAX, field="price"),
    MetricSpec(name="median", kind=MetricKind.QUANTILE, field="price", q=0.5),
    MetricSpec(name="p90", kind=MetricKind.QUANTILE, field="price", q=0.9),
    MetricSpec(name="errors", kind=MetricKind.PROPORTION, where="status == 'error'", of="price > 1"),
    MetricSpec(name="nulls", kind=MetricKind.NULL_RATE, field="price"),
    MetricSpec(name="lag", kind=MetricKind.LAG),
)


class Row(NamedTuple):
    """One admitted record. `late` ones are not kept."""

    time: int
    price: float | None = 1.0
    status: str | None = "ok"
    segment: str = ""
    lag: int = 0
    late: bool = False


def stream(segmented: bool = True, metrics: Sequence[MetricSpec] = METRICS) -> StreamSpec:
    """A stream with windows of ten seconds."""
    return StreamSpec(name="s", topic="t", window_us=WINDOW, segment_by=("shop",) if segmented else (), metrics=tuple(metrics))


def columns(rows: Sequence[Row], segmented: bool = True, partition: int = 0, first: int = 0) -> tuple[Columns, Bools, Ints, Ints, Batch]:
    """Arguments of `tabulate` after the plan; offsets count from `first`."""
    count = len(rows)
    time = np.array([row.time for row in rows], np.int64)
    names = tuple(sorted({row.segment for row in rows})) if segmented else ()
    segment = np.array([names.index(row.segment) if segmented else -1 for row in rows], np.int32)
    null = np.array([row.price is None for row in rows], bool)
    price = np.array([0.0 if row.price is None else row.price for row in rows], np.float64)
    status = np.array([row.status for row in rows], object)
    fields = {"price": Column(price, null), "status": Column(status, np.array([row.status is None for row in rows], bool))}
    kafka = time + np.array([row.lag for row in rows], np.int64)
    admitted = Columns(np.arange(count), time, kafka, fields, segment, names, np.zeros(0, np.int64), (), ())
    start = time // WINDOW * WINDOW
    batch = Batch("t", partition, np.arange(first, first + count), kafka // 1000, [None] * count, [b""] * count, None, first + count)
    return admitted, np.array([not row.late for row in rows], bool), start, start + WINDOW, batch


def table(rows: Sequence[Row], segmented: bool = True, partition: int = 0, first: int = 0, of: Plan | None = None) -> TallyTable:
    """The tallies of rows that are consecutive in one partition."""
    return tabulate(of or plan(stream(segmented)), *columns(rows, segmented, partition, first))


def bits(value: Any) -> Any:
    """A value as nested tuples in which arrays are dtype, shape and bytes: equal only when every bit is."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, tuple):
        return tuple(map(bits, value))
    if hasattr(value, "__dataclass_fields__"):
        return tuple(bits(getattr(value, name)) for name in value.__dataclass_fields__)
    return value
