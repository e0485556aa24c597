"""What chart shows of its series: the last point of each, and counters of what happened since the process began."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import structlog

from streamspc.decide import shift
from streamspc.errors import Reason
from streamspc.model import END, NEVER, NO_POINT, ChartKind, Points, Signal

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from streamspc.flow import Outputs, State
    from streamspc.roles.meters import Meters

log = structlog.get_logger()

CHARTS = tuple(ChartKind)
SHOWN = 5  # windows that screening left out, in the log
Row = tuple[tuple[str, ...], float]
Gauges = dict[tuple[str, tuple[str, ...]], float]  # by family and labels; chart partitions add up, of times the earliest counts


class Panel:
    """Latest points by chart partition and stream. Written by the role's thread, read by a scrape: values are replaced, never changed."""

    def __init__(self) -> None:
        """Nothing to show yet."""
        self._latest: dict[tuple[int, str], Points] = {}
        self._gauges: dict[tuple[int, str], Gauges] = {}

    def keep(self, partitions: set[int]) -> None:
        """Forget the series of partitions that belong to another process now, so that no series is shown twice."""
        self._latest = {key: points for key, points in self._latest.items() if key[0] in partitions}
        self._gauges = {key: gauges for key, gauges in self._gauges.items() if key[0] in partitions}

    def show(self, partition: int, state: State, out: Outputs, meters: Meters) -> None:
        """Take what a committed turn made of one chart partition."""
        latest = dict(self._latest)
        for points in out.points:
            latest[partition, points.stream] = points
            _count_broken(points, meters)
            _count_learnt(points, meters)
        self._latest = latest
        for signal in out.signals:
            _count_signal(signal, meters)
        for verdict in out.verdicts:
            if verdict.start == NEVER:
                continue
            if hasattr(verdict, "segment"):
                meters.count("spc_rejected_windows_total", (verdict.stream,))
                continue
            if verdict.lifted:
                meters.count("spc_rejections_lifted_total", (verdict.stream,), verdict.lifted)
            if state.streams[verdict.stream].has_whole:
                meters.count("spc_windows_total", (verdict.stream,))
                meters.count("spc_records_unjudged_total", (verdict.stream,), verdict.unjudged)
        self._gauges = {**self._gauges, **{(partition, name): _gauges(state, name) for name in state.streams}}

    def families(self) -> dict[str, list[Row]]:
        """Rows of every family, series that have no number left out."""
        rows: dict[str, list[Row]] = {}
        for (_, stream), points in self._latest.items():
            for family, more in _series(stream, points).items():
                rows.setdefault(family, []).extend(more)
        totals: dict[tuple[str, tuple[str, ...]], float] = {}
        for gauges in self._gauges.values():
            for key, value in gauges.items():
                known = totals.get(key)
                time = key[0].endswith("_seconds")
                totals[key] = value if known is None else min(known, value) if time else known + value
        for (family, labels), value in totals.items():
            rows.setdefault(family, []).append((labels, value))
        return rows


def _gauges(state: State, name: str) -> Gauges:
    of = state.streams[name]
    mine = (name,)
    late = Reason.LATE_AFTER_CLOSE.value
    gauges: Gauges = {
        ("spc_open_windows", mine): float(of.windows.count()) if of.has_whole else 0.0,
        ("spc_series", mine): float(len(of.bank.segments) * len(of.stream.spec.series)),
        ("spc_series_provisional", mine): float(np.count_nonzero(of.bank.baseline.doubt)),
        ("spc_level_shifts_awaiting", mine): float(shift.awaiting(of.stream.spec.episodes.max_reject, of.episodes.state).sum()),
        ("spc_episodes_open", mine): float(of.episodes.state.open.sum()),
        ("spc_series_dropped_total", mine): float(of.counts[Reason.SEGMENT_LIMIT.value]),
        ("spc_records_refused_total", (name, "chart", late)): float(of.counts[late]),
    }
    for family, instant in (("spc_frontier_timestamp_seconds", of.frontier.at), ("spc_window_end_timestamp_seconds", of.windows.next)):
        if instant not in (NEVER, END):
            gauges[family, mine] = instant / 1e6
    return gauges


def _count_broken(points: Points, meters: Meters) -> None:
    for metric, segment in zip(*(at.tolist() for at in np.nonzero(points.broken)), strict=True):
        for bit, chart in enumerate(CHARTS):
            if points.broken[metric, segment] >> bit & 1:
                labels = (points.stream, points.metrics[metric], points.segments[segment], chart.value)
                meters.count("spc_violations_total", labels)


def _count_learnt(points: Points, meters: Meters) -> None:
    """Baselines that were estimated; the log says so too, with the first windows that screening left out."""
    learnt = points.learnt
    if learnt is None:
        return
    for metric in np.unique(learnt.metric).tolist():
        here, labels = learnt.metric == metric, (points.stream, points.metrics[metric])
        meters.count("spc_baselines_total", labels, float(np.count_nonzero(here)))
        meters.count("spc_baseline_windows_dropped_total", labels, float(np.count_nonzero(here[learnt.baseline])))
    series = zip(learnt.metric[learnt.baseline[:SHOWN]], learnt.segment[learnt.baseline[:SHOWN]], learnt.dropped, strict=False)
    log.info(
        "baselines estimated",
        stream=points.stream,
        series=len(learnt.metric),
        provisional=int(np.count_nonzero(learnt.doubt)),
        windows=int(learnt.windows.sum()),
        dropped=len(learnt.dropped),
        first_dropped=[f"{points.metrics[m]}[{points.segments[s]}] {np.datetime64(int(start), 'us')}Z" for m, s, start in series],
    )


def _count_signal(signal: Signal, meters: Meters) -> None:
    if signal.kind == "open":
        meters.count("spc_episodes_total", (signal.stream, signal.metric))
    elif signal.kind == "gap":
        meters.count("spc_gaps_total", (signal.stream,))


def _series(stream: str, points: Points) -> dict[str, list[Row]]:
    names = [[(stream, metric, segment) for segment in points.segments] for metric in points.metrics]
    out: dict[str, list[Row]] = {
        "spc_value": list(_rows(names, points.value)),
        "spc_sample_size": list(_rows(names, points.n.astype(float))),
        "spc_center": list(_rows(names, points.centre)),
        "spc_sigma": list(_rows(names, points.sigma)),
        "spc_phase": list(_rows(names, np.where(points.phase == NO_POINT, np.nan, points.phase + 1.0))),
        "spc_baseline_version": list(_rows(names, points.version.astype(float))),
        "spc_control_limit": [*_rows(names, points.lcl, "lcl"), *_rows(names, points.ucl, "ucl")],
    }
    statistics = {"shewhart": points.z, "cusum_up": points.cusum_up, "cusum_down": points.cusum_down, "ewma": points.ewma}
    cusum = points.cusum_limit
    bounds = {"shewhart": points.shewhart_limit, "cusum_up": cusum, "cusum_down": cusum, "ewma": points.ewma_limit}
    judged = points.version > 0
    out["spc_statistic"] = [r for chart, a in statistics.items() for r in _rows(names, np.where(judged, a, np.nan), chart)]
    out["spc_statistic_limit"] = [r for chart, a in bounds.items() for r in _rows(names, np.where(judged, a, np.nan), chart)]
    signals = ((chart.value, (points.broken >> bit & 1).astype(float)) for bit, chart in enumerate(CHARTS))
    out["spc_out_of_control"] = [r for chart, a in signals for r in _rows(names, np.where(judged, a, np.nan), chart)]
    return out


def _rows(names: list[list[tuple[str, str, str]]], array: npt.NDArray[np.float64], *label: str) -> Iterator[Row]:
    for metric, segment in zip(*(at.tolist() for at in np.nonzero(np.isfinite(array))), strict=True):
        yield (*names[metric][segment], *label), float(array[metric, segment])
