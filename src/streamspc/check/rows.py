"""Points as rows: one a window and series."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import numpy.typing as npt

from streamspc.check.episodes import NONE
from streamspc.decide.episodes import SPOKEN, contributions
from streamspc.model import NO_POINT, Phase, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from streamspc.check.episodes import Mark
    from streamspc.model import Floats, Points, StreamSpec

PHASES = [phase.value for phase in Phase]
RULES = [rule.value for rule in Rule]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBERS = ("value", "centre", "sigma", "lcl", "ucl", "z", "cusum_up", "cusum_down", "cusum_limit", "ewma", "ewma_limit")


class Row(msgspec.Struct, kw_only=True):
    """One point. Numbers are None where there are none, as all limits in Phase I."""

    start: str  # ISO 8601 in the stream's zone
    end: str
    start_us: int  # microseconds since the epoch
    end_us: int
    stream: str
    metric: str
    segment: str
    phase: str
    value: float | None
    n: int
    centre: float | None
    sigma: float | None
    lcl: float | None
    ucl: float | None
    z: float | None
    cusum_up: float | None  # in sigma
    cusum_down: float | None
    cusum_limit: float | None
    ewma: float | None
    ewma_limit: float | None
    severity: float  # see `severity`
    side: str  # up, down or nothing
    rules: list[str]  # what is broken: charts that signal, then run rules
    contributions: dict[str, float]  # of a chart of several metrics that signals: the share of each, the largest first
    episode: str  # id, empty outside of episodes
    in_episode: bool  # a later window of an episode; its first one has a severity of its own
    rejected: bool
    baseline_version: int
    records: int  # of the segment in the window
    config: str


def rows(spec: StreamSpec, points: Points, severity: Floats, marks: Mapping[tuple[str, str], Mark]) -> Iterator[Row]:
    """The points of a window as rows, by metric and segment."""
    where = np.nonzero(points.phase != NO_POINT)
    columns: dict[str, list[Any]] = {
        name: [x if x - x == 0.0 else None for x in getattr(points, name)[where].tolist()] for name in _NUMBERS
    }
    learning = points.version[where] == 0  # its limits are still to be found
    columns["cusum_limit"] = [None if yet else limit for yet, limit in zip(learning.tolist(), columns["cusum_limit"], strict=True)]
    columns["n"] = points.n[where].tolist()
    columns["severity"] = severity[where].tolist()
    columns["phase"] = [PHASES[phase] for phase in points.phase[where].tolist()]
    columns["rules"] = _broken(points, where)
    columns["side"] = [("", "up", "down")[side] for side in points.side[where].tolist()]
    columns["baseline_version"] = points.version[where].tolist()
    columns["records"] = points.records[where[1]].tolist()
    series = [(points.metrics[m], points.segments[s]) for m, s in zip(*(part.tolist() for part in where), strict=True)]
    columns["contributions"] = [
        {one.metric: one.share for one in contributions(points, m, s)} for m, s in zip(*(part.tolist() for part in where), strict=True)
    ]
    told = [marks.get(name, NONE) for name in series]
    columns |= {"episode": [m.id for m in told], "in_episode": [m.later for m in told], "rejected": [m.rejected for m in told]}
    columns |= {"metric": [name[0] for name in series], "segment": [name[1] for name in series]}
    window: dict[str, Any] = {
        "start": iso(points.start, spec.timezone),
        "end": iso(points.end, spec.timezone),
        "start_us": points.start,
        "end_us": points.end,
        "stream": points.stream,
        "config": points.config,
    }
    for row in zip(*columns.values(), strict=True):
        yield Row(**window, **dict(zip(columns, row, strict=True)))


def _broken(points: Points, where: tuple[npt.NDArray[np.intp], ...]) -> list[list[str]]:
    charts = [list(SPOKEN[bits]) for bits in points.broken[where].tolist()]
    if points.rules is None:
        return charts
    return [
        told + [rule for at, rule in enumerate(RULES) if bits >> at & 1]
        for told, bits in zip(charts, points.rules[where].tolist(), strict=True)
    ]


def iso(micros: int, zone: str) -> str:
    """An instant as ISO 8601 in a zone; in UTC where the zone's calendar does not reach it."""
    try:
        return (_EPOCH + timedelta(microseconds=micros)).astimezone(ZoneInfo(zone)).isoformat()
    except (OverflowError, ValueError):
        return f"{np.datetime64(micros, 'us')}Z"
