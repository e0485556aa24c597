"""Two-sided tabular CUSUM.

Definition: C+ = max(0, C+ + z - k), C- = max(0, C- - z - k), from 0; out of control when one of them > h, strictly. Then both start
again from 0. The published value is the one before the restart. With a head start both sides begin, and begin again, there and
not at 0 (fast initial response, Lucas & Crosier 1982); only a limit that was designed with it keeps its ARL0.

A crossing restarts the chart whether or not it may speak: the estimate of the shift, k + C / N over the N points since C left 0,
describes one run, and a long run of a shift too small to matter would hide a large one that follows.
The shift is taken to have begun at the first point of the run (Page's estimate of the change point).

Prefer it for sustained shifts of half a sigma to two sigma; k is half the shift that matters. Over a window without a value
it holds. ARL0 with known parameters: 465.4 at k = 0.5, h = 5 (167.7 at h = 4); a shift of one sigma takes 10.4 points.

Sources: Page, E. S. (1954), Continuous inspection schemes, Biometrika 41; Lucas & Crosier (1982), Fast initial response for CUSUM
quality-control schemes, Technometrics 24(3); Hawkins & Olwell (1998), Cumulative sum charts and charting
for quality improvement (estimate of the shift).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streamspc.chart.crossing import Crossing
from streamspc.chart.places import put

if TYPE_CHECKING:
    from streamspc.chart.places import Places
    from streamspc.model import Bools, Codes, Floats


class Cusum(NamedTuple):
    """Statistics of all series, [2, M, S]: upper side, then lower side."""

    value: Floats  # in sigma, nan while learning
    run: Codes  # points since it left 0
    age: Codes  # windows since it left 0, those without a point included

    @classmethod
    def fresh(cls, metrics: int, segments: int) -> Cusum:
        """The chart of series that begin to learn."""
        shape = (2, metrics, segments)
        return cls(np.full(shape, np.nan), np.zeros(shape, np.int32), np.zeros(shape, np.int32))

    def step(self, z: Floats, missing: Places, k: Floats) -> Cusum:
        """The chart after one window; it holds at the series without a point. Points share `value`; the others are overwritten."""
        value = np.empty_like(self.value)
        np.subtract(z, k, out=value[0])
        np.subtract(-k, z, out=value[1])  # not -z - k: the sign of a nan would depend on where it stands
        value += self.value
        np.maximum(value, np.zeros(z.shape), out=value)  # three times as fast as with a scalar
        if len(missing):
            for new, old, run in zip(value, self.value, self.run, strict=True):
                put(new, missing, old.take(missing))
                put(run, missing, run.take(missing) - 1)
        away = (value > 0.0).astype(np.int32)
        run, age = self.run, self.age
        run += 1
        run *= away
        age += 1
        age *= away
        return Cusum(value, run, age)

    def beyond(self, h: Floats) -> Bools:
        """Is one side strictly above its limit? [M, S]."""
        upper, lower = self.value > h
        outside: Bools = upper | lower
        return outside

    def restarted(self, series: Places, headstart: Floats) -> Cusum:
        """The chart from its head start [M, 1] at q series. Points share `value`, so it is a copy; the others are overwritten."""
        value = self.value.copy()
        put(value, series, headstart[series // value.shape[-1], 0])
        put(self.run, series, 0)
        put(self.age, series, 0)
        return Cusum(value, self.run, self.age)


def crossing(of: Cusum, series: Places, k: Floats, h: Floats, sigma: Floats) -> Crossing:
    """The crossing at q series of the bank's charts; k, h and sigma are theirs [q]."""
    upper, lower = (side.take(series) > h for side in of.value)
    place = series + lower * of.value[0].size
    value, run, age = (array.take(place) for array in of)
    shift = (k + value / np.maximum(run, 1)) * sigma
    return Crossing(upper.view(np.int8) - lower.view(np.int8), shift, age - 1)
