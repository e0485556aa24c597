"""Quantiles of the run length of a CUSUM, from powers of its transition matrix.

P(RL > n) is the mass left after n steps. The matrix is squared until the mass is below 1 - alpha, then n is found bit by bit, so that a
median of a million points takes twenty products. When the law of the survivors has settled, the tail is geometric with the mean that
the run-length equation gives from that law.

Two-sided charts: the pair of marginal laws moves linearly, see `cusum_pair`.

Sources: Brook & Evans (1972), An approach to the probability distribution of CUSUM run length, Biometrika 59; Woodall (1983), The
distribution of the run length of one-sided CUSUM procedures for continuous random variables, Technometrics 25 (geometric tail).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streamspc.design import arguments
from streamspc.design.cusum import SIDES
from streamspc.design.cusum_pair import corridor, opened, pair
from streamspc.design.cusum_side import side

if TYPE_CHECKING:
    from streamspc.design.absorbing import Absorbing
    from streamspc.design.cusum_pair import Pair
    from streamspc.model import Floats


class _Run(NamedTuple):
    """A run length: P(RL > n) for the first n, then a law that moves by a matrix."""

    first: list[float]  # for n = 0, 1, ..., the last one for the state below
    law: Floats
    steps: Floats
    mass: Floats  # law @ mass is P(RL > n)
    rest: Floats  # law @ rest is E[RL - n; RL > n]


def cusum_quantile(  # noqa: PLR0913, PLR0917 - each argument is one number of the chart
    alpha: float, k: float, h: float, shift: float = 0.0, sided: str = "upper", headstart: float = 0.0
) -> float:
    """Smallest n with P(run length <= n) >= alpha, from `headstart`; infinite where no signal can be expected.

    Raises:
        ValueError: alpha is not between 0 and 1, k, h or the head start is negative or not finite, or the head start is above h.

    >>> cusum_quantile(0.5, 0.5, 5), cusum_quantile(0.5, 0.5, 5, sided="two"), cusum_quantile(0.9, 0.5, 5, shift=1.0)
    (647.0, 325.0, 17.0)
    """
    alpha, k, h = arguments.share("alpha", alpha), arguments.non_negative("k", k), arguments.non_negative("h", h)
    shift, headstart = arguments.finite("shift", shift), arguments.non_negative("headstart", headstart)
    if headstart > h:
        raise ValueError(f"headstart is {headstart:g}: a chart cannot start above its limit h = {h:g}")
    return _quantile(alpha, (k, h, shift), arguments.one_of("sided", sided, SIDES), headstart)


@lru_cache(maxsize=1024)
def _quantile(alpha: float, chart: tuple[float, float, float], sided: str, headstart: float) -> float:
    k, h, shift = chart
    both = pair(k, h, shift)
    if sided != "two":
        one = side(k, h, shift if sided == "upper" else -shift)
        run = _one(one.chain, one.steps(np.array([headstart]))[0])
    elif k == 0.0 and 2.0 * headstart > h:
        walk = corridor(both, headstart)
        run = _one(walk, walk.steps[0])
    else:
        run = _two(both, headstart)
    return _search(run, 1.0 - alpha, max(10, math.ceil(math.log2(26.0 * h * h + 1.0))))


def _one(chain: Absorbing, law: Floats) -> _Run:
    """The run length of one chain, whose first step has led to `law`."""
    mass = np.ones(len(law))
    return _Run([1.0, float(law.sum())], law, chain.steps, mass, chain.mean)


def _two(chart: Pair, headstart: float) -> _Run:
    """The run length of both sides together."""
    start = opened(chart, headstart)
    if not len(start.weights):
        return _Run([*start.survival, 0.0], *np.empty((4, 0)))
    upper, lower = chart.upper, chart.lower
    law = np.concatenate((start.weights @ upper.steps(start.upper), start.weights @ lower.steps(start.lower)))
    n = len(upper.states)
    law[0] -= start.weights @ lower.leave(start.lower)
    law[n] -= start.weights @ upper.leave(start.upper)
    steps = np.block([[upper.chain.steps, np.zeros((n, n))], [np.zeros((n, n)), lower.chain.steps]])
    steps[:n, n] = -upper.chain.leave
    steps[n:, 0] = -lower.chain.leave
    mass = np.concatenate((np.ones(n), np.zeros(n)))
    rest = np.concatenate((upper.relative(upper.states) - 1.0, lower.relative(lower.states)))
    rest = rest / chart.rate if chart.rate > 0.0 else np.full(2 * n, math.inf)
    return _Run([*start.survival, float(start.weights.sum()), float(law @ mass)], law, steps, mass, rest)


def _search(run: _Run, target: float, most: int) -> float:
    """Smallest n with P(RL > n) <= target; beyond 2^most steps the tail is geometric."""
    for n, survival in enumerate(run.first):
        if survival <= target:
            return float(n)
    powers = [run.steps]
    while len(powers) <= most and run.law @ powers[-1] @ run.mass > target:
        powers.append(powers[-1] @ powers[-1])
    done, law = len(run.first) - 1, run.law
    settled = law @ powers[-1]
    if (left := float(settled @ run.mass)) > target:
        if not np.isfinite(run.rest).all():
            return math.inf
        mean = float(settled @ run.rest) / left
        return done + 2.0 ** (len(powers) - 1) + math.ceil(math.log(target / left) / math.log1p(-1.0 / mean))
    for bit in range(len(powers) - 2, -1, -1):
        further = law @ powers[bit]
        if further @ run.mass > target:
            law, done = further, done + 2**bit
    return float(done + 1)
