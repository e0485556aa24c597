"""What chart shows: the last point of each series, episodes, windows, and counters of what happened since the process began.

The series of at most so many (`server.max_exported_series`) are shown, in the order in which they came; the whole stream's always.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import structlog

from streamspc.decide import shift
from streamspc.decide.episodes import rule_names
from streamspc.errors import Reason
from streamspc.model import END, NEVER, NO_POINT, WHOLE, Family, Judged, Phase, Rejection
from streamspc.roles.series import Series, places, signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from streamspc.flow import Outputs, State, StreamState
    from streamspc.model import Floats, Points, Signal
    from streamspc.roles.meters import Meters

log = structlog.get_logger()

LEFT_OUT = 5  # windows that screening left out, in the log
HOLD = 120.0  # seconds that an episode which is over is still shown: more than one scrape sees it, however short it was
OF_STREAM = (
    "spc_windows_total", "spc_gaps_total", "spc_records_unjudged_total", "spc_expected_false_episodes_total", "spc_rejections_lifted_total",
)  # fmt: skip
MONITORING = list(Phase).index(Phase.MONITORING)
Key = tuple[int, str]  # chart partition and stream
Gauges = dict[tuple[str, tuple[str, ...]], float]  # by family and labels; chart partitions add up, of times the earliest counts


class Panel:
    """Series and gauges by chart partition and stream. The role's thread replaces them, never changes them: a scrape may read meanwhile."""

    def __init__(self, most: int = 5_000, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing to show yet. `most` series are shown."""
        self._most, self._clock = most, clock
        self._series: dict[Key, Series] = {}
        self._gauges: dict[Key, Gauges] = {}
        self._shown: dict[Key, set[str]] = {}  # segments

    def keep(self, partitions: set[int]) -> None:
        """Forget the series of partitions that belong to another process now, so that no series is shown twice."""
        self._series = {key: series for key, series in self._series.items() if key[0] in partitions}
        self._gauges = {key: gauges for key, gauges in self._gauges.items() if key[0] in partitions}
        self._shown = {key: shown for key, shown in self._shown.items() if key[0] in partitions}

    def show(self, partition: int, state: State, out: Outputs, meters: Meters) -> None:
        """Take what a committed turn made of one chart partition."""
        points: dict[str, list[Points]] = defaultdict(list)
        for one in out.points:
            points[one.stream].append(one)
        resolved: dict[str, list[Signal]] = defaultdict(list)
        for signal in out.signals:
            if signal.kind == "resolve":
                resolved[signal.stream].append(signal)
        series = dict(self._series)
        for name, several in points.items():
            of = state.streams[name]
            series[partition, name] = self._after((partition, name), of, several, resolved[name])
            _expect(of, several, meters)
        self._series = series
        _count(state, out, meters)
        self._gauges = {**self._gauges, **{(partition, name): self._gauges_of(state, (partition, name)) for name in state.streams}}

    def _after(self, key: Key, of: StreamState, several: Sequence[Points], resolved: Iterable[Signal]) -> Series:
        """The series after these windows."""
        last = several[-1]
        before = self._series.get(key)
        if before is None or not set(before.points.segments) <= set(last.segments):  # the partition was made anew from an earlier state
            before = Series.born(of.stream.spec, several[0])
        counts, held = before.moved(last.segments)
        for points in several:
            if points.segments == last.segments:
                counts += signals(points)
            else:
                counts[:, :, places(points.segments, last.segments)] += signals(points)
        if ended := [(last.metrics.index(signal.metric), last.segments.index(signal.segment)) for signal in resolved]:
            held[tuple(np.array(ended).T)] = self._clock() + HOLD
        opened = of.episodes.state.open
        if tuple(of.episodes.segments) != last.segments:  # some were added since
            opened = opened[:, places(last.segments, of.episodes.segments)]
        after = replace(before, points=last, signalled=counts, held=held, open=opened.copy())
        if last.segments == before.points.segments and not before.hidden():
            return after
        return replace(after, columns=self._admit(key, last), labels={})

    def _admit(self, key: Key, points: Points) -> np.ndarray:
        """Columns that are shown: those that were, the whole stream, and others while there is room."""
        room = self._most - sum(len(shown) * len(self._series[k].points.metrics) for k, shown in self._shown.items() if k in self._series)
        shown = self._shown.setdefault(key, set())
        for segment in sorted(set(points.segments) - shown, key=lambda name: (name != WHOLE, name)):
            if segment != WHOLE and room < len(points.metrics):
                break
            shown.add(segment)
            room -= len(points.metrics)
        return np.flatnonzero([segment in shown for segment in points.segments])

    def _gauges_of(self, state: State, key: Key) -> Gauges:
        of, (_, name) = state.streams[key[1]], key
        mine, late = (name,), Reason.LATE_AFTER_CLOSE.value
        series = self._series.get(key)
        gauges: Gauges = {
            ("spc_open_windows", mine): float(of.windows.count()) if of.has_whole else 0.0,
            ("spc_series", mine): float(len(of.bank.segments) * len(of.stream.spec.series)),
            ("spc_series_provisional", mine): float(np.count_nonzero(of.bank.baseline.doubt)),
            ("spc_level_shifts_awaiting", mine): float(shift.awaiting(of.stream.spec.episodes.max_reject, of.episodes.state).sum()),
            ("spc_series_hidden", mine): float(series.hidden()) if series else 0.0,
            ("spc_episodes_open", mine): float(of.episodes.state.open.sum()),
            ("spc_series_dropped_total", mine): float(of.counts[Reason.SEGMENT_LIMIT.value]),
            ("spc_records_refused_total", (name, "chart", late)): float(of.counts[late]),
        }
        for family, instant in (("spc_frontier_timestamp_seconds", of.frontier.at), ("spc_window_end_timestamp_seconds", of.windows.next)):
            if instant not in (NEVER, END):
                gauges[family, mine] = instant / 1e6
        return gauges

    def families(self) -> list[Family]:
        """Every family once."""
        found: dict[str, tuple[list[tuple[str, ...]], list[Floats]]] = defaultdict(lambda: ([], []))
        now = self._clock()
        for series in self._series.values():
            for family, labels, values in series.rows(now):
                found[family][0].extend(labels)
                found[family][1].append(values)
        families = [Family(family, labels, np.concatenate(values)) for family, (labels, values) in found.items() if labels]
        totals: dict[str, dict[tuple[str, ...], float]] = defaultdict(dict)
        for gauges in self._gauges.values():
            for (family, labels_of), value in gauges.items():
                known = totals[family].get(labels_of)
                time = family.endswith("_seconds")
                totals[family][labels_of] = value if known is None else min(known, value) if time else known + value
        return families + [Family(family, list(rows), list(rows.values())) for family, rows in totals.items()]


def born(names: Iterable[tuple[str, Sequence[str]]], meters: Meters) -> None:
    """Counters of these streams and their metrics begin at 0."""
    for stream, metrics in names:
        for family in OF_STREAM:
            meters.count(family, (stream,), 0)
        for verdict in ("accepted", "rejected"):
            meters.count("spc_verdicts_total", (stream, verdict), 0)
        for metric in metrics:
            for family in ("spc_episodes_total", "spc_baselines_total", "spc_baseline_windows_dropped_total"):
                meters.count(family, (stream, metric), 0)


def _count(state: State, out: Outputs, meters: Meters) -> None:
    """Signals, windows and verdicts."""
    for signal in out.signals:
        if signal.kind == "open":
            meters.count("spc_episodes_total", (signal.stream, signal.metric))
        elif signal.kind == "gap":
            meters.count("spc_gaps_total", (signal.stream,))
    verdicts = Counter({points.stream: 0 for points in out.points})
    for points in out.points:
        _count_learnt(points, meters)
        _count_rules(points, meters)
        verdicts[points.stream] += int((points.phase != NO_POINT).any(axis=0).sum())
    for verdict in out.verdicts:
        if isinstance(verdict, Rejection):
            verdicts[verdict.stream] -= 1
            meters.count("spc_verdicts_total", (verdict.stream, "rejected"))
        elif isinstance(verdict, Judged) and verdict.start != NEVER:
            meters.count("spc_rejections_lifted_total", (verdict.stream,), verdict.lifted)
            if state.streams[verdict.stream].has_whole:
                meters.count("spc_windows_total", (verdict.stream,))
                meters.count("spc_records_unjudged_total", (verdict.stream,), verdict.unjudged)
    for stream, accepted in verdicts.items():
        meters.count("spc_verdicts_total", (stream, "accepted"), accepted)


def _count_rules(points: Points, meters: Meters) -> None:
    """Rules that signalled, by metric."""
    if points.rules is None:
        return
    metrics, bits = np.nonzero(points.rules)[0], points.rules[points.rules != 0]
    for metric, rules in zip(metrics.tolist(), bits.tolist(), strict=True):
        for rule in rule_names(rules):
            meters.count("spc_rule_violations_total", (points.stream, points.metrics[metric], rule))


def _count_learnt(points: Points, meters: Meters) -> None:
    """Baselines that were estimated; the log says so too, with the first windows that screening left out."""
    learnt = points.learnt
    if learnt is None:
        return
    for metric in np.unique(learnt.metric).tolist():
        here, labels = learnt.metric == metric, (points.stream, points.metrics[metric])
        meters.count("spc_baselines_total", labels, float(np.count_nonzero(here)))
        meters.count("spc_baseline_windows_dropped_total", labels, float(np.count_nonzero(here[learnt.baseline])))
    series = zip(learnt.metric[learnt.baseline[:LEFT_OUT]], learnt.segment[learnt.baseline[:LEFT_OUT]], learnt.dropped, strict=False)
    log.info(
        "baselines estimated",
        stream=points.stream,
        series=len(learnt.metric),
        provisional=int(np.count_nonzero(learnt.doubt)),
        windows=int(learnt.windows.sum()),
        dropped=len(learnt.dropped),
        first_dropped=[f"{points.metrics[m]}[{points.segments[s]}] {np.datetime64(int(start), 'us')}Z" for m, s, start in series],
    )


def _expect(of: StreamState, several: Sequence[Points], meters: Meters) -> None:
    """False episodes that the promise allows for these windows, in expectation."""
    spec = of.stream.spec
    judged = [int((points.phase == MONITORING).sum()) for points in several]
    if spec.budget.per == "series":
        meters.count("spc_expected_false_episodes_total", (spec.name,), sum(judged) / spec.budget.arl0)
    elif of.has_whole:
        meters.count("spc_expected_false_episodes_total", (spec.name,), sum(map(bool, judged)) / spec.budget.arl0)
