"""A small picture in text: where the value lies against its limits, and the course of the episode."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamspc.model import Signal, Told

CELLS = 4  # between the centre and a limit
REACH = 3  # limits that are shown on either side
BARS = "▁▂▃▄▅▆▇█"
WINDOWS = 24  # the newest of the course


def picture(told: Told) -> str:
    """One or two lines for a fixed-width font, "" where there is nothing to see."""
    lines = [gauge(told.signal), sparkline(told.course)]
    return "\n".join(line for line in lines if line)


def gauge(signal: Signal) -> str:
    """The value on a scale whose brackets are the limits: `········├───┼───┤·······●`; an arrow where it lies beyond the scale."""
    value, centre = signal.value, signal.centre
    if value is None or centre is None or not (math.isfinite(value) and math.isfinite(centre)):
        return ""
    above = _positive(signal.ucl, centre)
    below = _positive(signal.lcl, centre)
    unit = (above if value >= centre else below) or above or below
    if unit is None:
        return ""
    middle = CELLS * REACH
    cells = ["·"] * (2 * middle + 1)
    cells[middle] = "┼"
    for known, step, bracket in ((below, -1, "├"), (above, 1, "┤")):
        if known is not None:
            for cell in range(1, CELLS):
                cells[middle + step * cell] = "─"
            cells[middle + step * CELLS] = bracket
    away = (value - centre) / unit * CELLS
    at = middle + round(max(-middle - 1.0, min(middle + 1.0, away)))
    cells[max(0, min(2 * middle, at))] = "◀" if at < 0 else "▶" if at > 2 * middle else "●"
    return "".join(cells)


def _positive(limit: float | None, centre: float) -> float | None:
    """The distance of a limit, None where there is none."""
    distance = abs(limit - centre) if limit is not None else 0.0
    return distance if 0.0 < distance < math.inf else None


def sparkline(course: Sequence[float]) -> str:
    """Bars for the z of the newest windows of an episode, from -3 or the lowest to 3 or the highest; "" for fewer than two."""
    shown = [z for z in course if math.isfinite(z)][-WINDOWS:]
    if len(shown) < 2:
        return ""
    low, high = min(-3.0, *shown), max(3.0, *shown)
    steps = (min(len(BARS) - 1, int((z / (high - low) - low / (high - low)) * len(BARS))) for z in shown)
    return "".join(BARS[max(0, step)] for step in steps)
