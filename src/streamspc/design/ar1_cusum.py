"""Two-sided CUSUM charts of autocorrelated points, AR(1): average run length from equations of the two sides.

When one side signals the other is at 0: both positive, they sum to at most h - 2 k. For independent points that makes 1 / ARL the sum
over the sides of 1 / ARL of each. With AR(1) points the other side goes on from the point x of the signal, so the sides are tied. Take
functions u of (S+, x), v of (S-, x) and a share a with

    u = a + E u after a step, and at the upper signal u = -v(0, x)
    v = 1 - a + E v after a step, and at the lower signal v = -u(0, x)

Then u + v falls by 1 a step on average and is 0 at the first signal of either side: its value at the start is the average run length.
A constant may move between u and v, so one mean is set to 0; a follows. Without a shift v mirrors u, and a is a half.

Sources: VanBrackle & Reynolds (1997), Communications in Statistics - Simulation and Computation 26 (the sides); Kemp (1961), The average
run length of the cumulative sum chart when a V-mask is used, Journal of the Royal Statistical Society B 23 (independent points).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array, hstack

from streamspc.design import arguments
from streamspc.design.ar1_cusum_side import REACH, Side
from streamspc.design.krylov import LARGEST, TooLarge, rare_mean, solved
from streamspc.design.roots import by_ladder
from streamspc.design.siegmund import siegmund_limit

if TYPE_CHECKING:
    from streamspc.model import Floats

WITHIN = 1e-11  # of the equation that may be left
LEAST = 1e-6  # marginal sigma: the lowest limit


def ar1_cusum_arl(phi: float, k: float, h: float, shift: float = 0.0) -> float:
    """Average run length of a two-sided CUSUM of an AR(1) series with coefficient phi and a stationary start.

    S = max(0, S +- y - k) from 0 on both sides, signal at S > h; k, h and shift in marginal sigma, the shift from the first point on.
    An average in control beyond 1e9 has fewer digits, five at 1e10 and fewer still further out, as points beyond 8 sigma are left out.

    Raises:
        ValueError: an argument that cannot be, or an average under a shift that is beyond 1e8 or so: rounding would decide it.

    >>> round(ar1_cusum_arl(0.5, 0.5, 5.0), 4), round(ar1_cusum_arl(0.0, 0.5, 5.0), 4)
    (51.6276, 465.4435)
    """
    phi, k = arguments.correlation("phi", phi), arguments.non_negative("k", k)
    h, shift = arguments.positive("h", h), arguments.finite("shift", shift)
    return _arl(phi, k, h, abs(shift))


@lru_cache(maxsize=1024)
def ar1_cusum_limit(phi: float, k: float, arl0: float) -> float:
    """The h with average run length `arl0` in control, with coefficient phi; k and h in marginal sigma, as in `ar1_cusum_arl`.

    Raises:
        ValueError: an argument that cannot be, or an `arl0` below that of the lowest limit.

    >>> round(ar1_cusum_limit(0.5, 0.5, 370.4), 6)
    10.30519
    """
    phi, k, arl0 = arguments.correlation("phi", phi), arguments.non_negative("k", k), arguments.run_length("arl0", arl0)
    if (least := _arl(phi, k, LEAST, 0.0)) > arl0:
        raise ValueError(f"arl0 is {arl0:g}: with k = {k:g} it is at least {least:.6g}")

    def arl(h: float, share: float, within: float) -> float:
        return _mirrored(Side(phi, k, h, 0.0, share), within)

    guess, slope = _guess(phi, k, arl0)
    return by_ladder(arl, guess, slope, arl0)


def _guess(phi: float, k: float, arl0: float) -> tuple[float, float]:
    """A limit, and by how much log ARL rises per h: Siegmund's for independent points of the same long-run variance.

    How far a sum is beyond 0 and the limit, 1.166 standard deviations of independent points, is fitted to exact limits.
    """
    longer = math.sqrt((1.0 + phi) / (1.0 - phi))  # standard deviation of a long sum, to that of independent points
    near, far = (longer * siegmund_limit(k / longer, 2.0 * arl) for arl in (arl0, 1.1 * arl0))
    beyond = 1.5 * longer - 0.335 / longer - 1.166
    return max(near - longer * beyond, 0.3 * near, 0.5), math.log(1.1) / (far - near)


@lru_cache(maxsize=4096)
def _arl(phi: float, k: float, h: float, shift: float) -> float:
    """The average run length for a shift upwards."""
    if k - shift >= REACH:
        return math.inf
    upper = Side(phi, k, h, shift)
    return _tied(upper, Side(phi, k, h, -shift)) if shift else _mirrored(upper, WITHIN)


def _mirrored(side: Side, within: float) -> float:
    """In control: v is u of the mirrored point."""

    def expected(u: Floats) -> Floats:
        result: Floats = side.steps @ u - side.signals @ u[side.pairs :]
        return result

    try:
        u = solved(expected, np.full(side.states, 0.5), within=within)
    except TooLarge:
        return _rare(side)
    return float(1.0 + 2.0 * (side.first @ u - side.first_signal @ u[side.pairs :]))


def _rare(side: Side) -> float:
    """In control, where the start is forgotten long before a signal: u is a constant, as the long run asks for it, and a rest.

    For u = 1 the equation has twice the chances of a signal on its right side, without rounding.
    """
    leave = 2.0 * np.asarray(side.signals.sum(axis=1))
    signal = hstack((csr_array((side.states, side.pairs)), side.signals), format="csr")
    steps = side.steps - signal
    constant = 0.5 * rare_mean(steps, leave)
    try:
        rest = solved(lambda u: steps @ u, 0.5 - constant * leave)
    except TooLarge:
        if 2.0 * constant < LARGEST:
            raise
        return 2.0 * constant  # the rest is no part of what a float can hold
    from_start = side.first @ rest - side.first_signal @ rest[side.pairs :]
    return float(1.0 + 2.0 * (constant * (1.0 - 2.0 * side.first_signal.sum()) + from_start))


def _tied(upper: Side, lower: Side) -> float:
    """Under a shift. The unknowns are u, v and a."""
    ours, both = upper.states, upper.states + lower.states

    def expected(unknown: Floats) -> Floats:
        u, v, a = unknown[:ours], unknown[ours:both], unknown[both]
        after_u = upper.steps @ u - upper.signals @ v[lower.pairs :] + a
        after_v = lower.steps @ v - lower.signals @ u[upper.pairs :] - a
        return np.concatenate((after_u, after_v, [a - v.mean()]))

    right = np.concatenate((np.zeros(ours), np.ones(lower.states), [0.0]))
    unknown = solved(expected, right, within=WITHIN)
    u, v = unknown[:ours], unknown[ours:both]
    from_start = upper.first @ u - upper.first_signal @ v[lower.pairs :] + lower.first @ v - lower.first_signal @ u[upper.pairs :]
    return float(1.0 + from_start)
