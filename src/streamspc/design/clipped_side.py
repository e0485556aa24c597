"""One side of a CUSUM whose points also have Shewhart limits: S = max(0, S + x - k), a signal at S > h, x > c or x < floor.

The floor is -c in a two-sided chart, minus infinity in a one-sided one. The kernel of the equation ends at s - k + floor and s - k + c. So
the average run length has a kink where one of these ends meets h or 0, and a weaker one, by the density at c, where it meets a kink: the
panels of the collocation end at all that matter.

Source: Knoth (2006), Computation of the ARL for CUSUM-S^2 schemes, Computational Statistics & Data Analysis 51 (piecewise collocation).
"""

from __future__ import annotations

import math
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from streamspc.design.collocation import Noise, Panels, mean_times, operator, panel_edges
from streamspc.design.quadrature import normal_density

if TYPE_CHECKING:
    from streamspc.model import Floats

_FAINT, _MOST = 1e-13, 60  # kinks that are weaker, or beyond so many, are not resolved
_WIDEST = 3.0  # of a panel, in sigma
Kinks = dict[float, float]  # place: how strong


class ClippedSide:
    """The upper side of the chart; the lower side of a shift is the upper side of its negative."""

    def __init__(self, k: float, h: float, within: tuple[float, float], shift: float) -> None:
        self.k, self.h, self.shift = k, h, shift
        self.floor, self.c = within
        self.ends = [end for end in within if math.isfinite(end)]
        pieces = [shift + step for step in range(-9, 10, 3) if self.floor < shift + step < self.c]
        self.noise = Noise(lambda x: normal_density(x - shift), (*self.ends, *pieces), *within)
        self.kinks = self.spread({h: 1.0, 0.0: 0.1}, (0.0, h))
        self.panels = Panels(panel_edges(0.0, h, self.kinks, _WIDEST))
        self.states = np.concatenate(([0.0], self.panels.nodes))

    @cached_property
    def mean(self) -> Floats:
        """Average run length from each state."""
        return mean_times(self.steps(self.states), self.leave(self.states))

    def steps(self, start: Floats) -> Floats:
        """Weights of the states in the mean after one step."""
        steps = np.empty((len(start), len(self.states)))
        upto = np.minimum(self.k - start, self.c)
        steps[:, 0] = np.maximum(0.0, ndtr(upto - self.shift) - ndtr(self.floor - self.shift))
        steps[:, 1:] = operator(self.panels, self.noise, start - self.k, 1.0)
        return steps

    def leave(self, start: Floats) -> Floats:
        """Probability of a signal at the next point."""
        highest = np.clip(self.h + self.k - start, self.floor, self.c)
        return np.asarray(ndtr(self.shift - highest) + ndtr(self.floor - self.shift), np.float64)

    def relative(self, start: Floats) -> Floats:
        """Average run length from any values in units of that from 0; 1 where both are infinite."""
        if math.isinf(self.mean[0]):
            return np.ones_like(start)
        return np.asarray((1.0 + self.steps(start) @ self.mean) / self.mean[0], np.float64)

    def spread(self, seeds: Kinks, between: tuple[float, float], most: int = _MOST) -> Kinks:
        """Kinks that follow from others where the ends of the kernel meet them, strongest first; the seeds are not among them."""
        edges = [(end, math.exp(-0.5 * (end - self.shift) ** 2) / math.sqrt(2.0 * math.pi)) for end in self.ends]
        found: Kinks = {}
        waiting = dict(seeds)
        while waiting and len(found) < most:
            place = max(waiting, key=waiting.__getitem__)
            strength = waiting.pop(place)
            for end, density in edges:
                there = place + self.k - end
                if between[0] < there < between[1] and strength * density > _FAINT and there not in found:
                    found[there] = waiting[there] = strength * density
        return found


@lru_cache(maxsize=64)
def clipped(k: float, h: float, within: tuple[float, float], shift: float) -> ClippedSide:
    """The side with these parameters; the latest ones are kept."""
    return ClippedSide(k, h, within, shift)
