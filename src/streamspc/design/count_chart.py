"""Shewhart charts of counts: c (Poisson) and p or np (binomial, or beta-binomial where p itself varies).

Definition: a count strictly below the lower or strictly above the upper limit signals. Both limits are real numbers in counts, for the p
chart too: a lower limit of 0 never signals, and a count on a limit does not. A limit within rounding of a whole number is taken as that
number. `mean` and `p` are the true values.

Limits for a wished ARL0 are whole numbers, so that the average run length is at least the one wished for, rarely the same:
- `balance="tails"` gives probability limits. The lower limit is the largest with at most half of the rate 1/arl0 below it, the upper
  one the smallest that keeps to what is left of the rate, and then the lower one takes what that leaves.
- `balance="unbiased"` gives, among all pairs that neither limit can narrow, the one whose average run length is nearest to
  being largest in control: equal tails signal later, not sooner, after a small fall of a skew count.

Sources: Montgomery, D. C. (2013), Introduction to statistical quality control, 7th edition, chapter 7; Acosta-Mejia, C. A. (1999),
Improved p charts to monitor process quality, IIE Transactions 31 (unbiased limits).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from streamspc.design import arguments
from streamspc.design.beta_binomial import AllOrNone, BetaBinomial
from streamspc.design.counts import Binomial, Law, Poisson

_NEAR = 1e-12  # relative distance to a whole number that is rounding
_NUDGE = 1e-4  # of the mean, relative, to see on which side the average run length grows


def c_chart_arl(mean: float, lower: float, upper: float) -> float:
    """Average run length of a c chart with these limits, at the true mean; exact.

    Limits are real numbers in counts, strictly outside signals, and a lower limit of 0 never does (Montgomery 2013, section 7.3).

    Raises:
        ValueError: mean or upper is negative, lower is above upper, or one of them is not finite.

    >>> round(c_chart_arl(32, 4, 28), 6)
    1.377643
    """
    return _arl(Poisson(arguments.non_negative("mean", mean)), _outside(lower, upper))


def p_chart_arl(n: int, p: float, lower: float, upper: float, rho: float = 0.0) -> float:
    """Average run length of a p or np chart with these limits in counts, for samples of n at the true p; exact.

    With `rho` above 0 counts are beta-binomial of that intraclass correlation, a = p (1 - rho) / rho.
    The run length counts samples. Strictly outside signals, and a lower limit of 0 never does (Montgomery 2013, section 7.2).

    Raises:
        ValueError: n is not a whole number above 0, p is no probability, rho is not from 0 to below 1, upper is negative, or lower is
            above upper.

    >>> round(p_chart_arl(1000, 0.015, 0.56, 19.44), 6)
    8.123809
    """
    return _arl(_items(n, p, rho), _outside(lower, upper))


@lru_cache(maxsize=4096)
def c_chart_limit(mean: float, arl0: float, balance: str = "tails") -> tuple[float, float]:
    """Lower and upper limit of a c chart whose average run length at this mean is at least `arl0`; whole numbers.

    `balance` is "tails" (probability limits) or "unbiased" (Acosta-Mejia 1999); a count on a limit is in control.

    Raises:
        ValueError: mean is not above 0, arl0 is not above 1, `balance` is unknown, or no limits have so large an average run length.

    >>> c_chart_limit(16, 370.4), round(c_chart_arl(16, 5, 28), 1)
    ((5.0, 28.0), 386.2)
    """
    mean = arguments.positive("mean", mean)
    return _limits(lambda nudge: Poisson(mean * nudge), arl0, balance)


@lru_cache(maxsize=4096)
def p_chart_limit(n: int, p: float, arl0: float, rho: float = 0.0, balance: str = "tails") -> tuple[float, float]:
    """Lower and upper limit, in counts, of a p or np chart whose average run length at this p is at least `arl0`; whole numbers.

    `rho` as in `p_chart_arl`; `balance` is "tails" (probability limits) or "unbiased" (Acosta-Mejia 1999).

    Raises:
        ValueError: n, p or rho cannot be, arl0 is not above 1, `balance` is unknown, or no limits have so large an average run length.

    >>> p_chart_limit(1000, 0.01, 370.4)
    (2.0, 20.0)
    """
    if not 0.0 < arguments.probability("p", p) < 1.0:
        raise ValueError(f"p is {p:g}: counts do not vary, so there are no limits to find")
    return _limits(lambda nudge: _items(n, p * nudge, rho), arl0, balance)


class _Outside(NamedTuple):
    """The counts that signal: those up to `low`, and those above `high`."""

    low: int
    high: int


def _outside(lower: float, upper: float) -> _Outside:
    lower, upper = arguments.finite("lower", lower), arguments.non_negative("upper", upper)
    if lower > upper:
        raise ValueError(f"lower is {lower:g}, upper is {upper:g}: lower must not be above upper")
    return _Outside(math.ceil(_snapped(lower)) - 1, math.floor(_snapped(upper)))


def _snapped(limit: float) -> float:
    near = round(limit)
    return float(near) if abs(limit - near) <= _NEAR * max(1.0, abs(limit)) else limit


def _items(n: int, p: float, rho: float) -> Law:
    n, p, rho = arguments.whole("n", n, 1), arguments.probability("p", p), arguments.probability("rho", rho)
    if rho == 0.0 or n == 1 or p in {0.0, 1.0}:
        return Binomial(n, p)
    return AllOrNone(n, p) if rho == 1.0 else BetaBinomial(n, p, rho)


def _arl(law: Law, outside: _Outside) -> float:
    rate = _below(law, outside.low) + _above(law, outside.high)
    return 1.0 / min(rate, 1.0) if rate > 0.0 else math.inf  # a sum may round to more than 1


def _below(law: Law, x: int) -> float:
    return float(law.up_to(np.array([x], dtype=np.float64))[0])


def _above(law: Law, x: int) -> float:
    return float(law.above(np.array([x], dtype=np.float64))[0])


def _limits(law_at: Callable[[float], Law], arl0: float, balance: str) -> tuple[float, float]:
    """Both limits, for the law at a mean that is nudged by a factor."""
    rate = 1.0 / arguments.run_length("arl0", arl0)
    law = law_at(1.0)
    if arguments.one_of("balance", balance, ("tails", "unbiased")) == "tails":
        found = _narrowed(law, rate, _highest(law, rate / 2.0))
    else:
        found = _unbiased(law_at, rate)
    return float(found.low + 1), float(found.high)


def _narrowed(law: Law, rate: float, low: int) -> _Outside:
    """The smallest upper limit beside this lower one, then the largest lower one beside that."""
    high = _lowest(law, rate - _below(law, low))
    return _Outside(max(_highest(law, rate - _above(law, high)), low), high)


def _unbiased(law_at: Callable[[float], Law], rate: float) -> _Outside:
    """The pair with the least bias; the higher the lower limit, the later the average run length has its largest value."""
    law, more, fewer = law_at(1.0), law_at(1.0 + _NUDGE), law_at(1.0 - _NUDGE)

    def bias(low: int) -> float:
        pair = _narrowed(law, rate, low)
        return math.log(_arl(fewer, pair) / _arl(more, pair))

    first, last = -1, _highest(law, rate)
    while last - first > 1:
        middle = (first + last) // 2
        first, last = (middle, last) if bias(middle) > 0.0 else (first, middle)
    return _narrowed(law, rate, min((first, last), key=lambda low: abs(bias(low))))


def _lowest(law: Law, rate: float) -> int:
    """The smallest x with P(X > x) <= rate."""
    return _first(lambda x: _above(law, x) <= rate, law)


def _highest(law: Law, rate: float) -> int:
    """The largest x >= -1 with P(X <= x) <= rate."""
    return _first(lambda x: _below(law, x) > rate, law) - 1


def _first(holds: Callable[[int], bool], law: Law) -> int:
    """The smallest x >= 0 for which a condition holds that holds for all larger ones."""
    low, high, step = -1, max(math.floor(law.centre), 0), max(math.ceil(law.spread), 1)
    while not holds(high):
        low, high, step = high, high + step, 2 * step
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
