"""Absorbing Markov chains, solved without subtraction: mean times and quasi-stationary laws are exact to the last digits at any ARL.

A chart that signals once in 1e20 points leaves I - Q singular to machine precision, and a general solver returns noise. The elimination
of Grassmann, Taksar and Heyman takes each pivot not as 1 - q_ii but as the probability of leaving state i, by the others or by a signal:
only non-negative numbers are added, multiplied and divided, so the relative error stays near that of the transition probabilities
themselves. The diagonal of Q is never used, so the rows need not sum to 1 exactly.

Sources: Grassmann, Taksar & Heyman (1985), Regenerative analysis and steady state distributions for Markov chains, Operations Research
33(5); O'Cinneide (1993), Entrywise perturbation theory and error analysis for Markov chains, Numerische Mathematik 65.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import solve_triangular

if TYPE_CHECKING:
    from streamspc.model import Floats

_ITERATIONS = 400


class Absorbing:
    """A chain with transition probabilities `steps` [n, n] between transient states and probabilities `leave` [n] of a signal.

    >>> import numpy as np
    >>> chain = Absorbing(np.array([[0.0, 0.5], [0.5, 0.0]]), np.array([0.5, 0.5]))
    >>> chain.mean.tolist()
    [2.0, 2.0]
    """

    def __init__(self, steps: Floats, leave: Floats) -> None:
        self.steps = steps
        self.leave = leave

    @cached_property
    def mean(self) -> Floats:
        """Average number of steps to the signal, from each state; infinite where it overflows."""
        return self.solve(np.ones(len(self.leave)))

    @cached_property
    def law(self) -> Floats:
        """Quasi-stationary law: the left eigenvector of `steps` with the largest eigenvalue, by inverse iteration. It sums to 1."""
        law = np.full(len(self.leave), 1.0 / len(self.leave))
        for _ in range(_ITERATIONS):
            step = self.solve_left(law)
            step /= step.sum()
            change = float(np.abs(step - law).sum())
            law = step
            if change < 1e-15:
                break
        return law

    def solve(self, right: Floats) -> Floats:
        """The solution x of (I - Q) x = right."""
        lower, upper = self._factors
        if not lower[0, 0] > 0.0:
            return np.full_like(right, np.inf)
        return _triangular(lower, _triangular(upper, right, lower=False), lower=True)

    def solve_left(self, left: Floats) -> Floats:
        """The solution x of x (I - Q) = left."""
        lower, upper = self._factors
        return _triangular(upper.T, _triangular(lower.T, left, lower=False), lower=True)

    @cached_property
    def _factors(self) -> tuple[Floats, Floats]:
        """Lower L and unit upper U with I - Q = U L; states are eliminated from the last to the first."""
        work, out = self.steps.copy(), self.leave.copy()
        reach = _first(work != 0.0)
        source = _first((work != 0.0).T)
        pivots = np.empty_like(out)
        for i in range(len(out) - 1, 0, -1):
            row = work[i, reach[i] : i]
            pivots[i] = out[i] + row.sum()
            column = work[source[i] : i, i]
            if pivots[i] > 0.0:
                column /= pivots[i]
            work[source[i] : i, reach[i] : i] += np.multiply.outer(column, row)
            out[source[i] : i] += column * out[i]
        pivots[0] = out[0]
        upper, lower = -np.triu(work, 1), -np.tril(work, -1)
        np.fill_diagonal(upper, 1.0)
        np.fill_diagonal(lower, pivots)
        return lower, upper


def _first(filled: np.typing.NDArray[np.bool_]) -> list[int]:
    """First filled column of each row, made ascending from below, so that elimination fills nothing in front of it."""
    first = np.where(filled.any(axis=1), filled.argmax(axis=1), len(filled))
    return [int(value) for value in np.minimum.accumulate(first[::-1])[::-1]]


def _triangular(matrix: Floats, right: Floats, *, lower: bool) -> Floats:
    with np.errstate(over="ignore", invalid="ignore"):
        solution: Floats = solve_triangular(matrix, right, lower=lower, check_finite=False)
    return np.where(np.isnan(solution), np.inf, solution)
