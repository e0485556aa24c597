"""Beta-binomial law: items with a property among n, when its probability itself varies from sample to sample.

With mean p and intraclass correlation rho the probability is beta distributed with a = p (1 - rho) / rho and b = (1 - p)(1 - rho) / rho.
Chances follow from the ratios of neighbours, from the mean outwards, and are divided by their sum, so that no gamma function of a
million can take digits away. Where that would be too many counts, the binomial tail is integrated over the beta law: it is 0 or 1
but for nine standard deviations around x/n.

Source: Johnson, N. L., Kemp, A. W. and Kotz, S. (2005), Univariate discrete distributions, 3rd edition, section 6.2.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.special import betainc, betaincc, betaln, xlog1py, xlogy

from streamspc.design.counts import Binomial
from streamspc.design.quadrature import legendre
from streamspc.design.saddle_point import Array

_COUNTS = 2_000_000  # with a chance each, at most
_REACH = 50.0  # standard deviations with a chance each, where there are more
_PANELS = 64


@dataclass(frozen=True)
class BetaBinomial:
    """The law, for 0 < p < 1 and 0 < rho < 1.

    >>> law = BetaBinomial(1000, 0.01, 0.001)
    >>> float(law.above(np.array([22.0]))[0]).__round__(6)
    0.009635
    """

    n: int
    p: float
    rho: float

    @property
    def centre(self) -> float:
        """The mean."""
        return self.n * self.p

    @property
    def spread(self) -> float:
        """The standard deviation."""
        return math.sqrt(self.n * self.p * (1.0 - self.p) * (1.0 + (self.n - 1) * self.rho))

    @property
    def shapes(self) -> tuple[float, float]:
        """A and b of the beta law."""
        return self.p * (1.0 - self.rho) / self.rho, (1.0 - self.p) * (1.0 - self.rho) / self.rho

    def at(self, x: Array) -> Array:
        """P(X = x)."""
        difference: Array = self.up_to(x) - self.up_to(x - 1.0)
        return difference

    def up_to(self, x: Array) -> Array:
        """P(X <= x)."""
        return self._tail(x, below=True)

    def above(self, x: Array) -> Array:
        """P(X > x)."""
        return self._tail(x, below=False)

    def _tail(self, x: Array, *, below: bool) -> Array:
        first, last = _window(self)
        if last - first > _COUNTS:
            return np.array([_integral(self, float(each), below=below) for each in np.ravel(x)]).reshape(np.shape(x))
        table = _table(self, first, last)
        at = np.clip(x - first + 1.0, 0.0, last - first + 1.0).astype(np.int64)
        chosen: Array = (table.up_to if below else table.above)[at]
        return chosen


class _Table(NamedTuple):
    """Both tails at first - 1, first ... last."""

    up_to: Array
    above: Array


def _window(law: BetaBinomial) -> tuple[int, int]:
    """The counts that have a chance worth a number: all, or those near the mean."""
    if law.n <= _COUNTS:
        return 0, law.n
    far = _REACH * law.spread + _REACH
    return max(math.floor(law.centre - far), 0), min(math.ceil(law.centre + far), law.n)


@lru_cache(maxsize=8)
def _table(law: BetaBinomial, first: int, last: int) -> _Table:
    a, b = law.shapes
    start = min(max(round(law.centre), first), last)
    up, down = np.arange(start, last, dtype=np.float64), np.arange(start, first, -1, dtype=np.float64)
    rising = np.cumprod((law.n - up) * (up + a) / ((up + 1.0) * (law.n - up - 1.0 + b)))
    falling = np.cumprod(down * (law.n - down + b) / ((law.n - down + 1.0) * (down - 1.0 + a)))
    chance = np.concatenate((falling[::-1], [1.0], rising))
    chance /= chance.sum()
    return _Table(np.concatenate(([0.0], np.cumsum(chance))), np.concatenate((np.cumsum(chance[::-1])[::-1], [0.0])))


def _integral(law: BetaBinomial, x: float, *, below: bool) -> float:
    """One tail, as the mean of the binomial tail over the beta law."""
    if x < 0.0 or x >= law.n:
        return float((x >= law.n) == below)
    centre = (x + 0.5) / law.n
    half = 9.0 * math.sqrt(centre * (1.0 - centre) / law.n)
    if centre + half >= 1.0:
        return _integral(BetaBinomial(law.n, 1.0 - law.p, law.rho), law.n - x - 1.0, below=not below)
    if centre - half <= 0.0:
        return _few(law, x, below=below)
    a, b = law.shapes
    nodes, weights = legendre(16)
    panel = half / _PANELS
    theta = (centre + panel * (np.arange(1.0 - _PANELS, _PANELS, 2.0)[:, None] + nodes)).ravel()
    mass = panel * np.tile(weights, _PANELS) * np.exp(xlogy(a - 1.0, theta) + xlog1py(b - 1.0, -theta) - betaln(a, b))
    tail = betaincc(x + 1.0, law.n - x, theta) if below else betainc(x + 1.0, law.n - x, theta)
    whole = betainc(a, b, centre - half) if below else betaincc(a, b, centre + half)
    return float(whole + mass @ tail)


def _few(law: BetaBinomial, x: float, *, below: bool) -> float:
    """One tail at a small x, from the chances of 0 ... x."""
    a, b = law.shapes
    y = np.arange(x)
    ratios = np.cumprod((law.n - y) * (y + a) / ((y + 1.0) * (law.n - y - 1.0 + b)))
    share = math.exp(betaln(a, law.n + b) - betaln(a, b)) * (1.0 + float(ratios.sum()))
    return share if below else 1.0 - share


@dataclass(frozen=True)
class AllOrNone(Binomial):
    """The limit rho = 1: all n items have the property, or none."""

    def at(self, x: Array) -> Array:
        """P(X = x)."""
        difference: Array = self.up_to(x) - self.up_to(x - 1.0)
        return difference

    def up_to(self, x: Array) -> Array:
        """P(X <= x)."""
        tail: Array = np.where(x < 0.0, 0.0, np.where(x >= self.n, 1.0, 1.0 - self.p))
        return tail

    def above(self, x: Array) -> Array:
        """P(X > x)."""
        tail: Array = np.where(x < 0.0, 1.0, np.where(x >= self.n, 0.0, self.p))
        return tail
