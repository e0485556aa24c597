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
    from streamspc.model import Bools, Codes, Ints, Points, StreamSpec

    Part = tuple[Sequence[str], Lanes]
    Series = tuple[npt.NDArray[np.intp], ...]  # metric and column

MONITORING, PROVISIONAL = (list(Phase).index(phase) for phase in (Phase.MONITORING, Phase.PROVISIONAL))
CHARTS = tuple(ChartKind)
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
    opening, updating, resolving = _turn(spec, episodes.state, points)
    _mark_onsets(episodes.state, opening, points, history)
    events = np.nonzero(opening | updating | resolving)
    if not len(events[0]):
        return []
    kinds = np.where(opening[events], "open", np.where(updating[events], "update", "resolve")).tolist()
    series = list(zip(*(part.tolist() for part in events), strict=True))
    columns = _of_points(points, events) | _of_episodes(episodes.state, events, history)
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
            episode=identity(points.stream, points.metrics[which[0]], points.segments[which[1]], int(episodes.state.opened[which])),
            metric=points.metrics[which[0]],
            segment=points.segments[which[1]],
            **dict(zip(columns, row, strict=True)),
            **window,
        )
        for kind, which, row in zip(kinds, series, zip(*columns.values(), strict=True), strict=True)
    ]


def identity(stream: str, metric: str, segment: str, opened: int) -> str:
    """Sixteen hex digits that name an episode for ever."""
    return hashlib.blake2b(f"{stream}\0{metric}\0{segment}\0{opened}".encode(), digest_size=8).hexdigest()


def _turn(spec: StreamSpec, state: State, points: Points) -> tuple[Bools, Bools, Bools]:
    """The state after the points; which series open, update and resolve an episode."""
    there = charted(points.phase)
    signals = there & (points.broken != 0)
    quiet = there & ~signals
    opening, updating = signals & ~state.open, signals & state.open
    state.quiet[signals] = 0
    state.enough[opening] = spec.episodes.quiet
    gathered = np.minimum(2 * points.onset_lag[signals], WINDOWS)
    state.enough[signals] = np.maximum(state.enough[signals], gathered)
    state.quiet[quiet & state.open] += 1
    resolving = quiet & state.open & (state.quiet >= state.enough)
    state.rested[there & ~state.open & (state.rested >= 0)] += 1
    state.muted[opening] = ((state.rested >= 0) & (state.rested <= spec.episodes.refractory))[opening]
    state.opened[opening] = points.start
    state.windows[opening] = state.rejecting[opening] = 0
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


def _of_points(points: Points, events: Series) -> dict[str, list[Any]]:
    """What signals say of their points, a list a field."""
    names = ("value", "centre", "sigma", "lcl", "ucl", "z", "shewhart_limit", "cusum_limit", "ewma_width")
    said: dict[str, list[Any]] = {name: [number(x) for x in getattr(points, name)[events].tolist()] for name in names}
    said["charts"] = [SPOKEN[broken] for broken in points.broken[events].tolist()]
    said["rules"] = [()] * len(events[0]) if points.rules is None else [rule_names(bits) for bits in points.rules[events].tolist()]
    said["contributions"] = [contributions(points, *series) for series in zip(*(part.tolist() for part in events), strict=True)]
    said["n"] = points.n[events].tolist()
    said["provisional"] = (points.phase[events] == PROVISIONAL).tolist()
    said["baseline_version"] = points.version[events].tolist()
    return said


def _of_episodes(state: State, events: Series, history: History) -> dict[str, list[Any]]:
    """What signals say of their episodes, a list a field."""
    said: dict[str, list[Any]] = {name: getattr(state, name)[events].tolist() for name in ("opened", "onset", "windows", "muted")}
    said["side"] = ["up" if side > 0 else "down" for side in state.side[events].tolist()]
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


def number(x: float) -> float | None:
    """The number, None where there is none."""
    return x if math.isfinite(x) else None
