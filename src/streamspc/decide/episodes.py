"""Episodes: signals of one series that belong together.

    closed ── signal ──▶ open, `open`          muted when the last one ended at most `refractory` points ago
    open ──── signal ──▶ open, `update`
    open ──── enough points in a row without a signal ──▶ closed, `resolve`

Enough are `quiet`, and at least twice as many as any signal of the episode took to gather (from its onset): the charts have begun again
since, and were the shift still there they would by then have told so again. With `quiet` alone a lasting shift of one sigma, which a
CUSUM tells every ten points, would open and close an episode each time.

Only points of Phase II count, provisional ones too; their signals say so. A window without a point changes nothing. An episode also ends
when its series gets another baseline (`Episodes.end`); `shift` has those that do not end.
"""

from __future__ import annotations

import hashlib
import math
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from streamspc.decide.history import WINDOWS, spans
from streamspc.model import NEVER, ChartKind, Contribution, Phase, Rule, Signal, charted
from streamspc.model.lanes import Lanes, join, take

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamspc.decide.history import History
    from streamspc.model import Bools, Codes, Floats, Ints, Points, StreamSpec

    Part = tuple[Sequence[str], Lanes]
    Series = tuple[npt.NDArray[np.intp], ...]  # metric and column
    Places = npt.NDArray[np.intp]  # series, counted through [M, S] row by row

MONITORING, PROVISIONAL = (list(Phase).index(phase) for phase in (Phase.MONITORING, Phase.PROVISIONAL))
CHARTS = tuple(ChartKind)
KIND = {(False, True): "open", (True, True): "update", (True, False): "resolve"}  # was it open, and is it
SPOKEN = [tuple(chart.value for bit, chart in enumerate(CHARTS) if broken >> bit & 1) for broken in range(1 << len(CHARTS))]


class State(NamedTuple):
    """One episode a series, the open one or the last. Arrays [M, S]."""

    open: Bools
    opened: Ints  # start of the window that opened it, NEVER before the first
    onset: Ints  # start of the window in which the shift is taken to have begun
    windows: Codes  # windows that signalled
    quiet: Codes  # points since the last signal
    enough: Codes  # so many of them end it
    rested: Codes  # points since it closed, -1 before the first
    side: npt.NDArray[np.int8]  # of the last signal
    muted: Bools
    rejecting: Codes  # windows that were to be rejected, in a row on one side; below 0 on the lower one


class Episodes:
    """The episodes of all series of a stream in one chart partition, in the columns of the bank: sorted by segment."""

    __slots__ = ("metrics", "segments", "state")
    metrics: int
    segments: list[str]
    state: State

    @classmethod
    def empty(cls, spec: StreamSpec) -> Episodes:
        """No segments."""
        return cls.load(spec, ())

    @classmethod
    def load(cls, spec: StreamSpec, parts: Sequence[Part]) -> Episodes:
        """What `save` took apart, however it was split. Raises ValueError where a segment comes twice."""
        episodes = cls()
        episodes.metrics = len(spec.series)
        episodes._set(parts)
        return episodes

    def save(self, columns: Sequence[int]) -> Lanes:
        """Copies of the state of these segments (indices into `segments`), for `load` with their names in the same order."""
        return dict(zip(State._fields, take(self.state, np.asarray(columns, np.int64)), strict=True))

    def end(self, series: Bools) -> Series:
        """End the open episodes of these series [M, S], which get another baseline: where there was one."""
        ended = np.nonzero(series & self.state.open)
        self.state.open[ended] = False
        self.state.rested[series] = -1  # what comes next has nothing to do with what was before
        return ended

    def grow(self, names: Sequence[str]) -> None:
        """Add segments, as the bank does."""
        new = sorted(set(names).difference(self.segments))
        self._set([(self.segments, self.state._asdict()), (new, self._fresh(len(new)))])

    def _fresh(self, segments: int) -> Lanes:
        shape = self.metrics, segments
        return State(
            open=np.zeros(shape, bool),
            opened=np.full(shape, NEVER, np.int64),
            onset=np.full(shape, NEVER, np.int64),
            windows=np.zeros(shape, np.int32),
            quiet=np.zeros(shape, np.int32),
            enough=np.zeros(shape, np.int32),
            rested=np.full(shape, -1, np.int32),
            side=np.zeros(shape, np.int8),
            muted=np.zeros(shape, bool),
            rejecting=np.zeros(shape, np.int32),
        )._asdict()

    def _set(self, parts: Sequence[Part]) -> None:
        self.segments, state = join([((), self._fresh(0)), *parts])
        self.state = State(*(state[field] for field in State._fields))


def advance(spec: StreamSpec, episodes: Episodes, points: Points, history: History) -> list[Signal]:
    """Take one window's points; its signals, by metric and segment. `history` has the window already.

    `episodes` has the columns of the points, and is changed in place. Which
    signals reject is not known here: see `verdict.decide`.
    """
    was = episodes.state.open.copy()
    events = _turn(spec, episodes.state, points, history)
    if not len(events):
        return []
    now = zip(was.take(events).tolist(), episodes.state.open.take(events).tolist(), strict=True)
    kinds: list[Any] = [KIND[change] for change in now]
    series = list(zip(*(part.tolist() for part in np.divmod(events, was.shape[1])), strict=True))
    columns = _of_points(points, events, series) | _of_episodes(episodes.state, events, history)
    window: dict[str, Any] = {
        "stream": points.stream,
        "config": points.config,
        "start": points.start,
        "end": points.end,
        "sources": spans(points.sources),
    }
    return [
        Signal(
            kind=kind,
            episode=identity(points.stream, points.metrics[metric], points.segments[segment], opened),
            metric=points.metrics[metric],
            segment=points.segments[segment],
            **dict(zip(columns, row, strict=True)),
            **window,
        )
        for kind, (metric, segment), opened, row in zip(kinds, series, columns["opened"], zip(*columns.values(), strict=True), strict=True)
    ]


def identity(stream: str, metric: str, segment: str, opened: int) -> str:
    """Sixteen hex digits that name an episode for ever."""
    return hashlib.blake2b(f"{stream}\0{metric}\0{segment}\0{opened}".encode(), digest_size=8).hexdigest()


def _turn(spec: StreamSpec, state: State, points: Points, history: History) -> Places:
    """Move on by a window; the series that open, update or resolve an episode.

    What happens to few series is done at their places; the rest are additions, for masks over all series take ten times as long.
    """
    there = charted(points.phase)
    speaks = there & (points.broken != 0)
    waits = there & state.open & ~speaks
    np.add(state.quiet, waits, out=state.quiet)
    resolves = waits & (state.quiet >= state.enough)
    np.add(state.rested, there & ~state.open & (state.rested >= 0), out=state.rested)
    signals, opening = np.flatnonzero(speaks), np.flatnonzero(speaks & ~state.open)
    _open(spec, state, points, opening)
    lags = points.onset_lag.take(signals)
    np.put(state.quiet, signals, 0)
    np.put(state.enough, signals, np.maximum(state.enough.take(signals), np.minimum(2 * lags, WINDOWS)))
    np.put(state.windows, signals, state.windows.take(signals) + 1)
    np.put(state.side, signals, points.side.take(signals))
    # The onset is what the charts say as the episode opens: later they have restarted and see only a part of it.
    np.put(state.onset, opening, history.before(points.onset_lag.take(opening).tolist()))
    resolving = np.flatnonzero(resolves)
    np.put(state.open, resolving, v=False)
    np.put(state.rested, resolving, 0)
    return np.flatnonzero(speaks | resolves)


def _open(spec: StreamSpec, state: State, points: Points, series: Places) -> None:
    """Begin an episode of each of these series."""
    rested = state.rested.take(series)
    np.put(state.muted, series, (rested >= 0) & (rested <= spec.episodes.refractory))
    np.put(state.opened, series, points.start)
    np.put(state.enough, series, spec.episodes.quiet)
    np.put(state.windows, series, 0)
    np.put(state.rejecting, series, 0)
    np.put(state.open, series, v=True)


def _of_points(points: Points, events: Places, series: Sequence[tuple[int, int]]) -> dict[str, list[Any]]:
    """What signals say of their points, a list a field."""
    names = ("value", "centre", "sigma", "lcl", "ucl", "z", "shewhart_limit", "cusum_limit", "ewma_width")
    said: dict[str, list[Any]] = {name: _numbers(getattr(points, name).take(events)) for name in names}
    said["charts"] = [SPOKEN[broken] for broken in points.broken.take(events).tolist()]
    said["rules"] = [()] * len(events) if points.rules is None else [rule_names(bits) for bits in points.rules.take(events).tolist()]
    said["contributions"] = [()] * len(events) if points.contributions is None else [contributions(points, *one) for one in series]
    said["n"] = points.n.take(events).tolist()
    said["provisional"] = (points.phase.take(events) == PROVISIONAL).tolist()
    said["baseline_version"] = points.version.take(events).tolist()
    return said


def _of_episodes(state: State, events: Places, history: History) -> dict[str, list[Any]]:
    """What signals say of their episodes, a list a field."""
    said: dict[str, list[Any]] = {name: getattr(state, name).take(events).tolist() for name in ("opened", "onset", "windows", "muted")}
    said["side"] = ["up" if side > 0 else "down" for side in state.side.take(events).tolist()]
    where = {start: history.spans(start) for start in set(said["onset"])}
    said["onset_sources"] = [where[start] for start in said["onset"]]
    return said


def contributions(points: Points, metric: int, segment: int) -> tuple[Contribution, ...]:
    """The metrics of a chart of several that signals at this point, the one that adds most first; shares add up to 1."""
    if points.contributions is None:
        return ()
    rows = [row for row, (chart, _) in enumerate(points.contributors) if chart == points.metrics[metric]]
    alone = points.contributions[rows, segment]
    if not rows or np.isnan(alone).any():
        return ()
    shares = (alone / alone.sum()).tolist()
    told = [Contribution(points.contributors[row][1], share) for row, share in zip(rows, shares, strict=True)]
    return tuple(sorted(told, key=lambda one: -one.share))


@cache
def rule_names(bits: int) -> tuple[str, ...]:
    """Names of the rules of these bits."""
    return tuple(rule.value for bit, rule in enumerate(Rule) if bits >> bit & 1)


def _numbers(array: Floats) -> list[float | None]:
    """Each number, None where there is none."""
    return array.tolist() if np.isfinite(array).all() else [number(x) for x in array.tolist()]


def number(x: float) -> float | None:
    """The number, None where there is none."""
    return x if math.isfinite(x) else None
