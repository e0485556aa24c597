"""Limits of charts with estimated centre and sigma, for any chart whose conditional average run length is known.

Given the estimates, with u the error of the centre in sigma of the plotted statistic (normal, variance 1 / m) and w the estimated over the
true sigma (`phase_one`), independent of u, the chart has an average run length A(limit, w, u) of its own, which grows with w.
- guaranteed: A = arl0 on a curve w*(u); P(A >= arl0) is the integral of P(W >= w*(u)) over the law of u, and the limit its root.
- expected rate: the mean of 1 / A over both laws is 1 / arl0; by Gauss quadrature for the law of W, and for the normal law of u.

Sources: Albers & Kallenberg (2004), Are estimated control charts in control?, Statistics 38; Gandy & Kvaloy (2013), Guaranteed conditional
performance of control charts via bootstrap methods, Scandinavian Journal of Statistics 40 (the aim; computed here without a bootstrap);
Jones, Champ & Rigdon (2001, 2004), run lengths of EWMA and CUSUM charts with estimated parameters.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.polynomial.legendre import legval
from scipy.linalg import eigh_tridiagonal
from scipy.optimize import brentq
from scipy.special import ndtri

from streamspc.design.panels import composite, to_legendre
from streamspc.design.phase_one import Spread
from streamspc.design.quadrature import interval, normal_density

if TYPE_CHECKING:
    from streamspc.model import Floats

Ints = npt.NDArray[np.intp]

Means = Callable[[float, "Floats", "Floats"], "Floats"]  # limit, w, u
_FAR, _WIDE = 7.0, 8.0  # standard deviations of the estimated centre and sigma that count
_CURVE, _ONCE = 24, 32  # nodes on the curve
_FEW, _MANY = (24, 22), (14, 12)  # nodes of either law for the expected rate: with few points in Phase I, and with more
_POINTS = 40  # so many are more
_COARSE = (7, 6)  # of the rule for a start
_NEAR, _STEPS, _ENOUGH = 1e-3, 8, 1e-5  # for a slope; Newton's steps; a last step, whose error is less by the error of the slope
_FAINT = 1e-10
_DIGITS = 1e-9


class Phase(NamedTuple):
    """What was estimated, and from how many points or samples."""

    m: int
    spread: Spread
    even: bool  # the mean is an even function of u

    @property
    def range(self) -> tuple[float, float, float]:
        """The least and the largest w, and the largest u, that count."""
        return max(1e-3, 1.0 - _WIDE * self.spread.sd), 1.0 + _WIDE * self.spread.sd, _FAR / math.sqrt(self.m)


class _Curve:
    """Where A = arl0, followed from limit to limit."""

    def __init__(self, means: Means, phase: Phase, arl0: float) -> None:
        self.means, self.phase, self.arl0 = means, phase, arl0
        self.wide = phase.range[:2]
        self.latest: tuple[Floats, Floats] | None = None  # u and w

    def chance(self, limit: float) -> float:
        """P(A >= arl0) at this limit."""
        grid = np.linspace(0.0 if self.phase.even else -_FAR, _FAR, 29 if self.phase.even else 57)
        near = np.flatnonzero(self._excess(limit, np.full(len(grid), self.wide[1]), grid / math.sqrt(self.phase.m)) > 0.0)
        if not len(near):
            return 0.0
        ends = max(near[0] - 1, 0), min(near[-1] + 1, len(grid) - 1)  # beyond, no sigma would do
        z, weights = interval(float(grid[ends[0]]), float(grid[ends[1]]), _CURVE if self.phase.even else 3 * _CURVE)
        u = z / math.sqrt(self.phase.m)
        w = self._needed(limit, u)
        self.latest = u, w
        return float((weights * normal_density(z)) @ self.phase.spread.above(w)) * (2.0 if self.phase.even else 1.0)

    def _excess(self, limit: float, w: Floats, u: Floats) -> Floats:
        return np.asarray(np.log(self.means(limit, w, u) / self.arl0), np.float64)

    def _needed(self, limit: float, u: Floats) -> Floats:
        """The w on the curve for each u; the ends of the range where it leaves the range."""
        low, high = np.full(len(u), self.wide[0]), np.full(len(u), self.wide[1])
        needed = np.where(self._excess(limit, low, u) > 0.0, low, high)
        inside = (needed == high) & (self._excess(limit, high, u) > 0.0)
        guess = np.ones(len(u)) if self.latest is None else np.interp(u, *self.latest)
        guess = np.clip(guess, 0.999 * low + 0.001 * high, 0.001 * low + 0.999 * high)
        if inside.any():
            needed[inside] = _secant(lambda w, kept: self._excess(limit, w, u[inside][kept]), (low[inside], high[inside]), guess[inside])
        return needed


def _secant(excess: Callable[[Floats, Ints], Floats], bracket: tuple[Floats, Floats], here: Floats) -> Floats:
    """The roots of increasing functions, excess(values, which of them), each by the secant method within its bracket."""
    (low, high), result, kept = bracket, here.copy(), np.arange(len(here))
    there = np.where(here * 1.01 < high, here * 1.01, here * 0.99)
    before = excess(there, kept)
    for _ in range(80):
        value = excess(here, kept)
        low, high = np.where(value < 0.0, here, low), np.where(value > 0.0, here, high)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = here - value * (here - there) / (value - before)
        step = np.where(value == 0.0, here, np.where((step > low) & (step < high), step, 0.5 * (low + high)))
        there, before, moved, here = here, value, np.abs(step - here), step
        result[kept] = here
        on = moved > 1e-10 * here
        if not on.any():
            break
        kept, here, there, before, low, high = kept[on], here[on], there[on], before[on], low[on], high[on]
    return result


def guaranteed(means: Means, phase: Phase, arl0: float, confidence: float, start: tuple[float, float]) -> float:
    """The limit with P(A >= arl0) = confidence. `start`: the least possible limit, and a first guess."""
    curve = _Curve(means, phase, arl0)

    def excess(limit: float) -> float:
        return float(ndtri(min(max(curve.chance(limit), 1e-12), 1.0 - 1e-12)) - ndtri(confidence))

    return _root(excess, start)


def guaranteed_scale(means: Callable[[Floats, Floats], Floats], phase: Phase, goal: tuple[float, float], known: float) -> float:
    """The same for a chart whose A depends on limit times w and u alone, evenly on u: its curve is followed once.

    `goal` is arl0 and confidence, `known` the limit for known parameters.
    """
    u = interval(0.0, _FAR, _ONCE)[0] / math.sqrt(phase.m)
    bracket = np.full(len(u), 0.2 * known), u + 4.0 * known
    curve = to_legendre(_ONCE) @ _secant(lambda limit, kept: np.log(means(limit, u[kept]) / goal[0]), bracket, known + 0.8 * u)
    z, weights = composite(0.0, _FAR, 14)
    scaled = np.asarray(legval(2.0 * z / _FAR - 1.0, curve), np.float64)
    share = 2.0 * weights * normal_density(z)

    def excess(limit: float) -> float:
        chance = float(share @ phase.spread.above(scaled / limit))
        return float(ndtri(min(max(chance, 1e-12), 1.0 - 1e-12)) - ndtri(goal[1]))

    return _root(excess, (0.0, known))


def expected(means: Means, phase: Phase, arl0: float, start: tuple[float, float]) -> float:
    """The limit with E 1 / A = 1 / arl0. `start`: the least possible limit, and a first guess.

    A coarse rule finds the limit to some digits, and the slope there; Newton's steps with the fine rule take that slope.
    """
    least = start[0]
    coarse, fine = _excess(means, phase, arl0, _COARSE), _excess(means, phase, arl0, _MANY if phase.m >= _POINTS else _FEW)
    place = math.log(_root(coarse, start) - least)
    slope = (coarse(least + math.exp(place + _NEAR)) - coarse(least + math.exp(place))) / _NEAR
    for _ in range(_STEPS):
        step = -fine(least + math.exp(place)) / slope
        place += step
        if abs(step) < _ENOUGH:
            return least + math.exp(place)
    return _root(fine, (least, least + math.exp(place)))


def _excess(means: Means, phase: Phase, arl0: float, nodes: tuple[int, int]) -> Callable[[float], float]:
    """Minus the logarithm of arl0 E 1 / A as a function of the limit, by rules of so many nodes for u (on one side) and w."""
    half, spreads = nodes
    z, weights = interval(0.0, _FAR, half) if phase.even else interval(-_FAR, _FAR, 2 * half)
    share = weights * normal_density(z)
    w, mass = gauss(phase.spread, spreads)
    grid = [axis.ravel() for axis in np.meshgrid(w, z / math.sqrt(phase.m), indexing="ij")]
    weight = np.multiply.outer(mass, share / share.sum()).ravel()
    counts = weight > _FAINT / arl0  # as A is at least 1
    grid, weight = [axis[counts] for axis in grid], weight[counts]
    return lambda limit: -math.log(arl0 * float(weight @ (1.0 / means(limit, *grid))))


def gauss(spread: Spread, n: int) -> tuple[Floats, Floats]:
    """The Gauss rule of the law of W: nodes and weights, by Lanczos' method on a fine rule."""
    x, fine = composite(max(1e-4, 1.0 - 10.0 * spread.sd), 1.0 + 10.0 * spread.sd, 24)
    mass = (fine * spread.density(x)).clip(0.0)
    basis = [np.sqrt(mass / mass.sum())]
    diagonal, beside = [], []
    for _ in range(n):
        vector = x * basis[-1]
        diagonal.append(float(vector @ basis[-1]))
        known = np.array(basis)
        vector = vector - known.T @ (known @ vector)
        vector = vector - known.T @ (known @ vector)
        beside.append(float(np.linalg.norm(vector)))
        basis.append(vector / beside[-1])
    nodes, vectors = eigh_tridiagonal(np.array(diagonal), np.array(beside[:-1]))
    return nodes, np.square(vectors[0])


def _root(excess: Callable[[float], float], start: tuple[float, float]) -> float:
    """The root of a function that grows with the limit, nearly linearly in its logarithm: secant method, then Brent's if it strays."""
    least, guess = start

    def shifted(log_above: float) -> float:
        return excess(least + math.exp(log_above))

    before, value_before = math.log(guess - least), shifted(math.log(guess - least))
    here = before - math.copysign(0.1, value_before)
    for _ in range(12):
        value = shifted(here)
        if value == value_before:
            break
        step = -value * (here - before) / (value - value_before)
        before, value_before, here = here, value, here + min(max(step, -0.7), 0.7)
        if abs(step) < _DIGITS:
            return least + math.exp(here)
    return least + math.exp(float(brentq(shifted, *_bracket(shifted, math.log(guess - least)), xtol=1e-12, rtol=1e-12)))


def _bracket(excess: Callable[[float], float], start: float) -> tuple[float, float]:
    low = start
    step = math.copysign(0.1, -excess(start))
    for _ in range(16):
        high = low + step
        if (excess(high) > 0.0) == (step > 0.0):
            return min(low, high), max(low, high)
        low, step = high, 1.5 * step
    raise ValueError("no limit has this average run length after such a Phase I: it has too few points")
