"""Verdicts: which segments of a window are rejected and why, and how many records nobody could judge.

A (window, segment) is rejected when a metric that a `judge_by` rule names for this segment signals, in Phase II, on one of the rule's
charts; direction and min_effect hold as for every signal. A series whose baseline is provisional signals and rejects nothing; one whose
level shift awaits a command rejects no more (`shift`). Records of other segments are not touched, whatever the reason.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from streamspc.decide import shift
from streamspc.decide.episodes import CHARTS, MONITORING, SPOKEN, advance, identity, number
from streamspc.model import WHOLE, Rejection

if TYPE_CHECKING:
    from streamspc.decide.episodes import Episodes
    from streamspc.decide.history import History
    from streamspc.model import Bools, Points, Signal, StreamSpec


class Decisions(NamedTuple):
    """What one window's points lead to."""

    signals: list[Signal]  # by metric and segment
    rejections: list[Rejection]  # by segment, at most one each
    unjudged: int
    lifted: int  # segments that are not rejected, for their level shift awaits a command
    over: Bools  # [M, S] series whose episode ends with this window


def decide(spec: StreamSpec, episodes: Episodes, points: Points, history: History) -> Decisions:
    """Episodes move on (in place), then the window is judged. A signal is `rejected` where it is itself a reason to reject."""
    was = episodes.state.open.copy()
    signals = advance(spec, episodes, points, history)
    over = was & ~episodes.state.open
    wanted = rejecting(spec, points)
    begun, lifted = shift.advance(spec.episodes.max_reject, episodes.state, points.side, wanted != 0)
    charts = np.where(lifted, np.uint8(0), wanted) if lifted.any() else wanted
    told = _marked(signals, points, charts != 0, shift.shifted(spec.episodes.max_reject, episodes.state), begun)
    spared = wanted.any(axis=0) & ~charts.any(axis=0)
    return Decisions(told, judge(charts, points, episodes), unjudged(spec, points), int(spared.sum()), over)


def _marked(signals: list[Signal], points: Points, guilty: Bools, shifted: Bools, begun: Bools) -> list[Signal]:
    """The signals with what they mean for verdicts; behind that of a series whose level shift begins to await a command, one more."""
    told = []
    for signal in signals:
        at = points.metrics.index(signal.metric), _column(points, signal.segment)
        rejected, awaiting = bool(guilty[at]), bool(shifted[at])
        told.append(msgspec.structs.replace(signal, rejected=rejected, awaiting=awaiting) if rejected or awaiting else signal)
        if begun[at]:
            told.append(msgspec.structs.replace(told[-1], kind="shift", muted=False))
    return told


def judge(charts: npt.NDArray[np.uint8], points: Points, episodes: Episodes) -> list[Rejection]:
    """One rejection for each segment that is rejected; of several metrics the one with the largest |z| names it (then the first).

    `charts` are those that reject [M, S]. `episodes` have taken these points already, so that each rejection carries the id of its episode.
    """
    segments = np.flatnonzero(charts.any(axis=0))
    far = np.where(charts[:, segments] != 0, np.abs(points.z[:, segments]), -1.0)
    worst = zip(far.argmax(axis=0).tolist(), segments.tolist(), strict=True)
    return [_rejection(points, episodes, series, int(charts[series])) for series in worst]


def rejecting(spec: StreamSpec, points: Points) -> npt.NDArray[np.uint8]:
    """Charts that reject, as bits of ChartKind like `Points.broken`. [M, S]."""
    charts = np.zeros_like(points.broken)
    for rule in spec.judge_by:
        row = points.metrics.index(rule.metric)
        bits = sum(1 << CHARTS.index(chart) for chart in set(rule.charts))
        found = points.broken[row] & np.uint8(bits)
        if rule.segments and found.any():
            named = [column for segment in rule.segments if (column := _column(points, segment)) is not None]
            covered = np.zeros(len(found), bool)
            covered[named] = True
            found *= covered
        charts[row] |= found
    charts[points.phase != MONITORING] = 0
    return charts


def unjudged(spec: StreamSpec, points: Points) -> int:
    """Records of the window that no rule could judge, counted where the whole stream's segment lives and 0 elsewhere, so never twice.

    They are all records of the window when the rules that cover the whole stream are about metrics without a point in Phase II, and 0 when
    one of them could judge, or when no rule covers the whole stream.
    """
    rows = {points.metrics.index(rule.metric) for rule in spec.judge_by if not rule.segments or WHOLE in rule.segments}
    whole = _column(points, WHOLE)
    if not rows or whole is None:
        return 0
    judged = any(points.phase[row, whole] == MONITORING for row in rows)
    return 0 if judged else int(points.records[whole])


def _column(points: Points, segment: str) -> int | None:
    """Where a segment is; they are in the order of their names."""
    at = bisect_left(points.segments, segment)
    return at if at < len(points.segments) and points.segments[at] == segment else None


def _rejection(points: Points, episodes: Episodes, series: tuple[int, int], charts: int) -> Rejection:
    metric, segment = points.metrics[series[0]], points.segments[series[1]]
    return Rejection(
        stream=points.stream,
        config=points.config,
        start=points.start,
        end=points.end,
        segment=segment,
        n=int(points.records[series[1]]),
        metric=metric,
        chart=SPOKEN[charts][0],
        value=float(points.value[series]),
        lcl=number(float(points.lcl[series])),
        ucl=number(float(points.ucl[series])),
        episode=identity(points.stream, metric, segment, int(episodes.state.opened[series])),
    )
