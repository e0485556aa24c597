"""The law of the mean moving range of m independent normal points, exact.

W = |x_1 - x_2| + ... + |x_(m-1) - x_m| has the transform E exp(z W), m - 1 applications of the operator

    (T v)(x) = integral of exp(z |x - y|) v(y) phi(y) dy

to 1, integrated against phi. T maps to analytic functions, so Gauss-Legendre nodes with the integral of the interpolating polynomial on
either side of x converge geometrically. The law follows by Laplace inversion through saddle points, so tails keep their digits; the
path bends to the right, where exp(-z W) falls faster than the transform, which for few points falls only like a power, can grow.

Far out W is the largest of the sums of +-(x_i - x_(i+1)), of which the alternating one has the largest variance, 4 m - 6: its
density falls like exp(-W^2 / (8 m - 12)).

Sources: von Neumann (1941), Annals of Mathematical Statistics 12 (successive differences); Daniels (1954), Saddlepoint approximations in
statistics, Annals of Mathematical Statistics 25 (the path); Hoel (1946), The efficiency of the mean moving range, ibid. 17.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from streamspc.design.panels import composite, cumulative
from streamspc.design.quadrature import legendre, normal_density

if TYPE_CHECKING:
    from streamspc.model import Floats

Complexes = npt.NDArray[np.complex128]
Operator = Callable[[Complexes], Complexes]

D2 = 2.0 / math.sqrt(math.pi)  # the mean range of two: 1.128379
LEAST = 5  # points: with fewer, the transform falls too slowly
STEPS = 48  # applications of T, after which the largest eigenvalue speaks for the rest
STRIDE = 4.0  # standard deviations between saddle points
SPAN = 40.0  # standard deviations of a tilted law that the inversion tells apart
TAIL_SPAN = 28.0  # in the upper tail, where the tilted law is nearly normal
BEND = 0.5, 0.1  # slopes of the paths for the upper tail and for the rest
OVERFLOW, LARGEST = 300.0, 700.0  # exponents
FEW = 16  # points: with fewer, the transform falls slowly and the path without much bend is followed twice as far


class Path(NamedTuple):
    """One path of inversion and the sum that it is the best for."""

    z: Complexes
    step: Complexes  # dz / (2 pi i), for the upper half
    log: Complexes  # of the transform
    mean: float  # of W under the tilt


class MeanMovingRange:
    """w = mean moving range / (1.128379 sigma) of m points.

    >>> law = MeanMovingRange(25)
    >>> round(law.sd, 6)
    0.184368
    """

    def __init__(self, m: int) -> None:
        if m < LEAST:
            raise ValueError(f"m is {m}: a mean moving range needs at least {LEAST} points")
        self.m = m
        self.unit = (m - 1) * D2
        self.tail = self.unit**2 / (4.0 * m - 6.0)
        together = 4.0 / math.pi * (math.sqrt(0.75) + math.pi / 12.0) - D2**2  # covariance of two ranges that share a point
        self.sd = math.sqrt((m - 1) * (2.0 - D2**2) + 2.0 * (m - 2) * together) / self.unit

    def density(self, w: Floats) -> Floats:
        """The density at w > 0."""
        return self._inverted(np.asarray(w, np.float64), power=0) * self.unit

    def above(self, w: Floats) -> Floats:
        """P(W > w)."""
        return self._inverted(np.asarray(w, np.float64), power=1)

    def window(self, limit: float) -> tuple[float, float, float]:
        """Saddle points upwards until density times exp(limit^2 w^2 / 2) is below exp(-40) of its peak; from the mean downwards as is."""
        peak, index = 0.0, 0
        while True:
            index += 1
            theta, mean, _ = _tilt(self.m, index)
            log = float(_log_transform(self.m, np.array([theta], np.complex128)).real[0]) - theta * mean
            high = mean / self.unit
            log += 0.5 * (limit * high) ** 2
            peak = max(peak, log)
            if log < peak - 40.0:
                return max(0.0, 1.0 - 12.0 * self.sd), high, self.sd

    def expected_rate(self, wide: float) -> float:
        """E P(|N| > wide W), N standard normal."""
        low, high = max(1e-3, 1.0 - 10.0 * self.sd), 1.0 + 10.0 * self.sd
        w, mass = composite(low, high, math.ceil((high - low) / self.sd))
        return float((mass * self.density(w)) @ (2.0 * ndtr(-wide * w)))

    def _inverted(self, w: Floats, power: int) -> Floats:
        """The integral of E exp(z W) exp(-z w) / z^power over the path that is nearest to each w."""
        sums = np.atleast_1d(w) * self.unit
        result = np.empty_like(sums)
        for index in np.unique(numbers := np.array([_nearest(self.m, float(y)) for y in sums])):
            path, here = _path(self.m, int(index)), numbers == index
            exponent = path.log - np.multiply.outer(sums[here], path.z)
            value = 2.0 * (np.exp(exponent) @ (path.step / path.z**power)).real
            result[here] = value if index > 0 or power == 0 else 1.0 + value
        return result.reshape(np.shape(w))


@lru_cache(maxsize=65536)
def _nearest(m: int, y: float) -> int:
    """The number of the path whose tilted mean is nearest: 1, 2.. upwards from the mean, -1 for all below it."""
    if y < (m - 1) * D2:
        return -1
    index = 1
    while y > _tilt(m, index)[1]:
        index += 1
    before = index - 1
    return before if before and abs(y - _tilt(m, before)[1]) < abs(y - _tilt(m, index)[1]) else index


@lru_cache(maxsize=4096)
def _tilt(m: int, index: int) -> tuple[float, float, float]:
    """The real point of a path, with mean and variance of the tilted law there."""
    if abs(index) == 1:
        theta = index / math.sqrt(_moments(m, 0.0)[1])
    else:
        before = _tilt(m, index - 1)
        theta = before[0] + STRIDE / math.sqrt(before[2])
    return theta, *_moments(m, theta)


@lru_cache(maxsize=4096)
def _moments(m: int, theta: float) -> tuple[float, float]:
    """Mean and variance of W tilted by exp(theta W): derivatives of the logarithm of the transform."""
    step = 1e-2 / math.sqrt(m)
    low, here, high = _log_transform(m, np.array([theta - step, theta, theta + step], np.complex128)).real
    return float((high - low) / (2.0 * step)), float((high - 2.0 * here + low) / step**2)


@lru_cache(maxsize=256)
def _path(m: int, index: int) -> Path:
    """Nodes of the trapezoidal rule on the upper half of a path, with the transform there."""
    theta, mean, variance = _tilt(m, index)
    sd = math.sqrt(variance)
    span, turns = (SPAN, 4.0 if m < FEW else 2.0) if index < 2 else (TAIL_SPAN, 1.4)
    spacing, count = 2.0 * math.pi / (span * sd), int(span * turns)
    bend = BEND[index < 2]
    t = spacing * (np.arange(count) + 0.5)
    knee = 4.0 / sd
    z = theta + 1j * t + bend * (np.hypot(t, knee) - knee)
    slope = 1j + bend * t / np.hypot(t, knee)
    return Path(z, spacing * slope / (2j * math.pi), _log_transform(m, z), mean)


def _log_transform(m: int, z: Complexes) -> Complexes:
    """Log E exp(z W)."""
    reach = 8.5 + 2.0 * float(np.max(z.real.clip(0.0)))
    nodes = 40 + int(2.0 * reach + 0.5 * reach * float(np.max(np.abs(z.imag))))
    (x, weights), below = legendre(nodes), cumulative(nodes)
    mass = reach * normal_density(x * reach)
    operator = (_products if float(np.max(np.abs(z.real))) * reach < OVERFLOW else _kernels)(x * reach, z, mass, (below, weights - below))
    values, log = np.ones((nodes, len(z)), np.complex128), np.zeros(len(z), np.complex128)
    steps = min(m - 1, STEPS)
    for _ in range(steps):
        values = operator(values)
        scale = values[nodes // 2].copy()
        values /= scale
        log += np.log(scale)
    log += (m - 1 - steps) * np.log(scale)
    total: Complexes = log + np.log((weights * mass) @ values)
    return total


def _products(x: Floats, z: Complexes, mass: Floats, sides: tuple[Floats, Floats]) -> Operator:
    """T as two real matrices for all z, as exp(z |x - y|) is a product on either side of x."""
    rising, falling = (np.exp(np.multiply.outer(sign * x, z)) for sign in (1.0, -1.0))
    left, right = falling * mass[:, None], rising * mass[:, None]

    def operator(values: Complexes) -> Complexes:
        return rising * _times(sides[0], left * values) + falling * _times(sides[1], right * values)

    return operator


def _kernels(x: Floats, z: Complexes, mass: Floats, sides: tuple[Floats, Floats]) -> Operator:
    """T as a matrix for each z, where those products would overflow.

    Raises:
        ValueError: even so they would.
    """
    if 2.0 * float(np.max(np.abs(z.real))) * float(x[-1]) > LARGEST:
        raise ValueError("L is so near to where the average run length is infinite, for so few points, that it cannot be computed")
    gap = z[:, None, None] * (x[:, None] - x)
    steps = (np.exp(gap) * sides[0] + np.exp(-gap) * sides[1]) * mass

    def operator(values: Complexes) -> Complexes:
        moved: Complexes = np.matmul(steps, values.T[:, :, None])[:, :, 0].T
        return moved

    return operator


def _times(matrix: Floats, columns: Complexes) -> Complexes:
    """A real matrix times complex columns."""
    product: Complexes = (matrix @ columns.view(np.float64)).view(np.complex128)
    return product
