"""Operators' commands in the fold: what they do to the charts and episodes of a stream, and what is said of it.

A command is a record of the tallies log, in each of its partitions. It holds from the first window on that starts at or after its `since`
and closes behind it in the log. Where `since` lies beyond the frontier as it was written, that is the window at `since` however the source
was read and cut into blocks; where it does not, the next window to close, which the log alone decides: a replay finds the same one.

Nothing is silent: each command makes a `command` signal in each chart partition, which says how many series it changed there, be it
none; episodes that it ends are resolved by a signal that names it; each baseline that holds at once is a `baseline` signal. Those that are
learnt from the windows to come are in the points, as the first ones.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from msgspec.structs import replace

from streamspc.chart import relearn, teach
from streamspc.decide import shift
from streamspc.decide.episodes import identity, number
from streamspc.model import WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streamspc.chart import Bank
    from streamspc.decide import Episodes, History
    from streamspc.model import Bools, Command, Signal, Statistics, StreamSpec

    Lesson = Iterable[tuple[int, Statistics]]

ALLOWED = {
    "never": frozenset[str](),
    "on_demand": frozenset({"reset", "learn"}),
    "accepted_shifts": frozenset({"reset", "learn", "accept"}),
}


def due(waiting: list[Command], start: int) -> list[Command]:
    """Take those commands out that hold for a window which starts there."""
    found = [command for command in waiting if command.since <= start]
    if found:
        waiting[:] = [command for command in waiting if command.since > start]
    return found


def obey(
    command: Command, form: Signal, spec: StreamSpec, charted: tuple[Bank, Episodes, History], lesson: Lesson = ()
) -> Iterator[Signal]:
    """Carry a command out before the window that `form` names. What is said of it: signals that are like `form` but for what they say.

    `lesson` are the windows that `learn` learns from: their starts and statistics, in the order of time.
    """
    bank, episodes, _ = charted
    series = meant(command, spec, bank)
    if series.any():
        series = relearn.accept(bank, series) if command.kind == "accept" else relearn.reset(bank, series)
        for start, statistics in lesson:
            taught = np.where(series[: len(spec.metrics)], statistics.value, np.nan)
            teach(bank, dataclasses.replace(statistics, value=taught), start)
    form = replace(form, answer=command.kind, command=command.id, by=command.by, why=command.why)
    where = {"metric": command.metric or "", "segment": WHOLE if command.segment is None else command.segment}
    yield replace(form, kind="command", n=int(series.sum()), **where)
    for row, column in zip(*(at.tolist() for at in episodes.end(series)), strict=True):
        yield _resolved(form, spec, charted, (row, column))
    yield from _learnt(form, spec, bank, series)


def meant(command: Command, spec: StreamSpec, bank: Bank) -> Bools:
    """The series [M + V, S] that a command would change now: those that it names, none where the policy forbids it."""
    allowed = command.kind in ALLOWED[spec.baseline.relearn]
    rows = [command.metric in {None, name} for name in spec.series]
    columns = [allowed and command.segment in {None, name} for name in bank.segments]
    series: Bools = np.logical_and.outer(np.array(rows, bool), np.array(columns, bool))
    if command.kind == "accept":
        series[len(spec.metrics) :] = False
        series[: len(spec.metrics)] &= relearn.acceptable(bank)
    return series


def _resolved(form: Signal, spec: StreamSpec, charted: tuple[Bank, Episodes, History], series: tuple[int, int]) -> Signal:
    """The end of an episode whose series has another baseline, or none for now."""
    bank, episodes, history = charted
    state, (row, column), baseline = episodes.state, series, bank.baseline
    metric, segment, opened, onset = spec.series[row], bank.segments[column], int(state.opened[series]), int(state.onset[series])
    alone = row < len(spec.metrics)
    return replace(
        form,
        kind="resolve",
        episode=identity(spec.name, metric, segment, opened),
        metric=metric,
        segment=segment,
        side="up" if state.side[series] > 0 else "down",
        centre=number(float(bank.fit.centre[series])) if alone else None,
        opened=opened,
        windows=int(state.windows[series]),
        awaiting=bool(shift.shifted(spec.episodes.max_reject, state)[series]),
        onset=onset,
        onset_sources=history.spans(onset),
        baseline_version=int(baseline.version[series]) if alone else 0,
    )


def _learnt(form: Signal, spec: StreamSpec, bank: Bank, series: Bools) -> Iterator[Signal]:
    """The new baselines of the metrics among these series [M + V, S], which have one."""
    now = bank.baseline
    for row, column in zip(*(at.tolist() for at in np.nonzero(series[: len(spec.metrics)] & (now.version > 0))), strict=True):
        yield replace(
            form,
            kind="baseline",
            metric=spec.metrics[row].name,
            segment=bank.segments[column],
            n=int(now.kept[row, column]),
            centre=number(float(bank.fit.centre[row, column])),
            baseline_version=int(now.version[row, column]),
            provisional=bool(now.doubt[row, column]),
        )
