"""Average run length of a walk that rises to a limit from which it does not come back: a straight line, and the steps of the lattice.

For walks with drift mu > 0, far limits and touching (S >= h), Wiener and Hopf's factors give, but for the chance of a way back,

    A(h) = sum over n of P(Z_n < h),    sum of P(Z_n in dz) = U(dz) * D * D / d^2,

where U counts the visits of the free walk, D is 1 less the law of its first step to 0 or below, and d the chance that there is none. By
Spitzer's identity log D comes from sums over n of the law of S_n on S_n <= 0, here to second order in what is still seen at h:
Z_n is S at n + a points, plus b. Taking out the straight line that the smooth part of the sum is,

    A(h) = (h + (sigma^2 + mu^2) / (2 mu) - b) / mu + sum over n and x of p_n(x) (1[x < h] - K(h - x)),    b = 2 sum E[S_n^-] / n,

with x the places of S_n next to h, p_n their chances, and K the distribution function of a cubic B-spline, which takes the smooth part
out. So no q is too large, and no limit too far. What is left out is of third order: `arl` compares the second with the first and
answers only when it is below 3e-7 of the average run length, and so the third below 1e-7.

Sources: Spitzer, F. (1956), A combinatorial lemma and its application to probability theory, Transactions of the American Mathematical
Society 82; Feller, W. (1971), An introduction to probability theory and its applications, volume 2, chapters XI and XII; Siegmund (1985),
Sequential analysis, chapter VIII.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from streamspc.design.count_sums import density, growth, moments_from, moments_up_to
from streamspc.design.saddle_point import Array
from streamspc.design.walk import Walk, places

_NO_WAY_BACK = 12.0  # h mu / sigma^2: e^(-2 x 12) is the chance of one
_TOLERATED = 3e-7  # second order, of the average run length, while h mu / sigma^2 is below
_FAR = 1000.0
_SMOOTH = 25.0  # variance of the counts until then: fewer end at 0, and are no smooth function
_POINTS = 300_000  # at most, for the sums
_WIDE = 7.0  # standard deviations of the number of points to h


def escapes(walk: Walk, height: float) -> bool:
    """Does the walk rise, not come back from this height, and take so many counts to it that their law is smooth?"""
    drift, variance = walk.drift, walk.law.spread**2
    rises = drift > 0.0 and variance > 0.0 and variance * 2.0 * _NO_WAY_BACK < _POINTS * drift**2
    return rises and height * drift > _NO_WAY_BACK * variance and height * variance > _SMOOTH * drift


class _Sums(NamedTuple):
    """Over n: P(S_n <= 0), E[S_n^-] / n, and the variance about the drift on S_n <= 0, / n."""

    chance: float
    depth: float
    square: float


def arl(walk: Walk, states: int) -> float | None:
    """The average run length from 0, when the multiple `states` of 1/q is the smallest that signals; None where it is not known so."""
    drift, variance, height = walk.drift, walk.law.spread**2, states / walk.k.denominator
    if not escapes(walk, height):
        return None
    sums = _sums(walk)
    line = (height + (variance + drift**2) / (2.0 * drift) - 2.0 * sums.depth) / drift
    points, shift = 2.0 * sums.chance, 2.0 * sums.depth
    wider = -2.0 * sums.square / variance
    value = line + _steps(walk, states, points + wider, shift - drift * wider)
    if height * drift < _FAR * variance and abs(value - line - _steps(walk, states, points, shift)) > _TOLERATED * value:
        return None
    return value


@lru_cache(maxsize=256)
def _sums(walk: Walk) -> _Sums:
    drift, k, mean = walk.drift, float(walk.k), walk.law.centre
    last = math.ceil(6.0 * _NO_WAY_BACK * walk.law.spread**2 / drift**2) + 50
    n = np.arange(1.0, last)
    whole, rest = places(walk.k, 1, 0, last - 1)  # n k
    tail = moments_up_to(walk.law, n, whole) if walk.upper else moments_from(walk.law, n, whole + (rest > 0.0))
    chance, first, second = tail
    depth = np.abs(first - n * k * chance)
    square = second - 2.0 * n * mean * first + (n * mean) ** 2 * chance
    return _Sums(float(chance.sum()), float((depth / n).sum()), float((square / n).sum()))


def window(walk: Walk, height: float) -> tuple[float, float]:
    """The number of points after which the walk is at this height, and by how much it varies."""
    return height / walk.drift, _WIDE * walk.law.spread * math.sqrt(height / walk.drift**3) + 10.0


def _steps(walk: Walk, states: int, points: float, shift: float) -> float:
    """The sum over n of the line's corrections, Z_n being the walk at n + `points` points, plus `shift`."""
    k, (middle, wide) = float(walk.k), window(walk, states / walk.k.denominator)
    middle -= shift / walk.drift + points
    first = max(math.floor(middle - wide), 0)
    count = math.ceil(middle + wide) - first
    n = np.arange(float(first), first + count)
    if walk.upper:  # the largest j with j - n k < h
        whole, rest = places(walk.k, first, states - 1, count)
        below, gap = whole, rest + 1.0 / walk.k.denominator
    else:  # the smallest j with n k - j < h
        whole, rest = places(walk.k, first, -states, count)
        below, gap = whole + 1.0, 1.0 - rest
    t = n + points
    at = below + points * k + (-shift if walk.upper else shift)
    there = (t > 0.5) & (at > 2.0)
    t, at, gap = t[there], at[there], gap[there]
    lowest = at - 1.0 if walk.upper else at - 2.0  # of the four places from which, or to which, a step is
    chances = [density(walk.law, t, lowest)]
    for i in range(3):
        chances.append(chances[-1] * growth(walk.law, t, lowest + i))
    if not walk.upper:
        chances.reverse()  # from S = h - gap - 1 upwards
    farther, near, beyond, last = chances
    return float((farther * _outer(1.0 - gap) + near * _inner(gap) - beyond * _inner(1.0 - gap) - last * _outer(gap)).sum())


def _inner(v: Array) -> Array:
    """The chance of a cubic B-spline beyond v, for 0 <= v <= 1."""
    return 0.5 - v * (2.0 / 3.0 - v * v * (1.0 / 3.0 - v / 8.0))


def _outer(v: Array) -> Array:
    """And beyond 2 - v."""
    return v**4 / 24.0
