"""Bernoulli CUSUM: a CUSUM of single items, each with or without a property.

Definition: S = max(0, S + x - k) with k = 1/m, x = 1 for an item with the property and 0 for one without, from S = 0; out of control when
S >= h. Run lengths count items. With m whole, S moves on multiples of 1/m: down by one without the property, up by m - 1 with it.

A cycle from 0 to 0 or to a signal has expected length T and chance of a signal A, and the average run length is T / A. Below the limit
both are functions of the state s that obey f(s) = c + (1-p) f(s-1) + p f(s+m-1), which is solved in stretches of m - 1 states from
the top: within one it is a recursive filter of the stretch above, up to the value at the state below, which the next stretch gives. So
millions of states are no matter, and as all terms are positive neither are rare signals. An m that is not whole gives the general chain.

Source: Reynolds, M. R. and Stoumbos, Z. G. (1999), A CUSUM chart for monitoring a proportion when inspecting continuously, Journal of
Quality Technology 31.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.linalg import solve_banded

from streamspc.design import arguments
from streamspc.design.count_cusum import binomial_cusum_arl, binomial_cusum_limit
from streamspc.design.counts import Binomial
from streamspc.design.lattice_limit import smallest
from streamspc.design.lundberg import brownian_limit
from streamspc.design.saddle_point import Array
from streamspc.design.walk import Walk, limit_of, rational, steps_to_signal


def bernoulli_cusum_arl(p: float, m: float, h: float) -> float:
    """Average number of items to a signal of the Bernoulli CUSUM with k = 1/m, at the true probability p, from S = 0; signal at S >= h.

    Exact: a chain on the multiples of 1/m (Reynolds & Stoumbos 1999).
    `p` is the true probability, h in units of S. An m that is not whole is allowed.

    Raises:
        ValueError: p is no probability, m is below 1, h is negative, or one of them is not finite.

    >>> round(bernoulli_cusum_arl(0.01, 50, 3), 3)
    5131.9
    """
    p, m, h = arguments.probability("p", p), _items(m), arguments.non_negative("h", h)
    if m != int(m):
        return binomial_cusum_arl(1, p, 1.0 / m, h)
    return _arl(p, int(m), steps_to_signal(rational(h), int(m), touching=True))


@lru_cache(maxsize=4096)
def bernoulli_cusum_limit(p: float, m: float, arl0: float) -> float:
    """The smallest multiple of 1/m as limit h whose average run length at p, in items, is at least `arl0`.

    Signal at S >= h, k = 1/m (Reynolds & Stoumbos 1999).

    Raises:
        ValueError: p is no probability, m is below 1, arl0 is not above 1, or the chart can never signal.

    >>> bernoulli_cusum_limit(0.01, 50, 10000)
    3.52
    """
    p, m, arl0 = arguments.probability("p", p), _items(m), arguments.run_length("arl0", arl0)
    if m != int(m):
        return binomial_cusum_limit(1, p, 1.0 / m, arl0)
    near = brownian_limit(Walk(Binomial(1, p), Fraction(1, int(m)), upper=True))
    return limit_of(smallest(lambda states: _arl(p, int(m), states), arl0, lambda length: m * near(length)), int(m), touching=True)


def _items(m: float) -> float:
    m = float(rational(arguments.finite("m", m)))
    if m < 1.0:
        raise ValueError(f"m is {m:g}: it must be at least 1, as k = 1/m is at most the 1 that an item adds")
    return m


@lru_cache(maxsize=4096)
def _arl(p: float, m: int, states: int) -> float:
    """The average run length when the multiple `states` of 1/m is the smallest that signals."""
    if states <= 0:
        return 1.0
    if p == 0.0 or m == 1:
        return math.inf
    rise = m - 1
    if rise >= states:
        return 1.0 / p
    length, signal = _cycle(p, rise, states)
    return (1.0 + p * length) / (p * signal) if p * signal > 0.0 else math.inf


class _Cycle(NamedTuple):
    """At each state of a stretch: expected items left in the cycle, and chance of a signal."""

    length: Array
    signal: Array


def _cycle(p: float, rise: int, states: int) -> tuple[float, float]:
    """Expected items left and chance of a signal at the state rise = m - 1, with the states 1 ... H-1 below the limit H = states.

    Each stretch is `fixed` + `share` times the unknown value at the state below it, which is the top value of the next stretch.
    """
    fixed, share = _Cycle(np.zeros(rise), np.ones(rise)), np.zeros(rise)  # of the states H ...: the cycle is over
    below = states - 1
    while True:
        size = min(rise, below)
        source = [c + p * f[-size:] for c, f in ((1.0, fixed.length), (0.0, fixed.signal), (0.0, share))]
        length, signal, chained = _filter(p, np.stack(source))
        leaving = 1.0 - chained[-1]
        top = _Cycle(length[-1] / leaving, signal[-1] / leaving)
        here = _Cycle(length + chained * top.length, signal + chained * top.signal)
        below -= size
        if below == 0:  # the unknown is the value at 0, where the cycle is over too
            break
        decay = (1.0 - p) ** np.arange(1.0, size + 1.0)
        fixed, share = here, decay + chained * (decay[-1] / leaving)
    if size == rise:
        return float(here.length[-1]), float(here.signal[-1])
    at = rise - size - 1  # in the stretch above the lowest
    return float(fixed.length[at] + share[at] * here.length[-1]), float(fixed.signal[at] + share[at] * here.signal[-1])


def _filter(p: float, source: Array) -> Array:
    """f(s) = source(s) + (1-p) f(s-1), from 0: each row. One bidiagonal system."""
    bands = np.ones((2, source.shape[1]))
    bands[1] = p - 1.0
    filtered: Array = solve_banded((1, 0), bands, source.T).T
    return filtered
