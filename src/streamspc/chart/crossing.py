"""Charts beyond their limits, and which of them may speak.

Each chart reports its crossing at q series where any chart crossed; most windows have none, so this is off the hot path. A crossing
is a signal when the metric's `signal_by` names the chart, its side is one that `direction` asks for, and its estimate of the shift
reaches `min_effect`, so that with very many records a shift too small to matter does not signal (Woodall & Faltin 2019).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from streamspc.chart.plan import Plan
    from streamspc.model import Bools, Codes, Floats

Sides = npt.NDArray[np.int8]


def at(arrays: Iterable[npt.NDArray[Any]], series: Sequence[npt.NDArray[np.intp]]) -> list[npt.NDArray[Any]]:
    """Arrays [..., M, S] at q series, given as metric and column: [..., q]. One flat index is taken in a third of the time of a pair."""
    arrays = tuple(arrays)
    flat = series[0] * arrays[0].shape[-1] + series[1]
    return [array.reshape(*array.shape[:-2], -1).take(flat, axis=-1) for array in arrays]


class Crossing(NamedTuple):
    """One chart at q series: on which side it is beyond its limit, how large it takes the shift to be, when that began."""

    side: Sides  # +1 above, -1 below, 0 within
    shift: Floats  # >= 0, in the metric's unit
    lag: Codes  # windows before this one


class Spoken(NamedTuple):
    """What the charts together say at q series."""

    broken: npt.NDArray[np.uint8]  # bit i: ChartKind i signals
    side: Sides  # of the first chart that signals
    lag: Codes  # the largest of the charts that signal


def speak(plan: Plan, metric: npt.NDArray[np.intp], crossings: Sequence[Crossing], centre: Floats, sigma: Floats) -> Spoken:
    """Apply signal_by, direction and min_effect. `crossings` in the order of ChartKind, `metric` the index of each series' metric."""
    enough = least(plan, metric, centre, sigma)
    broken, side, lag = np.zeros(len(metric), np.uint8), np.zeros(len(metric), np.int8), np.zeros(len(metric), np.int32)
    for bit, crossing in enumerate(crossings):
        may = asked(plan, metric, crossing.side) & plan.by[bit][metric]
        signals = may & (crossing.shift >= enough)
        broken |= (signals << bit).astype(np.uint8)
        side = np.where((side == 0) & signals, crossing.side, side)
        lag = np.where(signals, np.maximum(lag, crossing.lag), lag)
    return Spoken(broken, side, lag)


def least(plan: Plan, metric: npt.NDArray[np.integer], centre: Floats, sigma: Floats) -> Floats:
    """The smallest shift that matters at q series, in the metric's unit."""
    shift: Floats = plan.absolute[metric] + plan.relative[metric] * np.abs(centre) + plan.sigmas[metric] * sigma
    return shift


def asked(plan: Plan, metric: npt.NDArray[np.integer], side: Sides) -> Bools:
    """Does `direction` ask for this side? A series on no side is not asked for."""
    wanted: Bools = ((side > 0) & plan.up[metric]) | ((side < 0) & plan.down[metric])
    return wanted
