"""Charts beyond their limits, and which of them may speak.

Each chart reports its crossing at q series where any chart crossed; most windows have none, so this is off the hot path. A crossing
is a signal when the metric's `signal_by` names the chart, its side is one that `direction` asks for, and its estimate of the shift
reaches `min_effect`, so that with very many records a shift too small to matter does not signal (Woodall & Faltin 2019).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from streamspc.chart.places import put

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamspc.chart.places import Places
    from streamspc.chart.plan import Plan
    from streamspc.model import Codes, Floats

Sides = npt.NDArray[np.int8]


class Crossing(NamedTuple):
    """One chart at q series: on which side it is beyond its limit, how large it takes the shift to be, when that began."""

    side: Sides  # +1 above, -1 below, 0 within
    shift: Floats  # >= 0, in the metric's unit
    lag: Codes  # windows before this one


class Spoken(NamedTuple):
    """What the charts together say at q series, or at all [M, S]."""

    broken: npt.NDArray[np.uint8]  # bit i: ChartKind i signals
    side: Sides  # of the first chart that signals
    lag: Codes  # the largest of the charts that signal


def sides(statistic: Floats, limit: Floats) -> Sides:
    """+1 above the limit, -1 below, 0 within it or without a point."""
    return np.asarray((statistic > limit).view(np.int8) - (statistic < -limit).view(np.int8))


def write(spoken: Spoken, series: Places, told: Spoken) -> None:
    """Put what is said of q series in its places [M, S]."""
    put(spoken.broken, series, told.broken)
    put(spoken.side, series, told.side)
    put(spoken.lag, series, told.lag)


def speak(plan: Plan, metric: npt.NDArray[np.intp], crossings: Sequence[Crossing], centre: Floats, sigma: Floats) -> Spoken:
    """Apply signal_by, direction and min_effect. `crossings` in the order of ChartKind, `metric` the index of each series' metric."""
    enough = least(plan, metric, centre, sigma)
    broken, side, lag = np.zeros(len(metric), np.uint8), np.zeros(len(metric), np.int8), np.zeros(len(metric), np.int32)
    for bit, crossing in enumerate(crossings):
        signals = plan.may[bit][metric, crossing.side] & (crossing.shift >= enough)
        broken |= signals.view(np.uint8) << np.uint8(bit)
        side += crossing.side * (signals & (side == 0))
        np.maximum(lag, crossing.lag * signals, out=lag)
    return Spoken(broken, side, lag)


def least(plan: Plan, metric: npt.NDArray[np.integer], centre: Floats, sigma: Floats) -> Floats:
    """The smallest shift that matters at q series, in the metric's unit."""
    if not plan.exacting:
        return np.zeros(len(metric))
    absolute, relative, sigmas = plan.effects[:, metric]
    shift: Floats = absolute + relative * np.abs(centre) + sigmas * sigma
    return shift
