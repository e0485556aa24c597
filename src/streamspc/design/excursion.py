"""Average run length of a walk on a lattice too fine for its equations, by following one cycle point by point.

After t points of a cycle the walk stands on whole numbers plus one fraction, so a few values describe its law however fine the lattice
is; each point is one convolution, by Fourier transforms when values and counts are many. What is still under way
decays in the end geometrically, on a lattice of q-ths from one stretch of q points to the next: once two stretches agree, the rest is
the sum of a geometric series. Where q is very large, stretches are of 256 points and agree to a few parts in 1e9 in place of exactly,
of a remainder that is small itself.

Source: as for the walk; the tail is Gold, M. S. (1989), The geometric approximation to the CUSUM run length distribution, Biometrika 76.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, next_fast_len, rfft

from streamspc.design.lundberg import exponent
from streamspc.design.saddle_point import Array
from streamspc.design.walk import Walk, whole_numbers

_DIRECT = 200_000  # values times counts up to which a convolution is summed as it is defined
_NO_COUNT = 1e-20  # of the most likely one, also among those that lead to a signal
_POINTS = 40_000  # of a cycle, at most; then the tail is taken as geometric all the same
_DONE = 1e-15  # of all, in one stretch
_SAME = 1e-10  # doubt about the rest
_STRETCH = 256
_NOTHING = 1e-250
_NEVER = 740.0  # the logarithm of what is more than a float can hold


class _Sums(NamedTuple):
    """Expected points and chance of a signal, in some part of a cycle."""

    length: float
    signal: float


def arl(walk: Walk, states: int) -> float:
    """The average run length from 0, when the multiple `states` of 1/q is the smallest that signals."""
    if states <= 0:
        return 1.0
    cycle = _Cycle(walk, states)
    if cycle.tilt * states > _NEVER * walk.fall.denominator:
        return math.inf
    stretch = min(walk.fall.denominator, _STRETCH)
    total, last, ratio = cycle.take(1), _Sums(0.0, 0.0), 0.0
    for _ in range(_POINTS // stretch):
        now = cycle.take(stretch)
        total = _Sums(total.length + now.length, total.signal + now.signal)
        if now.length <= _DONE * min(total):
            return _ratio(total)
        before, ratio = ratio, now.length / last.length if last.length else 0.0
        rest = ratio / (1.0 - ratio) if ratio < 1.0 else math.inf
        if before > 0.0 and _settled(now, last, abs(ratio - before), rest, total):
            break
        last = now
    return _ratio(_Sums(total.length + rest * now.length, total.signal + rest * now.signal))


def _settled(now: _Sums, last: _Sums, change: float, rest: float, total: _Sums) -> bool:
    """Is the remainder known well enough, were the ratio of stretches to change so much, and the share of signals too?"""
    across = now.signal * last.length
    doubt = change * (1.0 + rest) * now.length * (1.0 + rest) / total.length
    other = abs(across - now.length * last.signal) / last.length * (1.0 + rest) / total.signal if across > 0.0 else math.inf
    return doubt <= _SAME and other <= _SAME


def _ratio(total: _Sums) -> float:
    return total.length / total.signal if total.signal > 0.0 else math.inf


@dataclass
class _Cycle:
    """The law of the walk under way in a cycle: chances of rest/q, rest/q + 1, rest/q + 2 ..., all below the limit.

    They are kept as multiples of exp(-tilt S): a walk that falls reaches its limit so rarely that transforms would lose the chance of it.
    """

    walk: Walk
    states: int
    rest: int = 0
    chance: Array = field(default_factory=lambda: np.ones(1))

    def __post_init__(self) -> None:
        q, p = self.walk.fall.denominator, self.walk.fall.numerator
        self.q, self.p = q, p
        self.width = max((self.states - 2) // q + 1, 1)
        self.low = p // q - self.width
        counts = whole_numbers(self.low, p // q + 1 + self.width)
        self.step, self.tilt = self.walk.at(counts), self._tilt()
        there = self.step > 0.0  # elsewhere the factor may be more than a float can hold
        tilted = np.zeros(len(counts))
        tilted[there] = self.step[there] * np.exp(self.tilt * (counts[there] - p / q))
        matter = np.flatnonzero((tilted > _NO_COUNT * tilted.max()) | (self.step > _NO_COUNT * self.step.max()))
        self.first, last = (int(matter[0]), int(matter[-1])) if len(matter) else (0, 0)
        self.kernel = self.step[self.first : last + 1]
        self.direct = self.width * len(self.kernel) <= _DIRECT
        if self.direct:
            self.tilt = 0.0
        else:
            self.step = tilted
        self.decay = np.exp(-self.tilt * np.arange(self.width + 1))
        self.top = (self.states + p) // q - self.width - 2
        self.signal = self.walk.from_(whole_numbers(self.top, self.top + self.width + 4))
        self.size = next_fast_len(2 * self.width, real=True)
        self.transforms: dict[int, npt.NDArray[np.complex128]] = {}

    def _tilt(self) -> float:
        tilt = exponent(self.walk)
        return tilt if math.isfinite(tilt) else 0.0

    def take(self, points: int) -> _Sums:
        """Go on by so many points, or until nothing is left; what they add."""
        length = signal = 0.0
        for _ in range(points):
            chance = self.chance
            if self.tilt:
                chance = chance * self.decay[: len(chance)] * math.exp(-self.tilt * self.rest / self.q)
            alive = float(chance.sum())
            if alive < _NOTHING:
                break
            length += alive
            signal += self._point(chance)
        return _Sums(length, signal)

    def _point(self, chance: Array) -> float:
        """One more point; the chance that it signals."""
        n, rest = len(self.chance), (self.rest - self.p - 1) % self.q + 1
        least = -((self.rest - self.states - self.p) // self.q) - self.top  # counts that signal, from the lowest value
        signal = float(chance @ self.signal[least - n + 1 : least + 1][::-1])
        shift = (rest - self.rest + self.p) // self.q
        m = max((self.states - 1 - rest) // self.q + 1, 0)
        if m == 0:
            self.chance = np.zeros(1)
        elif self.direct:
            self.chance = _part(np.convolve(chance, self.kernel), shift - self.low - self.first, m)
        else:
            self.chance = np.maximum(irfft(rfft(self.chance, self.size) * self._transform(shift), self.size)[:m], 0.0)
        self.rest = rest
        return signal

    def _transform(self, shift: int) -> npt.NDArray[np.complex128]:
        """The transform of the chances of counts around `shift`, as a circulant."""
        if shift not in self.transforms:
            circle, at = np.zeros(self.size), shift - self.low
            circle[: self.width] = self.step[at : at + self.width]
            circle[-self.width + 1 :] = self.step[at - self.width + 1 : at]
            self.transforms[shift] = rfft(circle)
        return self.transforms[shift]


def _part(values: Array, first: int, count: int) -> Array:
    """So many values from the first on; there are zeros around them."""
    if first >= 0 and first + count <= len(values):
        return values[first : first + count]
    part = np.zeros(count)
    low, high = max(first, 0), min(first + count, len(values))
    if high > low:
        part[low - first : high - first] = values[low:high]
    return part
