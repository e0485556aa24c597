"""Average run lengths of chains with many states: (I - Q) m = 1 by GMRES.

The residual is in the units of the right side, which is 1, so what is left of it is the relative error of m. Where m is huge, rounding
(the size of m times 1e-16) ends the iteration earlier. A chain that forgets slowly, over thousands of steps, is not solved by starting
again from nothing: there the directions of earlier cycles are kept (loose GMRES).

Sources: Saad & Schultz (1986), GMRES: a generalized minimal residual algorithm, SIAM Journal on Scientific and Statistical Computing 7;
Baker, Jessup & Manteuffel (2005), A technique for accelerating the convergence of restarted GMRES, SIAM Journal on Matrix Analysis and
Applications 26.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import solve_triangular
from scipy.sparse.linalg import LinearOperator, lgmres

if TYPE_CHECKING:
    from collections.abc import Callable

    from scipy.sparse import csr_array

    from streamspc.model import Floats

STEPS, TINY = 120, 1e-15  # of GMRES between two starts; a new power that is no news
CYCLES, INNER, KEPT = 20, 100, 6  # of loose GMRES: cycles, steps of each, and directions that are kept
PATIENCE = 5000  # steps of the power iteration
ACCEPTED = 1e-6  # what may be left of the equation
LARGEST = 1e8  # average run length: beyond, rounding leaves fewer than six digits


class TooLarge(ValueError):
    """An average run length that GMRES cannot tell from infinity."""


def mean_times(expected: Callable[[Floats], Floats], states: int, noise: float = 0.0) -> Floats:
    """Average number of steps to the signal from each state, where `expected` applies Q to a vector.

    `noise` is by how much the probabilities from a state fail to sum to 1: its product with the average is the relative error.

    Raises:
        TooLarge: they are beyond 1e8, or beyond what the noise allows.

    >>> mean_times(lambda m: 0.5 * m, 2).round(9).tolist()
    [2.0, 2.0]
    """
    return solved(expected, np.ones(states), noise)


def solved(expected: Callable[[Floats], Floats], right: Floats, noise: float = 0.0, within: float = 1e-12) -> Floats:
    """The solution of (I - Q) m = right, where `right` is of the size of 1, and `within` of it may be left.

    Raises:
        TooLarge: as `mean_times` does, and where the equation cannot be solved.
    """
    solution, goal = np.zeros(len(right)), within * float(np.linalg.norm(right))
    left = right
    for _ in range(2):  # the second time from where the first one stopped, unless only rounding is left
        solution += _correction(expected, left, goal)
        left = right - solution + expected(solution)
        size = float(np.linalg.norm(left))
        if size <= 2.0 * goal or size < ACCEPTED / 100.0 * math.sqrt(len(right)):
            break
    largest = float(np.abs(solution).max())
    if size / math.sqrt(len(right)) >= max(ACCEPTED, within) and largest < LARGEST:
        solution = _loosely(expected, right, within)
        size, largest = float(np.linalg.norm(right - solution + expected(solution))), float(np.abs(solution).max())
    if not (size / math.sqrt(len(right)) < max(ACCEPTED, within) and largest < LARGEST and noise * largest < ACCEPTED):
        raise TooLarge("the average run length is too large for an exact computation")
    return solution


def _loosely(expected: Callable[[Floats], Floats], right: Floats, within: float) -> Floats:
    """The solution where two cycles do not find it; where they stopped is no good place to start from."""
    matrix = LinearOperator((len(right), len(right)), matvec=lambda m: m - expected(m), dtype=np.float64)
    solution: Floats = lgmres(matrix, right, rtol=within, atol=0.0, maxiter=CYCLES, inner_m=INNER, outer_k=KEPT)[0]
    return solution


def _correction(expected: Callable[[Floats], Floats], left: Floats, goal: float) -> Floats:
    """One cycle of GMRES: the combination of powers of I - Q, applied to `left`, that leaves the least of it.

    Powers are made orthogonal by Gram and Schmidt twice, all at once: scipy's GMRES does so one by one, which takes longer than the powers.
    """
    size = float(np.linalg.norm(left))
    powers, upper, rest = np.empty((STEPS + 1, len(left))), np.zeros((STEPS, STEPS)), np.zeros(STEPS + 1)
    turns: list[tuple[float, float]] = []
    powers[0], rest[0], n = left / size, size, 0
    while n < STEPS and abs(rest[n]) > goal:
        basis, new = powers[: n + 1], powers[n] - expected(powers[n])
        share = basis @ new
        new -= share @ basis
        again = basis @ new
        new -= again @ basis
        beyond = float(np.linalg.norm(new))
        column = [*(share + again).tolist(), beyond]
        for i, (cos, sin) in enumerate(turns):
            column[i], column[i + 1] = cos * column[i] + sin * column[i + 1], cos * column[i + 1] - sin * column[i]
        length = math.hypot(column[n], beyond)
        turns.append((column[n] / length, beyond / length))
        upper[: n + 1, n] = [*column[:n], length]
        rest[n], rest[n + 1] = turns[n][0] * rest[n], -turns[n][1] * rest[n]
        n += 1
        if beyond <= TINY * length:
            break
        powers[n] = new / beyond
    weights = solve_triangular(upper[:n, :n], rest[:n])
    return np.asarray(weights @ powers[:n], np.float64)


def rare_mean(steps: csr_array, leave: Floats) -> float:
    """Average time to a signal so rare that the chain has long forgotten its start: one over its rate in the quasi-stationary law.

    The law is a power iteration with positive terms alone, so its thin edges, where signals come from, keep their digits. The relative
    error is the time of forgetting over the average.

    Raises:
        TooLarge: the chain has not forgotten its start in 5000 steps.
    """
    law, rate, change = np.full(len(leave), 1.0 / len(leave)), 0.0, math.inf
    for _ in range(PATIENCE):
        law = steps.T @ law
        law /= law.sum()
        before, rate = rate, float(law @ leave)
        last, change = change, abs(rate - before)
        # What is still to come is the change now and its like, each smaller than the one before by the same share.
        if change <= 1e-14 * rate or (change < last < math.inf and change <= 1e-11 * rate * (1.0 - change / last)):
            return 1.0 / rate if rate > 0.0 else math.inf
    raise TooLarge("the chain forgets its start too slowly for an exact computation")
