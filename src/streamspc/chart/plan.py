"""The metrics of a stream as columns, so that one operation serves all of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streamspc.chart import lean, logarithm, stuck
from streamspc.chart.rules import mask
from streamspc.chart.scales import Rows
from streamspc.model import ChartKind, MetricKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamspc.chart.rules import Bits
    from streamspc.model import BaselineSpec, Bools, ChartSpec, Floats, Ints, MetricSpec, StreamSpec

RATIOS = frozenset({MetricKind.PROPORTION, MetricKind.NULL_RATE})
KNOWN = RATIOS | {MetricKind.COUNT, MetricKind.MEAN, MetricKind.LAG}  # of which Phase I knows more than values
NEVER_NEGATIVE = RATIOS | {MetricKind.COUNT, MetricKind.SD}


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What the charts need of M metrics, but for their limits. Chart settings are [M, 1], what is asked of single crossings is [M]."""

    metrics: tuple[str, ...]
    kinds: tuple[MetricKind, ...]
    baseline: BaselineSpec
    cusum_k: Floats
    cusum_headstart: Floats
    ewma_lambda: Floats
    least: Floats  # no value of the metric is below it
    most: Floats  # nor above it
    bounded: bool  # is that said of any metric
    counts: Bools  # is it a number of records
    hits: Bools  # is it one, or a share of it
    means: Ints  # [L] metrics that lean on the scatter of their records
    single: Bools  # is nothing known of it but its values
    by: Bools  # [3, M] may this chart signal, in the order of ChartKind
    may: Bools  # [3, M, 3] may it on this side: none, above, and (counted from the end) below
    effects: Floats  # [3, M] absolute, relative, sigmas: a shift must reach absolute + relative |centre| + sigmas sigma
    exacting: bool  # is there any of them
    confirmed: Ints  # [C] metrics whose Shewhart signals take two points
    ruled: Ints  # [R] metrics that ask for run rules
    asked: Bits  # [R] which ones
    logs: Ints  # metrics that are charted as logarithms
    still: Ints  # [K] metrics that may be stuck
    more: Rows  # further time scales


def plan(spec: StreamSpec) -> Plan:
    """Columns of the stream's metrics."""
    metrics = spec.metrics
    charts = [metric.charts for metric in metrics]
    ruled = [index for index, metric in enumerate(metrics) if metric.rules]
    by = np.array([[kind in metric.signal_by for metric in metrics] for kind in ChartKind], bool)
    return Plan(
        metrics=tuple(metric.name for metric in metrics),
        kinds=tuple(metric.kind for metric in metrics),
        baseline=spec.baseline,
        cusum_k=_column([chart.cusum_k for chart in charts]),
        cusum_headstart=_column([chart.cusum_headstart for chart in charts]),
        ewma_lambda=_column([chart.ewma_lambda for chart in charts]),
        least=_column([0.0 if metric.kind in NEVER_NEGATIVE else -math.inf for metric in metrics]),
        most=_column([1.0 if metric.kind in RATIOS else math.inf for metric in metrics]),
        counts=np.array([metric.kind is MetricKind.COUNT for metric in metrics], bool),
        hits=np.array([metric.kind in RATIOS or metric.kind is MetricKind.COUNT for metric in metrics], bool),
        means=np.array([index for index, metric in enumerate(metrics) if metric.kind in lean.KINDS], np.int64),
        single=np.array([metric.kind not in KNOWN for metric in metrics], bool),
        bounded=any(metric.kind in NEVER_NEGATIVE for metric in metrics),
        by=by,
        may=by[:, :, None] & np.array([[False, metric.direction != "down", metric.direction != "up"] for metric in metrics], bool),
        effects=np.array([_effects(metrics, unit) for unit in ("absolute", "relative", "sigma")], np.float64),
        exacting=any(metric.min_effect is not None for metric in metrics),
        confirmed=np.array([index for index, chart in enumerate(charts) if chart.confirm > 1], np.int64),
        ruled=np.array(ruled, np.int64),
        logs=np.array([index for index, metric in enumerate(metrics) if metric.kind in logarithm.KINDS], np.int64),
        still=np.array([index for index, metric in enumerate(metrics) if stuck.asked(metric)], np.int64),
        asked=np.array([mask(metrics[i].rules) for i in ruled], np.uint16),
        more=_more(charts),
    )


def _more(charts: Sequence[ChartSpec]) -> Rows:
    """The further time scales, by metric and then in their order."""
    k = [(index, k) for index, chart in enumerate(charts) for k in chart.cusum_scales]
    weight = [(index, weight) for index, chart in enumerate(charts) for weight in chart.ewma_scales]
    (cusums, ks), (ewmas, weights) = (([index for index, _ in rows], [number for _, number in rows]) for rows in (k, weight))
    return Rows(np.array(cusums, np.int64), _column(ks), np.array(ewmas, np.int64), _column(weights))


def _column(numbers: Sequence[float]) -> Floats:
    return np.array(numbers, np.float64)[:, None]


def _effects(metrics: Sequence[MetricSpec], unit: str) -> list[float]:
    wanted = [metric.min_effect for metric in metrics]
    return [effect.amount if effect and effect.unit == unit else 0.0 for effect in wanted]
