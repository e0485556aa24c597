"""Laws of counts: Poisson, binomial, negative binomial, each with both tails to full relative precision.

A tail is never taken as one minus the other: false alarms live in the far tails, where that would leave no digits. Tails are incomplete
gamma and beta functions; single probabilities have a module of their own.

Source: Johnson, N. L., Kemp, A. W. and Kotz, S. (2005), Univariate discrete distributions, 3rd edition, sections 3.4, 4.4 and 5.4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.special import betainc, betaincc, gammainc, gammaincc, xlog1py

from streamspc.design import saddle_point
from streamspc.design.saddle_point import Array


class Law(Protocol):
    """A law of counts 0, 1, 2 ...; arguments are arrays of whole numbers, negative ones too. Results are cached by it."""

    def __hash__(self) -> int: ...

    @property
    def centre(self) -> float:
        """The mean."""

    @property
    def spread(self) -> float:
        """The standard deviation."""

    def at(self, x: Array) -> Array:
        """P(X = x)."""

    def up_to(self, x: Array) -> Array:
        """P(X <= x)."""

    def above(self, x: Array) -> Array:
        """P(X > x)."""


@dataclass(frozen=True)
class Poisson:
    """Counts of rare events: variance equal to the mean.

    >>> float(Poisson(2.0).above(4.0)).__round__(6)
    0.052653
    """

    mean: float

    @property
    def centre(self) -> float:
        """The mean."""
        return self.mean

    @property
    def spread(self) -> float:
        """The root of the mean."""
        return math.sqrt(self.mean)

    def at(self, x: Array) -> Array:
        """P(X = x)."""
        if self.mean == 0.0:
            return _where(x == 0.0, 1.0, 0.0)
        return _where(x >= 0.0, saddle_point.poisson(np.maximum(x, 0.0), self.mean), 0.0)

    def up_to(self, x: Array) -> Array:
        """P(X <= x)."""
        return _where(x >= 0.0, gammaincc(np.maximum(x, 0.0) + 1.0, self.mean), 0.0)

    def above(self, x: Array) -> Array:
        """P(X > x)."""
        return _where(x >= 0.0, gammainc(np.maximum(x, 0.0) + 1.0, self.mean), 1.0)


@dataclass(frozen=True)
class Binomial:
    """Items with a property, among n that have it independently with probability p.

    >>> float(Binomial(50, 0.02).above(3.0)).__round__(6)
    0.017758
    """

    n: int
    p: float

    @property
    def centre(self) -> float:
        """The mean."""
        return self.n * self.p

    @property
    def spread(self) -> float:
        """The standard deviation."""
        return math.sqrt(self.n * self.p * (1.0 - self.p))

    def at(self, x: Array) -> Array:
        """P(X = x)."""
        ends = _where(x == 0.0, math.exp(xlog1py(self.n, -self.p)), _where(x == self.n, self.p**self.n, 0.0))
        if self.n == 1 or self.p in {0.0, 1.0}:
            return ends
        m = np.clip(x, 1.0, self.n - 1.0)
        return _where(x == m, saddle_point.binomial(m, self.n - m, self.p, 1.0 - self.p), ends)

    def up_to(self, x: Array) -> Array:
        """P(X <= x)."""
        return self._tail(betaincc, x, 1.0, 0.0)

    def above(self, x: Array) -> Array:
        """P(X > x)."""
        return self._tail(betainc, x, 0.0, 1.0)

    def _tail(self, beta: Any, x: Array, beyond: float, before: float) -> Array:
        m = np.clip(x, 0.0, self.n - 1.0)
        return _where(x < 0.0, before, _where(x >= self.n, beyond, beta(m + 1.0, self.n - m, self.p)))


@dataclass(frozen=True)
class NegativeBinomial:
    """Overdispersed counts: Poisson with a mean that is itself gamma distributed, so that var > mean.

    >>> float(NegativeBinomial(2.0, 3.0).above(4.0)).__round__(6)
    0.087944
    """

    mean: float
    var: float

    @property
    def centre(self) -> float:
        """The mean."""
        return self.mean

    @property
    def spread(self) -> float:
        """The standard deviation."""
        return math.sqrt(self.var)

    @property
    def size(self) -> float:
        """The shape of the gamma law."""
        return self.mean * self.mean / (self.var - self.mean)

    @property
    def share(self) -> float:
        """The probability that is raised to the power of x."""
        return (self.var - self.mean) / self.var

    def at(self, x: Array) -> Array:
        """P(X = x)."""
        m, size = np.maximum(x, 1.0), self.size
        inner = size / (size + m) * saddle_point.binomial(m, np.full_like(m, size), self.share, self.mean / self.var)
        return _where(x == m, inner, _where(x == 0.0, math.exp(size * math.log1p(-self.share)), 0.0))

    def up_to(self, x: Array) -> Array:
        """P(X <= x)."""
        return _where(x >= 0.0, betaincc(np.maximum(x, 0.0) + 1.0, self.size, self.share), 0.0)

    def above(self, x: Array) -> Array:
        """P(X > x)."""
        return _where(x >= 0.0, betainc(np.maximum(x, 0.0) + 1.0, self.size, self.share), 1.0)


def _where(there: Any, value: Any, other: Any) -> Array:
    chosen: Array = np.where(there, value, other)
    return chosen
