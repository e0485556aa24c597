"""Shewhart chart of individual window statistics.

Definition: out of control when |z| > L, strictly; in the metric's unit the limits are centre -/+ L sigma_t, clipped to the values the
metric can take (0 and 1 for rates, 0 for counts and standard deviations). A clipped limit cannot be crossed. With `confirm: 2` a
signal takes two points in a row outside on one side: L is smaller then, and less is asked of tails that nobody knows.

Prefer it for large shifts (three sigma and more), which it tells at once, and as the chart that rejects windows: it has no memory, so its
verdict is about this window alone. Shifts of one sigma take 44 points on average; leave them to the CUSUM or the EWMA.
ARL0 with known parameters: 370.4 at L = 3; L follows from the false alarms that are allowed (`limits`).

Source: Shewhart, W. A. (1931), Economic control of quality of manufactured product; Nelson (1989) for unequal n.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streamspc.chart.crossing import Crossing, sides

if TYPE_CHECKING:
    from streamspc.chart.crossing import Sides
    from streamspc.chart.plan import Plan
    from streamspc.model import Bools, Floats


ALONE = np.int8(2)  # no side: the chart takes one point's word


class Unconfirmed(NamedTuple):
    """What the C metrics that want a second point to confirm the first remember."""

    side: Sides  # [C, S] on which the last point was beyond the limit; 0 within it, and where there was no point

    @classmethod
    def fresh(cls, metrics: int, segments: int) -> Unconfirmed:
        """No memory."""
        return cls(np.zeros((metrics, segments), np.int8))

    def restarted(self, where: Bools) -> Unconfirmed:
        """Without memory at these series [C, S]."""
        return Unconfirmed(self.side * ~where)


def limits(plan: Plan, limit: Floats, centre: Floats, sigma: Floats) -> tuple[Floats, Floats]:
    """LCL and UCL, [M, S] each, nan where there is no sigma."""
    width = limit * sigma
    lower, upper = centre - width, centre + width
    if plan.bounded:
        clip(plan, lower, upper)
    return lower, upper


def clip(plan: Plan, lower: Floats, upper: Floats) -> None:
    """Keep limits within the values that the metric can take, in place."""
    np.clip(lower, plan.least, np.inf, out=lower)  # with a bound for each metric a third of the time of `np.maximum`
    np.clip(upper, -np.inf, plan.most, out=upper)


def beyond(z: Floats, limit: Floats) -> Bools:
    """Is the point strictly outside?"""
    outside: Bools = np.abs(z) > limit
    return outside


def crossing(z: Floats, distance: Floats, limit: Floats, first: Sides | None = None) -> Crossing:
    """The crossing at q series; `distance` is value - centre, which is the shift this chart sees.

    Where `first` is not 2, a crossing counts only if it is the side of the point before.
    """
    side = sides(z, limit)
    if first is None:
        return Crossing(side, np.abs(distance), np.zeros(len(z), np.int32))
    alone = first == ALONE
    return Crossing(np.where(alone | (first == side), side, 0).astype(np.int8), np.abs(distance), (~alone).astype(np.int32))
