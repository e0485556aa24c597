"""Laws of counts: Poisson, binomial, negative binomial, each with both tails to full relative precision.

A tail is never taken as one minus the other: false alarms live in the far tails, where that would leave no digits. Tails are incomplete
gamma and beta functions; single probabilities are taken from the logarithms of gamma and beta functions.

Source: Johnson, N. L., Kemp, A. W. and Kotz, S. (2005), Univariate discrete distributions, 3rd edition, sections 3.4, 4.4 and 5.4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy.special import betainc, betaincc, betaln, gammainc, gammaincc, gammaln, xlog1py, xlogy

Array = npt.NDArray[np.float64]


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
        n = np.maximum(x, 0.0)
        return _where(x >= 0.0, np.exp(xlogy(n, self.mean) - gammaln(n + 1.0) - self.mean), 0.0)

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
        m = np.clip(x, 0.0, self.n)
        log = xlogy(m, self.p) + xlog1py(self.n - m, -self.p) - betaln(m + 1.0, self.n - m + 1.0) - math.log(self.n + 1.0)
        return _where((x >= 0.0) & (x <= self.n), np.exp(log), 0.0)

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
        m = np.maximum(x, 0.0)
        log = self.size * math.log1p(-self.share) + xlogy(m, self.share) - betaln(m + 1.0, self.size) - np.log(m + self.size)
        return _where(x >= 0.0, np.exp(log), 0.0)

    def up_to(self, x: Array) -> Array:
        """P(X <= x)."""
        return _where(x >= 0.0, betaincc(np.maximum(x, 0.0) + 1.0, self.size, self.share), 0.0)

    def above(self, x: Array) -> Array:
        """P(X > x)."""
        return _where(x >= 0.0, betainc(np.maximum(x, 0.0) + 1.0, self.size, self.share), 1.0)


def _where(there: Any, value: Any, other: Any) -> Array:
    chosen: Array = np.where(there, value, other)
    return chosen
