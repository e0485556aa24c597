"""Limits of a chart, and what is outside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

if TYPE_CHECKING:
    from streamspc.model import Floats

Numbers = npt.NDArray[np.float64] | float
Counts = npt.NDArray[np.int64] | int


class Limits(NamedTuple):
    """Centre line and control limits, each of the shape that the chart's arguments broadcast to."""

    centre: Floats
    lower: Floats
    upper: Floats

    def outside(self, points: Floats) -> npt.NDArray[np.int8]:
        """+1 above, -1 below, 0 for points within or on a limit, or missing.

        >>> around(0.0, 1.0, 3.0).outside(np.array([3.0, 3.1, -4.0, np.nan])).tolist()
        [0, 1, -1, 0]
        """
        side: npt.NDArray[np.int8] = (points > self.upper).astype(np.int8) - (points < self.lower)
        return side


def around(centre: Numbers, spread: Numbers, width: float, least: float = -np.inf, most: float = np.inf) -> Limits:
    """Centre -/+ width spread, clipped to the values that are possible."""
    middle, half = np.broadcast_arrays(np.asarray(centre, np.float64), width * np.asarray(spread, np.float64))
    return Limits(middle, np.maximum(middle - half, least), np.minimum(middle + half, most))


def normal_width(confidence: float) -> float:
    """The width in sigma that a normal value keeps within with this probability.

    >>> round(normal_width(0.9973), 6)
    2.999977
    """
    return float(-ndtri(tail(confidence)))


def tail(confidence: float) -> float:
    """Probability beyond each of two limits. Raises ValueError where `confidence` is no probability between 0 and 1."""
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence is {confidence}: it must lie between 0 and 1")
    return (1.0 - confidence) / 2.0
