"""Where a density is not smooth inside of its support: the peak of a Laplace law, the corner of a triangle, the steps of a histogram.

Second differences over a step s fall like s^2 where a function is smooth, like s at a corner, and not at all at a jump. Where they are
largest, the neighbourhood is magnified again and again: what keeps falling like s or slower is a kink, and known to a share 1e-9 of the
range.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from streamspc.model import Floats

_COARSE, _FINE, _ZOOMS = 1200, 24, 7
_SHARP = 6.0  # times the median second difference of its surroundings, to be looked at
_MOST = 16


def density_kinks(density: Callable[[Floats], Floats], low: float, high: float) -> list[float]:
    """The kinks of a density between two places, at most 16.

    >>> import numpy as np
    >>> [round(x, 6) for x in density_kinks(lambda x: np.exp(-np.abs(x - 0.3)), -4.0, 4.0)]
    [0.3]
    >>> density_kinks(lambda x: np.exp(-0.5 * x * x), -6.0, 6.0)
    []
    """
    x = np.linspace(low, high, _COARSE + 1)
    bend = _bends(density(x))
    size = np.array([np.median(bend[max(0, i - 12) : i + 13]) for i in range(len(bend))])
    peak = np.r_[False, (bend[1:-1] >= bend[:-2]) & (bend[1:-1] >= bend[2:]), False] & (bend > _SHARP * size + 1e-12 * bend.max())
    places = sorted(np.flatnonzero(peak), key=lambda i: -bend[i])[:_MOST]
    found = (_magnified(density, float(x[i]), float(x[i + 2])) for i in places)
    return sorted({round(place, 9): place for place in found if place is not None}.values())


def _bends(values: Floats) -> Floats:
    return np.asarray(np.abs(values[2:] - 2.0 * values[1:-1] + values[:-2]), np.float64)


def _magnified(density: Callable[[Floats], Floats], low: float, high: float) -> float | None:
    """The kink between two places, if it is one."""
    before = None
    for _ in range(_ZOOMS):
        x = np.linspace(low, high, _FINE + 1)
        bend = _bends(density(x))
        i = int(bend.argmax())
        if before is not None and not bend[i] > before * 4.0 / _FINE**1.5:
            return None
        before, low, high = float(bend[i]), float(x[i]), float(x[i + 2])
    return 0.5 * (low + high)
