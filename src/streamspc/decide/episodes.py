"""Episodes: signals of one series that belong together.

    closed ── signal ──▶ open, `open`          muted when the last one ended at most `refractory` points ago
    open ──── signal ──▶ open, `update`
    open ──── `quiet` points in a row without a signal ──▶ closed, `resolve`

Only points of Phase II count. A window without a point changes nothing.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from streamspc.decide.history import spans
from streamspc.model import NEVER, ChartKind, Phase, Signal
from streamspc.model.lanes import Lanes, join, take

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streamspc.decide.history import History
    from streamspc.model import Bools, Codes, Floats, Ints, Points, Span, StreamSpec

    Part = tuple[Sequence[str], Lanes]

MONITORING = list(Phase).index(Phase.MONITORING)
CHARTS = tuple(ChartKind)
KINDS: tuple[Literal["open", "update", "resolve"], ...] = ("open", "update", "resolve")


class State(NamedTuple):
    """One episode a series, the open one or the last. Arrays [M, S]."""

    open: Bools
    opened: Ints  # start of the window that opened it, NEVER before the first
    onset: Ints  # start of the window in which the shift is taken to have begun
    windows: Codes  # windows that signalled
    quiet: Codes  # points since the last signal
    rested: Codes  # points since it closed, -1 before the first
    side: npt.NDArray[np.int8]  # of the last signal
    muted: Bools


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
        episodes.metrics = len(spec.metrics)
        episodes._set(parts)
        return episodes

    def save(self, columns: Sequence[int]) -> Lanes:
        """Copies of the state of these segments (indices into `segments`), for `load` with their names in the same order."""
        return dict(zip(State._fields, take(self.state, np.asarray(columns, np.int64)), strict=True))

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
            rested=np.full(shape, -1, np.int32),
            side=np.zeros(shape, np.int8),
            muted=np.zeros(shape, bool),
        )._asdict()

    def _set(self, parts: Sequence[Part]) -> None:
        self.segments, state = join([((), self._fresh(0)), *parts])
        self.state = State(*(state[field] for field in State._fields))


def advance(spec: StreamSpec, episodes: Episodes, points: Points, history: History) -> list[Signal]:
    """Take one window's points; its signals, by metric and segment. `history` has the window already.

    `episodes` has the columns of the points, and is changed in place. An episode resolves after `quiet` points, at least one. Which
    signals reject is not known here: see `verdict.decide`.
    """
    opening, updating, resolving = _turn(spec, episodes.state, points)
    _mark_onsets(episodes.state, opening, points, history)
    events = np.nonzero(opening | updating | resolving)
    kinds = np.where(opening[events], 0, np.where(updating[events], 1, 2))
    sources = spans(points.sources) if len(kinds) else ()
    return [
        _signal(points, episodes.state, (metric, segment), _Told(KINDS[kind], sources, history))
        for metric, segment, kind in zip(*(part.tolist() for part in (*events, kinds)), strict=True)
    ]


def episode_id(points: Points, state: State, series: tuple[int, int]) -> str:
    """Sixteen hex digits that name the open or last episode of a series (metric, segment) for ever."""
    metric, segment = series
    name = f"{points.stream}\0{points.metrics[metric]}\0{points.segments[segment]}\0{state.opened[series]}"
    return hashlib.blake2b(name.encode(), digest_size=8).hexdigest()


def _turn(spec: StreamSpec, state: State, points: Points) -> tuple[Bools, Bools, Bools]:
    """The state after the points; which series open, update and resolve an episode."""
    there = points.phase == MONITORING
    signals = there & (points.broken != 0)
    quiet = there & ~signals
    opening, updating = signals & ~state.open, signals & state.open
    state.quiet[signals] = 0
    state.quiet[quiet & state.open] += 1
    resolving = quiet & state.open & (state.quiet >= spec.episodes.quiet)
    state.rested[there & ~state.open & (state.rested >= 0)] += 1
    state.muted[opening] = ((state.rested >= 0) & (state.rested <= spec.episodes.refractory))[opening]
    state.opened[opening] = points.start
    state.windows[opening] = 0
    state.windows[signals] += 1
    state.side[signals] = points.side[signals]
    state.open[opening] = True
    state.open[resolving] = False
    state.rested[resolving] = 0
    return opening, updating, resolving


def _mark_onsets(state: State, opening: Bools, points: Points, history: History) -> None:
    """The onset of an episode is what the charts say as it opens: later they have restarted and see only a part of it."""
    lags = points.onset_lag[opening].tolist()
    if lags:
        state.onset[opening] = history.before(lags)


class _Told(NamedTuple):
    """What a signal says besides its series' numbers."""

    kind: Literal["open", "update", "resolve"]
    sources: tuple[Span, ...]
    history: History


def _signal(points: Points, state: State, series: tuple[int, int], told: _Told) -> Signal:
    onset = int(state.onset[series])
    return Signal(
        kind=told.kind,
        stream=points.stream,
        config=points.config,
        episode=episode_id(points, state, series),
        metric=points.metrics[series[0]],
        segment=points.segments[series[1]],
        charts=tuple(_charts(int(points.broken[series]))),
        side="up" if state.side[series] > 0 else "down",
        start=points.start,
        end=points.end,
        value=number(points.value, series),
        n=int(points.n[series]),
        centre=number(points.centre, series),
        sigma=number(points.sigma, series),
        lcl=number(points.lcl, series),
        ucl=number(points.ucl, series),
        z=number(points.z, series),
        opened=int(state.opened[series]),
        windows=int(state.windows[series]),
        onset=onset,
        onset_sources=told.history.spans(onset),
        sources=told.sources,
        baseline_version=int(points.version[series]),
        muted=bool(state.muted[series]),
    )


def _charts(broken: int) -> Iterator[str]:
    return (chart.value for bit, chart in enumerate(CHARTS) if broken >> bit & 1)


def number(array: Floats, series: tuple[int, int]) -> float | None:
    """The number of a series, None where there is none."""
    number = float(array[series])
    return number if math.isfinite(number) else None
