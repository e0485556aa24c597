"""Tallies of one window to the statistics that charts watch. Here, and only here, exact sums become floats."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import NamedTuple

import numpy as np

from streamspc.bucket import exact, sketch
from streamspc.bucket.plan import Plan
from streamspc.model import (
    Count,
    Floats,
    Ints,
    MetricKind,
    MetricSpec,
    Moments,
    Quantiles,
    Ratio,
    Statistics,
    StreamSpec,
    Tally,
    TallyTable,
)

_TAIL = 10  # records that must lie beyond a quantile, on average, for it to be a point


class _Row(NamedTuple):
    """Statistics of one metric, [c] each; see `Statistics`."""

    value: Floats
    n: Ints
    unit: Floats
    extra: Floats


def statistics(spec: StreamSpec, plan: Plan, table: TallyTable, segments: Sequence[str]) -> tuple[Statistics, Ints]:
    """Statistics [M, S] of one window for `segments` (in any order), and the records [S] of each. `table` holds one window.

    | kind | value | no point (nan) | unit: variance of one record | extra |
    |---|---|---|---|---|
    | count | n | never: nothing came is 0 | 0 | 0 |
    | sum, min, max | of the values | n = 0 | 0 | 0 |
    | mean; lag (seconds, Kafka time less event time) | sum / n | n = 0 | s^2, 0 where n = 1 | 0 |
    | sd | s, divisor n - 1 | n < 2 | s^2 / 2 | 0 |
    | proportion, null_rate | hits / n | n = 0 | p (1 - p) | 0 |
    | quantile | see `sketch.quantile` | n < 10 / min(q, 1 - q) | q (1 - q) / f^2 | the bin's, 0 where raw |

    n counts the records that the metric saw (after its filter; for values, those not null). A segment that is not in the table
    has n = 0. The unit variance of a sd is that of normal values.
    """
    of_nothing = [0.0 if metric.kind is MetricKind.COUNT else np.nan for metric in spec.metrics]
    if not len(table):
        shape = len(spec.metrics), len(segments)
        value = np.repeat(np.array(of_nothing), shape[1]).reshape(shape)
        return Statistics(value, np.zeros(shape, np.int64), np.zeros(shape), np.zeros(shape)), np.zeros(shape[1], np.int64)
    where = dict(zip((table.names[code] for code in table.segment.tolist()), range(len(table)), strict=True))
    place = np.fromiter(map(where.get, segments, repeat(len(table))), np.int64, len(segments))
    rows = [_row(metric, table.tallies[index]) for metric, index in zip(spec.metrics, plan.of_metric, strict=True)]
    value = np.array([np.append(row.value, none)[place] for row, none in zip(rows, of_nothing, strict=True)])
    n, unit, extra = (np.array([np.append(column, 0)[place] for column in columns]) for columns in list(zip(*rows, strict=True))[1:])
    return Statistics(value, n, unit, extra), np.append(table.records, 0)[place]


def _row(metric: MetricSpec, tally: Tally) -> _Row:
    match tally:
        case Count(n):
            return _Row(n.astype(np.float64), n, np.zeros(len(n)), np.zeros(len(n)))
        case Ratio(n, hits):
            share = _ratio(hits.astype(np.float64), n)
            return _Row(share, n, _known(share * (1 - share)), np.zeros(len(n)))
        case Moments():
            value, unit = _of_moments(metric.kind, tally)
            return _Row(value, tally.n, _known(unit), np.zeros(len(tally.n)))
        case Quantiles():
            return _of_sketch(metric.q or 0.5, tally)


def _of_moments(kind: MetricKind, tally: Moments) -> tuple[Floats, Floats]:
    """Value and unit variance, nan where there is none."""
    none = np.zeros(len(tally.n))
    some = tally.n > 0
    if kind is MetricKind.MIN:
        return np.where(some, tally.least, np.nan), none
    if kind is MetricKind.MAX:
        return np.where(some, tally.most, np.nan), none
    total = exact.value(tally.total)
    if kind is MetricKind.SUM:
        return np.where(some, total, np.nan), none
    variance = exact.variance(tally.n, tally.total, tally.squares)
    if kind is MetricKind.SD:
        return np.sqrt(variance), variance / 2
    return _ratio(total, tally.n), variance


def _of_sketch(q: float, tally: Quantiles) -> _Row:
    enough = tally.n >= round(_TAIL / min(q, 1 - q), 6)  # 1 - 0.9 is a little less than 0.1
    value = np.where(enough, sketch.quantile(tally, q), np.nan)
    unit, extra = sketch.density_variance(tally, q), sketch.grid_variance(tally, q)
    return _Row(value, tally.n, np.where(enough, unit, 0.0), np.where(enough, extra, 0.0))


def _ratio(above: Floats, n: Ints) -> Floats:
    share = np.full(len(n), np.nan)
    np.divide(above, n, out=share, where=n > 0)
    return share


def _known(unit: Floats) -> Floats:
    return np.where(np.isnan(unit), 0.0, unit)
