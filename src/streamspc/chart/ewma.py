"""Exponentially weighted moving average with exact limits.

Definition: E = (1 - lambda) E + lambda z, from 0; out of control when |E| > L sqrt(lambda / (2 - lambda) (1 - (1 - lambda)^(2 t))),
strictly, t points after the start. Exact limits are narrow at first, so a shift present from the start is told early; with the L of
fixed limits the ARL0 is then a little less (6 % at lambda 0.05, under 2 % at 0.2).

After a signal of any chart it starts again from 0, t included. A crossing that may not speak leaves it be: unlike a CUSUM it forgets by
itself, and E sigma, the shift it sees, could never grow to `min_effect` if the narrow first limits cut it off each time.
The shift is taken to have begun where E last crossed the centre.

A window without a value makes it older and tells it nothing: E = (1 - lambda) E, and the limit is that of the E there is,

    var_t = (1 - lambda)^2 var_(t-1) + lambda^2 where there is a value        |E| > L sqrt(var_t)

which is the formula above where none is missing. So weights follow time and not the number of points: what was before a long gap
counts no more than it would have, had the windows been there, and after it the chart is as narrow as one that begins. Nothing is
imputed: a centre in the place of what is missing would have the limit of a chart that saw it, too wide for what it has seen. With a
tenth of the windows missing a false alarm takes 4 % fewer points, with half of them 21 %, for neighbours are less alike; in windows
of time, which is what was promised, it takes more.

Prefer it for small sustained shifts and for values that are not normal (lambda 0.05 to 0.1); a large shift after a spell on the
other side finds it slow, so keep a Shewhart chart beside it.
L follows from the false alarms that are allowed, for exact limits (`limits`); 2.85934 at lambda 0.2 has ARL0 370.4 with fixed ones.

Sources: Roberts, S. W. (1959), Control chart tests based on geometric moving averages, Technometrics 1(3); Lucas & Saccucci (1990),
Exponentially weighted moving average control schemes, Technometrics 32(1); Nishina (1992), A comparison of control charts from the
viewpoint of change-point estimation, Quality and Reliability Engineering International 8 (onset).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streamspc.chart.crossing import Crossing, sides
from streamspc.chart.places import at, put

if TYPE_CHECKING:
    from streamspc.chart.places import Places
    from streamspc.model import Bools, Codes, Floats


class Ewma(NamedTuple):
    """Statistics of all series, [M, S]."""

    value: Floats  # in sigma, nan while learning
    fade: Floats  # 1 less var_t in units of lambda / (2 - lambda); (1 - lambda)^(2 t), a running product, where no window is missing
    age: Codes  # windows on this side of the centre

    @classmethod
    def fresh(cls, metrics: int, segments: int) -> Ewma:
        """The chart of series that begin to learn."""
        shape = (metrics, segments)
        return cls(np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape, np.int32))

    def step(self, z: Floats, missing: Places, weight: Floats) -> Ewma:
        """The chart after one window; it grows older at the series without a point. Points share `value`; the others are overwritten."""
        rest = 1.0 - weight
        value, fade, age = rest * self.value, self.fade, self.age
        value += weight * z
        if len(missing):
            before, faded = at((self.value, fade), missing)
            older = rest[missing // z.shape[-1], 0]
            put(value, missing, older * before)
        fade *= rest * rest
        if len(missing):
            put(fade, missing, 1.0 - older * older * (1.0 - faded))
        age *= value * self.value > 0.0
        age += 1
        return Ewma(value, fade, age)

    def limit(self, weight: Floats, width: Floats) -> Floats:
        """Exact limit, in sigma. [M, S], nan while learning."""
        bound: Floats = 1.0 - self.fade
        bound *= weight / (2.0 - weight)
        np.sqrt(bound, out=bound)
        bound *= width
        return bound

    def beyond(self, limit: Floats) -> Bools:
        """Is it strictly outside?"""
        outside: Bools = np.abs(self.value) > limit
        return outside

    def restarted(self, series: Places) -> Ewma:
        """The chart from 0 at q series. Points share `value`, so it is a copy; the others are overwritten."""
        value = self.value.copy()
        for array, start in ((value, 0.0), (self.fade, 1.0), (self.age, 0)):
            put(array, series, start)
        return Ewma(value, self.fade, self.age)


def crossing(of: Ewma, series: Places, limit: Floats, sigma: Floats) -> Crossing:
    """The crossing at q series of the bank's charts; limit and sigma are theirs [q]."""
    value = of.value.take(series)
    return Crossing(sides(value, limit), np.abs(value) * sigma, of.age.take(series) - 1)
