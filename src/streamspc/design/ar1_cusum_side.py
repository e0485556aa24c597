"""One side of a two-sided CUSUM of autocorrelated points: its steps as matrices.

S' = max(0, S + y - k), y = x + shift, x an AR(1) series with marginal variance 1; signal at S' > h. The state is (S, x). After a step
from s to s' > 0, x is s' - s + k - shift, so pairs of Gauss-Legendre nodes (and 0) of S are states, without interpolation; only at
S = 0 does x need nodes of its own (`rest`), and a polynomial through them.

Source: VanBrackle & Reynolds (1997), EWMA and CUSUM control charts in the presence of correlation, Communications in Statistics -
Simulation and Computation 26 (the states; they group them into a Markov chain).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

from streamspc.design.panels import to_legendre
from streamspc.design.quadrature import interval, normal_density

if TYPE_CHECKING:
    from streamspc.model import Floats, Ints

REACH = 8.0  # marginal sigma: a point further off does not occur
USUAL = 4.0  # points from here on are too rare to judge the quadrature by
NODES = 1.5, 14  # of S for each standard deviation of a step, and at least
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
        s, self.weights = interval(0.0, h, math.ceil(share * (NODES[0] * h / self.sd + NODES[1])))
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
        """The matrices, place by place of S."""
        rows, columns, values = [], [], []
        self.signals = np.zeros((self.states, len(self.other)))
        for place in range(len(self.s)):
            states, x = self._states_at(place)
            moves, self.signals[states] = self._moves(place, x, self.phi)
            following = self.following(place)
            rows.append(np.repeat(states, len(following)))
            columns.append(np.tile(following, len(states)))
            values.append(moves.ravel())
        place_of = np.concatenate(rows), np.concatenate(columns)
        self.steps = csr_array((np.concatenate(values), place_of), shape=(self.states, self.states))
        first, signal = self._moves(0, np.zeros(1), 0.0)
        self.first, self.first_signal = np.zeros(self.states), signal[0]
        self.first[self.following(0)] = first[0]

    def noise(self) -> float:
        """By how much the probabilities from a state that is not rare itself fail to sum to 1."""
        points = np.concatenate((self.x[self.number >= 0], self.rest))
        total = self.steps.sum(axis=1) + self.signals.sum(axis=1)
        return float(np.abs(total - 1.0)[np.abs(points) < USUAL].max(initial=0.0))

    def _states_at(self, place: int) -> tuple[Ints, Floats]:
        """The states with S = s[place], and their points."""
        if place == 0:
            return np.arange(self.pairs, self.states), self.rest
        numbers = self.number[:, place - 1]
        return numbers[numbers >= 0], self.x[:, place - 1][numbers >= 0]

    def following(self, place: int) -> Ints:
        """The states that can follow S = s[place]."""
        numbers = self.number[place]
        return np.append(numbers[numbers >= 0], np.arange(self.pairs, self.states))

    def _moves(self, place: int, x: Floats, phi: float) -> tuple[Floats, Floats]:
        """From S = s[place] and points x: to the states that can follow, and to the signal."""
        law = phi * x[:, None], self.sd if phi else 1.0
        to, s = self.number[place] >= 0, float(self.s[place])
        positive = normal_density((self.x[place, to] - law[0]) / law[1]) * (self.weights[to] / law[1])
        zero = _onto(self.rest, self.rest_ends, (-REACH, min(REACH, self.gap - s)), law)
        alarm = max(-REACH, self.h - s + self.gap), REACH
        mirrored = _onto(self.other, self.other_ends, (-alarm[1], -alarm[0]), (-law[0], law[1]))
        return np.hstack((positive, zero)), mirrored


def _onto(nodes: Floats, ends: tuple[float, float], part: tuple[float, float], law: tuple[Floats, float]) -> Floats:
    """Row i integrates, over a part of an interval, the polynomial through values at its nodes times the normal density of law i."""
    ahead, sd = law
    if not len(nodes) or part[0] >= part[1]:
        return np.zeros((len(ahead), len(nodes)))
    x, mass = interval(*part, math.ceil(2.0 * (part[1] - part[0]) / sd) + FULL)
    unit = (2.0 * x - ends[0] - ends[1]) / (ends[1] - ends[0])
    basis = np.polynomial.legendre.legvander(unit, len(nodes) - 1) @ to_legendre(len(nodes))
    result: Floats = (normal_density((x - ahead) / sd) * (mass / sd)) @ basis
    return result
