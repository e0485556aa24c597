"""Average run length of a walk on a lattice, by Levinson's recursion.

Between two visits of 0 the walk knows only its steps, so the expected visits z of the states 1 ... H-1 solve the Toeplitz equations
z = v + W z, where v are the chances of the first step and W[i, j] is the chance of a step from j to i. Levinson's recursion enlarges the
chart by a state at a time: O(H^2), no matrix in memory, and, as all its terms have one sign here, each z is accurate to its own last
digits, however rare the visit.

Source: Golub, G. H. and Van Loan, C. F. (2013), Matrix computations, 4th edition, section 4.7.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import solve_toeplitz

from streamspc.design.saddle_point import Array
from streamspc.design.walk import Walk, whole_numbers


def arl(walk: Walk, states: int) -> float:
    """The average run length from 0, when the multiple `states` of 1/q is the smallest that signals. O(states^2)."""
    if states <= 0:
        return 1.0
    step = _steps(walk, states)
    signal = _signals(walk, states)
    first = step[states:]  # from 0 to 1 ... H-1
    if states == 1 or not first.any():
        return _ratio(1.0, signal[0])
    column, row = -step[states - 1 : -1], -step[states - 1 : 0 : -1]
    column[0] = row[0] = 1.0 + column[0]
    visits = solve_toeplitz((column, row), first)
    return _ratio(1.0 + float(visits.sum()), signal[0] + float(visits @ signal[1:]))


def _steps(walk: Walk, states: int) -> Array:
    """The chances of steps of -(H-1) ... H-1 multiples of 1/q."""
    q, p = walk.fall.denominator, walk.fall.numerator
    far = states - 1
    first, last = -((far - p) // q), (far + p) // q
    chance = np.zeros(2 * far + 1)
    if last >= first:
        chance[q * first - p + far :: q] = walk.at(whole_numbers(first, last))
    return chance


def _signals(walk: Walk, states: int) -> Array:
    """The chances of a signal at the next point from the states 0 ... H-1."""
    q, p = walk.fall.denominator, walk.fall.numerator
    least = -((-(states + p - np.arange(states, dtype=np.int64))) // q)
    table = walk.from_(whole_numbers(int(least[-1]), int(least[0])))
    chosen: Array = table[least - least[-1]]
    return chosen


def _ratio(length: float, signal: float) -> float:
    return float(length / signal) if signal > 0.0 else math.inf
