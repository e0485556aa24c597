"""More time scales: CUSUMs of other k and EWMAs of other lambda beside the first one of each.

A CUSUM finds the shift 2 k soonest and an EWMA those that 1 / lambda windows show; several of them find shifts of many sizes nearly
as soon as the best chart for each. They are the charts of `cusum` and `ewma`, row by row: X rows of CUSUMs and Y of EWMAs, each of one
metric. They speak under the name of their chart, and begin again with the others. Their limits are those of the whole set (`limits`).

Prefer few: each more scale widens the limits of all. Their statistics are not published, their signals are.

Source: Sparks (2000), CUSUM charts for signalling varying location shifts, Journal of Quality Technology 32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streamspc.chart import cusum, ewma
from streamspc.chart.crossing import Crossing, Spoken, least
from streamspc.chart.cusum import Cusum
from streamspc.chart.ewma import Ewma
from streamspc.chart.places import places
from streamspc.model import ChartKind

if TYPE_CHECKING:
    from streamspc.chart.plan import Plan
    from streamspc.model import Bools, Floats, Ints

CUSUM, EWMA = (list(ChartKind).index(kind) for kind in (ChartKind.CUSUM, ChartKind.EWMA))


class Rows(NamedTuple):
    """The metrics of X more CUSUMs and Y more EWMAs, and their parameters [X, 1] and [Y, 1]."""

    cusum: Ints
    k: Floats
    ewma: Ints
    weight: Floats

    def any(self) -> bool:
        """Is there one?"""
        return len(self.cusum) + len(self.ewma) > 0


class More(NamedTuple):
    """The further charts of all series, [2, X, S] and [Y, S]."""

    cusum: Cusum
    ewma: Ewma


def step(rows: Rows, more: More, z: Floats, there: Bools) -> More:
    """The charts after one window; z and whether there is a point are [M, S]."""
    missing, older = places(~there[rows.cusum]), places(~there[rows.ewma])
    return More(more.cusum.step(z[rows.cusum], missing, rows.k), more.ewma.step(z[rows.ewma], older, rows.weight))


def tell(plan: Plan, more: More, limits: tuple[Floats, Floats], spoken: Spoken, numbers: tuple[Bools, Floats, Floats]) -> None:
    """Add what the charts say to what is spoken, in place. `limits` are h [X, S] and L [Y, S]; `numbers` there, centre and sigma [M, S]."""
    rows = plan.more
    there, centre, sigma = numbers
    h, width = limits
    if len(crossed := places(more.cusum.beyond(h) & there[rows.cusum])):
        row, column = np.divmod(crossed, there.shape[1])
        series = rows.cusum[row], column
        found = cusum.crossing(more.cusum, crossed, rows.k[row, 0], h.take(crossed), sigma[series])
        _add(plan, CUSUM, series, found, spoken, centre, sigma)
    limit = more.ewma.limit(rows.weight, width)
    if len(crossed := places(more.ewma.beyond(limit) & there[rows.ewma])):
        row, column = np.divmod(crossed, there.shape[1])
        series = rows.ewma[row], column
        found = ewma.crossing(more.ewma, crossed, limit.take(crossed), sigma[series])
        _add(plan, EWMA, series, found, spoken, centre, sigma)


def restarted(plan: Plan, more: More, h: Floats | None, series: Bools) -> More:
    """The charts from the start at these series [M, S]; with `h`, CUSUMs also where they have crossed it, like the first ones."""
    rows = plan.more
    over = series[rows.cusum] if h is None else series[rows.cusum] | more.cusum.beyond(h)
    return More(more.cusum.restarted(places(over), plan.cusum_headstart[rows.cusum]), more.ewma.restarted(places(series[rows.ewma])))


def _add(plan: Plan, bit: int, series: tuple[Ints, Ints], found: Crossing, spoken: Spoken, centre: Floats, sigma: Floats) -> None:  # noqa: PLR0913, PLR0917 - both are needed for the least shift
    """Apply signal_by, direction and min_effect, as `crossing.speak` does."""
    metric = series[0]
    may = plan.may[bit][metric, found.side] & (found.shift >= least(plan, metric, centre[series], sigma[series]))
    where = metric[may], series[1][may]
    first = spoken.broken[where] == 0
    spoken.side[where[0][first], where[1][first]] = found.side[may][first]
    np.bitwise_or.at(spoken.broken, where, np.uint8(1 << bit))
    np.maximum.at(spoken.lag, where, found.lag[may])
