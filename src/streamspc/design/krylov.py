"""Average run lengths of chains with many states: (I - Q) m = 1 by GMRES.

The residual is in the units of the right side, which is 1, so what is left of it is the relative error of m. Where m is huge, rounding
(the size of m times 1e-16) ends the iteration earlier.

Source: Saad & Schultz (1986), GMRES: a generalized minimal residual algorithm, SIAM Journal on Scientific and Statistical Computing 7.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse.linalg import LinearOperator, gmres

if TYPE_CHECKING:
    from collections.abc import Callable

    from scipy.sparse import csr_array

    from streamspc.model import Floats

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
    """The solution of (I - Q) m = right, where `right` is of the size of 1, and `within` of it may be left."""
    states = len(right)
    system = LinearOperator((states, states), matvec=lambda flat: flat - expected(flat), dtype=np.float64)
    solution, left = np.zeros(states), 1.0
    for _ in range(2):  # the second time from where the first one stopped, unless only rounding is left
        solution, failed = gmres(system, right, x0=solution, rtol=within, atol=0.0, restart=120, maxiter=1)
        left = float(np.linalg.norm(system @ solution - right)) / math.sqrt(states)
        if not failed or left < ACCEPTED / 100.0:
            break
    largest = float(np.abs(solution).max())
    if not (left < ACCEPTED and largest < LARGEST and noise * largest < ACCEPTED):
        raise TooLarge("the average run length is too large for an exact computation")
    return solution


def rare_mean(steps: csr_array, leave: Floats) -> float:
    """Average time to a signal so rare that the chain has long forgotten its start: one over its rate in the quasi-stationary law.

    The law is a power iteration with positive terms alone, so its thin edges, where signals come from, keep their digits. The relative
    error is the time of forgetting over the average.
    """
    law, rate = np.full(len(leave), 1.0 / len(leave)), 0.0
    for _ in range(PATIENCE):
        law = steps.T @ law
        law /= law.sum()
        before, rate = rate, float(law @ leave)
        if abs(rate - before) <= 1e-11 * rate:
            break
    return 1.0 / rate if rate > 0.0 else math.inf
