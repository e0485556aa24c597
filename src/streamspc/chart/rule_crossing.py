"""Run rules that are broken, and which of them may speak.

A rule is part of the Shewhart chart: it speaks where `signal_by` names that chart, on a side that `direction` asks for, and when its
estimate of the shift reaches `min_effect`. The estimate is the mean distance over a run on one side, else the distance of the newest
point; a trend has its own side. Rules about a pattern and not a place (nelson4, nelson7, nelson8) know neither side nor shift: they
speak whatever is asked of those, and are shown with the side of the newest point.

The onset is the first point of the pattern. As gaps end runs, there is no window without a point in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from streamspc.chart.crossing import Sides, least
from streamspc.chart.places import Places, at, places
from streamspc.chart.rules import NUMBER, RUN, Runs, holds, named
from streamspc.model import ChartKind, Rule

if TYPE_CHECKING:
    from streamspc.chart.plan import Plan
    from streamspc.chart.rules import Bits
    from streamspc.model import Codes, Floats

SHEWHART = list(ChartKind).index(ChartKind.SHEWHART)
SIDELESS = frozenset({Rule.NELSON4, Rule.NELSON7, Rule.NELSON8})
LENGTH = {Rule.NELSON3: 6, Rule.NELSON4: 14, Rule.NELSON7: 15, Rule.NELSON8: 8}
OLDEST = np.array([bits.bit_length() for bits in range(32)], np.int32)  # place of the oldest bit that is set
WINDOW = {Rule.WE2: (1, 0b111), Rule.NELSON5: (1, 0b111), Rule.WE3: (0, 0b11111), Rule.NELSON6: (0, 0b11111)}  # line, points


class Rows(NamedTuple):
    """What is known of the series that ask for rules, [R, S]."""

    runs: Runs
    bits: Bits  # rules broken
    z: Floats
    distance: Floats
    sigma: Floats
    centre: Floats
    phi: Floats
    stretch: Floats  # of the zones: z, limit and runs are in so many sigma
    limit: Floats


class Told(NamedTuple):
    """What rules say at q series."""

    series: Places  # counted through all metrics
    rules: Bits
    side: Sides  # of the first rule that speaks
    lag: Codes  # the largest of the rules that speak


def tell(plan: Plan, rows: Rows) -> Told:
    """Apply signal_by, direction and min_effect to the rules that are broken."""
    series = places(rows.bits != 0)
    row, column = np.divmod(series, rows.bits.shape[1])
    metric = plan.ruled[row]
    bits, z, distance, sigma, centre, phi, stretch, limit = at(rows[1:], series)
    runs, enough = Runs(*at(rows.runs, series)), least(plan, metric, centre, sigma)
    lasting = stretch * (sigma / (1.0 - phi))  # what one sigma of a run of z says of the level
    spoken, told_side, told_lag = np.zeros(len(series), np.uint16), np.zeros(len(series), np.int8), np.zeros(len(series), np.int32)
    for rule in named(int(np.bitwise_or.reduce(bits, initial=np.uint16(0)))):
        signals = bits & np.uint16(1 << NUMBER[rule]) != 0
        above, below = holds(rule, runs, z, limit)
        if rule in SIDELESS:
            side = np.where(z < 0.0, np.int8(-1), np.int8(1))
            signals &= plan.by[SHEWHART][metric]
        else:
            side = above.view(np.int8) - below.view(np.int8)
            shift = np.abs(runs.total / np.maximum(np.abs(runs.side), 1)) * lasting if rule in RUN else np.maximum(distance * side, 0.0)
            signals &= plan.may[SHEWHART][metric, side] & (shift >= enough)
        spoken |= signals * np.uint16(1 << NUMBER[rule])
        told_side += side * (signals & (told_side == 0))
        np.maximum(told_lag, _lag(rule, runs, below) * signals, out=told_lag)
    return Told(metric * rows.bits.shape[1] + column, spoken, told_side, told_lag)


def _lag(rule: Rule, runs: Runs, below: npt.NDArray[np.bool_]) -> Codes:
    """How many points before the newest one the pattern began. [q]."""
    if rule in WINDOW:
        line, points = WINDOW[rule]
        length = OLDEST[np.where(below, runs.beyond[line, 1], runs.beyond[line, 0]) & points]
    else:
        length = np.abs(runs.side) if rule in RUN else np.full(len(below), LENGTH.get(rule, 1), np.int32)
    before: Codes = length - np.int32(1)
    return before
