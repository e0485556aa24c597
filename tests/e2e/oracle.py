"""What has to come out, computed offline from the records alone: windows, points, episodes, verdicts, and the way of each record.

`foresee(records, stream)` takes the records of a source topic and the stream's part of the configuration as a user writes it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, NamedTuple

from e2e.oracle_charts import Episode, Point, Series, episodes
from e2e.oracle_windows import MINUTE, WHOLE, Record, Seen, Statistic, mark_late, see, statistic, windows, without_silence

Key = tuple[str, str]  # metric and segment


class Rejected(NamedTuple):
    """Why a segment of a window is rejected."""

    segment: str
    metric: str
    chart: str
    n: int
    point: Point


class Way(NamedTuple):
    """Where a record goes: clean, or quarantine with a reason; and what is marked on it."""

    record: Record
    reason: str = ""  # empty: clean
    rejected: Rejected | None = None
    start: int = 0
    late: bool = False
    storm: bool = False


@dataclass
class Foreseen:
    """Everything. Windows are told by their index, from the first one with records on; those that a gap swallows have none."""

    starts: list[int]
    index: dict[int, int]  # of each start
    gaps: set[int]
    seen: list[Seen]
    rows: list[dict[str, list[Seen]]]  # of each window, by segment, late ones left out
    records: dict[int, dict[str, int]]  # how many those are
    spans: dict[int, list[tuple[int, int, int]]]  # source partition, first and last offset, of each window
    statistics: dict[tuple[int, str, str], Statistic]  # by window, metric and segment
    points: dict[Key, list[Point]]  # from window `first[segment]` on
    first: dict[str, int]
    episodes: dict[Key, list[Episode]]
    rejected: dict[int, dict[str, Rejected]]
    unjudged: list[int]
    storms: set[int]
    ways: list[Way]


def foresee(records: list[Record], stream: dict[str, Any]) -> Foreseen:
    """The outcome of these records, in any order of partitions."""
    seen = [see(record, max(_us(stream["lateness"]), MINUTE)) for record in sorted(records)]
    mark_late(seen, _us(stream["disorder"]), _us(stream["lateness"]))
    held, gaps = without_silence(windows(seen), stream["max_empty_windows"])
    starts = list(held)
    index_of = {start: index for index, start in enumerate(starts)}
    rows = [_by_segment(held[start]) for start in starts]
    first: dict[str, int] = {}
    for index, by_segment in enumerate(rows):
        for segment, inside in by_segment.items():
            if len(inside) >= stream["min_records"]:
                first.setdefault(segment, index)
    statistics: dict[tuple[int, str, str], Statistic] = {}
    points: dict[Key, list[Point]] = {}
    for metric in stream["metrics"]:
        for segment, begin in first.items():
            series = Series(metric, stream)
            line = points[metric["name"], segment] = []
            for index in range(begin, len(starts)):
                found = Statistic(math.nan, 0) if starts[index] in gaps else statistic(metric, rows[index].get(segment, []))
                statistics[index, metric["name"], segment] = found
                line.append(series.take(found))
    rule = stream["episodes"]
    told = {key: episodes(line, first[key[1]], rule["quiet"], rule["refractory"]) for key, line in points.items()}
    counts = {index: {segment: len(inside) for segment, inside in by.items()} for index, by in enumerate(rows)}
    rejected = {index: guilty for index in range(len(starts)) if (guilty := _reject(stream, points, first, index, counts[index]))}
    storms = _storms(stream["gate"]["storm"], rejected, counts)
    ways = [_way(one, index_of.get(one.start, -1), rejected, storms) for one in seen]
    spans = {index: _spans(held[start]) for index, start in enumerate(starts)}
    unjudged = [_unjudged(stream, points, first, index, counts[index]) for index in range(len(starts))]
    return Foreseen(starts, index_of, gaps, seen, rows, counts, spans, statistics, points, first, told, rejected, unjudged, storms, ways)


def _us(duration: str) -> int:
    return int(float(duration.removesuffix("s")) * 1_000_000)


def _by_segment(inside: list[Seen]) -> dict[str, list[Seen]]:
    found: dict[str, list[Seen]] = defaultdict(list)
    for one in inside:
        found[one.segment].append(one)
        found[WHOLE].append(one)
    return found


def _spans(inside: list[Seen]) -> list[tuple[int, int, int]]:
    offsets: dict[int, list[int]] = defaultdict(list)
    for one in inside:
        offsets[one.record.partition].append(one.record.offset)
    return [(partition, min(found), max(found)) for partition, found in sorted(offsets.items())]


def _reject(
    stream: dict[str, Any], points: dict[Key, list[Point]], first: dict[str, int], index: int, counts: dict[str, int]
) -> dict[str, Rejected]:
    """Of several metrics the one with the largest |z| names the rejection, and of several charts the first."""
    found: dict[str, Rejected] = {}
    for segment, begin in first.items():
        guilty: list[tuple[float, str, str, Point]] = []
        for metric in stream["metrics"]:
            rules = [r for r in stream["judge_by"] if r["metric"] == metric["name"] and segment in r.get("segments", [segment])]
            point = points[metric["name"], segment][index - begin] if index >= begin else Point(0.0, 0)
            charts = [chart for chart in point.charts if any(chart in r.get("charts", ["shewhart"]) for r in rules)]
            if charts:
                guilty.append((abs(point.z), metric["name"], charts[0], point))
        if guilty:
            _, name, chart, point = max(guilty, key=lambda one: one[0])
            found[segment] = Rejected(segment, name, chart, counts.get(segment, 0), point)
    return found


def _unjudged(stream: dict[str, Any], points: dict[Key, list[Point]], first: dict[str, int], index: int, counts: dict[str, int]) -> int:
    """Records of the window when no metric that may reject the whole stream could judge it."""
    names = [r["metric"] for r in stream["judge_by"] if WHOLE in r.get("segments", [WHOLE])]
    now = [points[name, WHOLE][index - first[WHOLE]] for name in names]
    judged = any(point.judged and point.value == point.value for point in now)
    return 0 if judged else counts.get(WHOLE, 0)


def _storms(rule: dict[str, Any], rejected: dict[int, dict[str, Rejected]], counts: dict[int, dict[str, int]]) -> set[int]:
    """Windows whose rejections are lifted: they and those right before them lost too much."""
    lost = []
    for index, by_segment in counts.items():
        records, guilty = by_segment.get(WHOLE, 0), rejected.get(index, {})
        lost.append(0.0 if not records else 1.0 if WHOLE in guilty else sum(one.n for one in guilty.values()) / records)
    k = rule["windows"]
    return {i for i in rejected if i + 1 >= k and all(share > rule["max_share"] for share in lost[i + 1 - k : i + 1])}


def _way(one: Seen, index: int, rejected: dict[int, dict[str, Rejected]], storms: set[int]) -> Way:
    if one.reason:
        return Way(one.record, "" if one.reason == "tombstone" else one.reason)
    storm = index in storms
    guilty = {} if storm else rejected.get(index, {})
    verdict = guilty.get(one.segment) or guilty.get(WHOLE)
    return Way(one.record, "rejected" if verdict else "", verdict, one.start, one.late, storm)
