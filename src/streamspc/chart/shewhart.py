"""Shewhart chart of individual window statistics.

Definition: out of control when |z| > L, strictly; in the metric's unit the limits are centre -/+ L sigma_t, clipped to the values the
metric can take (0 and 1 for rates, 0 for counts and standard deviations). A clipped limit cannot be crossed.

Prefer it for large shifts (three sigma and more), which it tells at once, and as the chart that rejects windows: it has no memory, so its
verdict is about this window alone. Shifts of one sigma take 44 points on average; leave them to the CUSUM or the EWMA.
ARL0 with known parameters: 370.4 at L = 3.

Source: Shewhart, W. A. (1931), Economic control of quality of manufactured product; Nelson (1989) for unequal n.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamspc.chart.crossing import Crossing

if TYPE_CHECKING:
    from streamspc.chart.plan import Plan
    from streamspc.model import Bools, Floats


def limits(plan: Plan, centre: Floats, sigma: Floats) -> tuple[Floats, Floats]:
    """LCL and UCL, [M, S] each, nan where there is no sigma."""
    width = plan.shewhart_limit * sigma
    lower, upper = centre - width, centre + width
    return np.maximum(lower, plan.least, out=lower), np.minimum(upper, plan.most, out=upper)


def beyond(z: Floats, limit: Floats) -> Bools:
    """Is the point strictly outside?"""
    outside: Bools = np.abs(z) > limit
    return outside


def crossing(z: Floats, distance: Floats, limit: Floats) -> Crossing:
    """The crossing at q series; `distance` is value - centre, which is the shift this chart sees."""
    side = np.sign(z).astype(np.int8) * beyond(z, limit)
    return Crossing(side.astype(np.int8), np.abs(distance), np.zeros(len(z), np.int32))
