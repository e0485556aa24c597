"""CUSUM with Shewhart limits that has been in control for long: the conditional steady state, and average run lengths from it.

Points that survive the Shewhart limits are a share 1 - d, wherever the CUSUM stands. Given that they do, the law u of one side's
statistic moves as in `cusum_pair`: the other side's signals take mass from 0, so that with Q / (1 - d) for the steps of one side
    rho (u - e0 / 2) = u Q / (1 - d) - e0 / 2,
solved as there. The average run length after a shift is a sum over both sides, hence a mean over u. One side alone has the
quasi-stationary law of its own steps.

Sources: Crosier (1986), A new two-sided cumulative sum quality control scheme, Technometrics 28 (steady state); Yashchin (1985), On the
analysis and design of CUSUM-Shewhart control schemes, IBM Journal of Research and Development 29.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import lu_factor, lu_solve
from scipy.special import ndtr

from streamspc.design.clipped_side import clipped
from streamspc.design.cusum_pair import dominant

if TYPE_CHECKING:
    from streamspc.model import Floats

_ITERATIONS = 60


@lru_cache(maxsize=64)
def survivors(k: float, h: float, c: float, sided: str) -> Floats:
    """The law of one side's statistic in control, as weights of its states in the mean of a function; `sided` is "two" or "upper"."""
    two = sided == "two"
    side = clipped(k, h, (-c if two else -np.inf, c), 0.0)
    steps = side.steps(side.states)
    origin = np.zeros(len(steps))
    if two:
        origin[0] = 0.5
        steps = steps / (1.0 - 2.0 * float(ndtr(-c)))
    factors = lu_factor((np.eye(len(steps)) - steps).T)
    law: Floats = np.zeros(len(steps))
    law[0] = 1.0
    for _ in range(_ITERATIONS):
        before, law = law, np.asarray(lu_solve(factors, law - origin), np.float64)
        law /= law.sum()
        if float(np.abs(law - before).sum()) < 1e-12:
            return law
    return dominant(steps) if two else law
