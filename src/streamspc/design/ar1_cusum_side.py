"""One side of a two-sided CUSUM of autocorrelated points: its steps as matrices.

S' = max(0, S + y - k), y = x + shift, x an AR(1) series with marginal variance 1; signal at S' > h. The state is (S, x). After a step
from s to s' > 0, x is s' - s + k - shift, so pairs of quadrature nodes (and 0) of S are states, without interpolation; only at
S = 0 does x need nodes of its own (`rest`), and a polynomial through them.

Source: VanBrackle & Reynolds (1997), EWMA and CUSUM control charts in the presence of correlation, Communications in Statistics -
Simulation and Computation 26 (the states; they group them into a Markov chain).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array, diags_array, hstack

from streamspc.design.panels import interpolation
from streamspc.design.quadrature import even, interval, normal_density

if TYPE_CHECKING:
    from streamspc.model import Floats, Ints

REACH = 8.0  # marginal sigma: a point further off does not occur
INNOVATION = 8.5  # of its standard deviation, likewise
LEAST = 0.1  # of a row's sum: where it is less, points are too rare to matter
USUAL = 4.0  # points from here on are too rare to judge the quadrature by
NODES = 1.1, 16  # of S for each standard deviation of a step, and at least
SMOOTH = 1.8, 12  # of x at 0, likewise
FULL = 24  # nodes of an integral over x, at least


class Side:
    """The upper side; the lower one is that of -x and -shift.

    `steps` [states, states] is the chain until its signal. `signals` [states, rest of the other side] integrates over the points x of
    a signal at once what the other side is worth at 0 after x. `first` and `first_signal` do the same from the stationary start.
    `share` of the nodes are taken.
    """

    def __init__(self, phi: float, k: float, h: float, shift: float, share: float = 1.0) -> None:
        self.phi, self.sd = phi, math.sqrt((1.0 - phi) * (1.0 + phi))
        self.h, self.gap = h, k - shift  # gap: the x with which S stays
        s, self.weights = even(0.0, h, math.ceil(share * (NODES[0] * h / self.sd + NODES[1])))
        self.s = np.append(0.0, s)
        self.x = s - self.s[:, None] + self.gap  # [from, to]: the point of a step
        self.rest_ends, self.rest = self._at_zero(self.gap)
        self.other_ends, self.other = self._at_zero(k + shift)
        there = np.abs(self.x) <= REACH
        self.pairs = np.count_nonzero(there)
        self.number: Ints = np.where(there, np.cumsum(there).reshape(there.shape) - 1, -1)
        self.states = self.pairs + len(self.rest)
        self._assemble()

    def _at_zero(self, gap: float) -> tuple[tuple[float, float], Floats]:
        """The interval of x with which S stays at 0, and its nodes."""
        ends = -REACH, min(REACH, gap)
        width = ends[1] - ends[0]
        if width <= 0.0:
            return ends, np.empty(0)
        return ends, interval(*ends, math.ceil(SMOOTH[0] * width * abs(self.phi) / self.sd) + SMOOTH[1])[0]

    def _assemble(self) -> None:
        """The matrices; each row is divided by its sum, so that an average run length, nearly a constant, is integrated exactly."""
        positive = self._positive()
        zero, signals = [], []
        for place in range(len(self.s)):
            x = self._points_at(place)
            before, beyond = self._ends(place, self.phi * x[:, None], self.sd)
            zero.append(before)
            signals.append(beyond)
        steps = hstack((positive, self._by_state(zero)), format="csr")
        signal = self._by_state(signals)
        total = np.asarray(steps.sum(axis=1) + signal.sum(axis=1))
        points = np.concatenate((self.x[self.number >= 0], self.rest))
        self.noise = float(np.abs(total - 1.0)[np.abs(points) < USUAL].max(initial=0.0))
        share = diags_array(1.0 / np.maximum(total, LEAST))
        self.steps, self.signals = csr_array(share @ steps), csr_array(share @ signal)
        self._start()

    def _start(self) -> None:
        """The first point, from S = 0 by the stationary law."""
        before, beyond = self._ends(0, np.zeros((1, 1)), 1.0)
        following = self.number[0][self.number[0] >= 0]
        self.first = np.zeros(self.states)
        self.first[following] = (normal_density(self.x[0]) * self.weights)[self.number[0] >= 0]
        self.first[self.pairs :] = before[0]
        total = self.first.sum() + beyond[0].sum()
        self.first, self.first_signal = self.first / total, beyond[0] / total

    def _points_at(self, place: int) -> Floats:
        """The points of the states with S = s[place]."""
        if place == 0:
            return self.rest
        points: Floats = self.x[:, place - 1][self.number[:, place - 1] >= 0]
        return points

    def _positive(self) -> csr_array:
        """To the pairs whose innovation occurs: from a state, a range of neighbours."""
        place = np.concatenate((np.nonzero(self.number >= 0)[1] + 1, np.zeros(len(self.rest), np.int64)))
        ahead = self.phi * np.concatenate((self.x[self.number >= 0], self.rest))
        reach, middle = INNOVATION * self.sd, self.s[place] - self.gap
        low = np.searchsorted(self.s[1:], np.maximum(ahead - reach, -REACH) + middle)
        high = np.maximum(np.searchsorted(self.s[1:], np.minimum(ahead + reach, REACH) + middle), low)
        ends = np.concatenate(([0], np.cumsum(high - low)))
        state = np.repeat(np.arange(self.states), high - low)
        to = np.arange(ends[-1]) - (ends[:-1] - low)[state]
        from_ = place[state]
        values = normal_density((self.x[from_, to] - ahead[state]) / self.sd) * (self.weights[to] / self.sd)
        kept = self.number[from_, to]
        values[kept < 0] = 0.0  # rounding at an end
        return csr_array((values, np.maximum(kept, 0), ends), shape=(self.states, self.pairs))

    def _by_state(self, blocks: list[Floats]) -> csr_array:
        """Rows in the order of places, brought into that of the states."""
        order = np.concatenate((np.arange(self.pairs, self.states), self.number.T[self.number.T >= 0]))
        whole = np.empty((self.states, blocks[0].shape[1]))
        whole[order] = np.vstack(blocks)
        return csr_array(whole)

    def _ends(self, place: int, ahead: Floats, sd: float) -> tuple[Floats, Floats]:
        """From S = s[place] and points whose next one has mean `ahead`: to 0, and to the signal."""
        s = float(self.s[place])
        alarm = max(-REACH, self.h - s + self.gap), REACH
        zero = _onto(self.rest, self.rest_ends, (-REACH, min(REACH, self.gap - s)), (ahead, sd))
        return zero, _onto(self.other, self.other_ends, (-alarm[1], -alarm[0]), (-ahead, sd))


def _onto(nodes: Floats, ends: tuple[float, float], part: tuple[float, float], law: tuple[Floats, float]) -> Floats:
    """Row i integrates, over a part of an interval, the polynomial through values at its nodes times the normal density of law i."""
    ahead, sd = law
    if not len(nodes) or part[0] >= part[1]:
        return np.zeros((len(ahead), len(nodes)))
    x, mass = interval(*part, math.ceil(2.0 * (part[1] - part[0]) / sd) + FULL)
    basis = interpolation((2.0 * x - ends[0] - ends[1]) / (ends[1] - ends[0]), len(nodes))
    near = ((part[0] - ahead) < INNOVATION * sd) & ((ahead - part[1]) < INNOVATION * sd)
    there = near[:, 0]
    result = np.zeros((len(ahead), len(nodes)))
    result[there] = (normal_density((x - ahead[there]) / sd) * (mass / sd)) @ basis
    return result
