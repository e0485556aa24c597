"""A CUSUM of counts as a random walk on a lattice: S' = max(0, S + Y - c) for whole Y, out of control at S >= h or S > h.

The reference value c is a fraction P/q, so that S moves on multiples of 1/q however many decimals it has. Times are those of cycles
between two visits of 0: with L the length of a cycle and A the chance that it ends in a signal, the average run length is E[L] / A.
Both come from sums of positive terms over the states of one cycle, so an average run length of 1e12 keeps its digits, where a solution
of (I - Q) arl = 1 would have lost them to the near-singular matrix.

Source: Wald, A. (1947), Sequential analysis, appendix; Brook, D. and Evans, D. A. (1972), An approach to the probability distribution
of CUSUM run length, Biometrika 59 (the chain, which is exact for counts).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from streamspc.design.counts import Law
from streamspc.design.saddle_point import Array

_FINEST = 2**40  # denominator: finer than a float of k can tell, and few enough for whole numbers of 64 bits
_ROUNDING = 1e-14  # by which a float may miss the fraction that it means, absolute below 1


def rational(value: float) -> Fraction:
    """The simplest fraction that a float can be taken to mean, of a denominator up to a million; else the nearest one up to 2^40.

    >>> rational(0.1 + 0.2), rational(7 / 3)
    (Fraction(3, 10), Fraction(7, 3))
    """
    exact = Fraction(value)
    for digits in range(7):
        near = exact.limit_denominator(10**digits)
        if abs(near - exact) <= _ROUNDING * max(1.0, abs(value)):
            return near
    return exact.limit_denominator(_FINEST)


@dataclass(frozen=True)
class Walk:
    """The steps Y - c of one side: Y is the count and c = k for the upper side, both with the opposite sign for the lower one."""

    law: Law
    k: Fraction
    upper: bool

    @property
    def fall(self) -> Fraction:
        """C: by how much the walk falls when Y is 0."""
        return self.k if self.upper else -self.k

    @property
    def drift(self) -> float:
        """The mean of a step."""
        rise = self.law.centre - float(self.k)
        return rise if self.upper else -rise

    def at(self, y: Array) -> Array:
        """P(Y = y)."""
        return self.law.at(y if self.upper else -y)

    def from_(self, y: Array) -> Array:
        """P(Y >= y)."""
        return self.law.above(y - 1.0) if self.upper else self.law.up_to(-y)


def steps_to_signal(h: Fraction, q: int, *, touching: bool) -> int:
    """The smallest multiple of 1/q that is out of control: >= h when touching is enough, else > h."""
    return math.ceil(h * q) if touching else math.floor(h * q) + 1


def limit_of(steps: int, q: int, *, touching: bool) -> float:
    """The limit h, on the lattice, for which `steps` is the smallest multiple that is out of control; rounded to the safe side."""
    exact = Fraction(steps if touching else steps - 1, q)
    limit = float(exact)
    while rational(limit) < exact:
        limit += _ROUNDING * max(1.0, limit)
    return limit


def places(k: Fraction, first: int, more: int, count: int) -> tuple[Array, Array]:
    """Whole part and fraction of t k + more / q, k = p/q, for t = first, first + 1 ...: exact, however many points there are.

    >>> [part.tolist() for part in places(Fraction(5, 2), 1, 1, 3)]
    [[3.0, 5.0, 8.0], [0.0, 0.5, 0.0]]
    """
    p, q = k.numerator, k.denominator
    steps = np.arange(count, dtype=np.int64)
    whole, rest = divmod(first * p + more, q)
    carry, left = np.divmod(steps * (p % q) + rest, q)
    return np.float64(whole) + steps * (p // q) + carry, np.asarray(left / q, np.float64)


def whole_numbers(first: int, last: int) -> Array:
    """First ... last, both included."""
    return np.arange(first, last + 1, dtype=np.float64)
