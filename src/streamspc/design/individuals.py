"""Individuals and moving range charts used together: average run length by an integral equation.

A point x signals when |x| > M, or, from the second point on, when it differs from the one before by more than R. After a point x that
gave no signal the average run length is

    m(x) = 1 + integral of m(y) phi(y - shift) over max(-M, x - R) <= y <= min(M, x + R)

The range of integration has kinks at M - R and R - M, and m passes them on in steps of R, each time one derivative higher: the
collocation is piecewise between them. m is written as c + w with the mean of w zero; c times the probability of a signal, which is
known to full precision, carries the size of m, so wide limits cost no digits.

Source: Crowder (1987), Computation of ARL for combined individual measurement and moving range charts, Journal of Quality Technology 19.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from streamspc.design import arguments
from streamspc.design.panels import to_legendre
from streamspc.design.quadrature import legendre, normal_density
from streamspc.design.shewhart import shewhart_arl

if TYPE_CHECKING:
    from streamspc.model import Floats

NODES = 14  # a panel
WIDEST = 1.25  # panel, in sigma
REACH = 38.0  # points further off than this do not occur
RAREST = 1e-24  # less often than that is never: rounding would decide
KINKS = 8  # beyond this derivative a kink is smooth to double precision


def imr_arl(M: float, R: float | None, shift: float = 0.0) -> float:  # noqa: N803 - the literature's names
    """Average run length of an individuals chart with limits +-M together with a moving range chart with limit R, all in sigma.

    The first point has no moving range. R None or infinite leaves the individuals chart alone. The usual R is D4 d2 =
    3.26653 x 1.128379. An average beyond 1e24 is given as infinite.

    Raises:
        ValueError: M or R is not above 0, or M or the shift is not finite.

    >>> round(imr_arl(3.0, 3.686), 2), round(imr_arl(3.0, None, 1.0), 3)
    (105.35, 43.895)
    """
    M, shift = arguments.positive("M", M), arguments.finite("shift", shift)  # noqa: N806
    if R is None or math.inf == R or arguments.positive("R", R) >= 2.0 * M:
        return shewhart_arl(M, shift)
    return _arl(M, float(R), abs(shift))


@lru_cache(maxsize=1024)
def _arl(limit: float, most: float, shift: float) -> float:
    """The average run length for R < 2 M and a shift upwards."""
    start = float(ndtr(limit - shift) - ndtr(-limit - shift))  # the first point gives no signal
    low, high = max(-limit, shift - REACH), min(limit, shift + REACH)
    if start < 1e-18 or low >= high:
        return 1.0
    lines = _lines(limit, most, low, high)
    unit, weights = legendre(NODES)
    half = np.diff(lines)[:, None] / 2.0
    nodes = (lines[:-1, None] + half * (unit + 1.0)).ravel()
    kernel = _kernel(lines, nodes, most, shift)
    signal = ndtr(shift - np.minimum(limit, nodes + most)) + ndtr(np.maximum(-limit, nodes - most) - shift)
    mean = (half * weights).ravel() * normal_density(nodes - shift)
    if mean @ signal < RAREST:
        return math.inf
    system = np.block([[np.eye(len(nodes)) - kernel, signal[:, None]], [mean / mean.sum(), np.zeros(1)]])
    solution = np.linalg.solve(system, np.append(np.ones(len(nodes)), 0.0))
    return float(1.0 + start * solution[-1])


def _lines(limit: float, most: float, low: float, high: float) -> Floats:
    """The ends of the panels, ascending: where m has kinks, and as many more as the density needs."""
    steps = most * np.arange(1, KINKS + 1)
    even = np.linspace(low, high, int(np.ceil((high - low) / WIDEST)) + 1)
    lines = np.sort(np.concatenate((even, limit - steps, steps - limit)))
    lines = lines[(lines >= low) & (lines <= high)]
    apart: Floats = lines[np.append(True, np.diff(lines) > 1e-9 * (high - low))]
    return apart


def _kernel(lines: Floats, nodes: Floats, most: float, shift: float) -> Floats:
    """Row i integrates a function, given at the nodes, times the density over the points that may follow node i."""
    unit, weights = legendre(NODES)
    columns = []
    for left, right in pairwise(lines):
        a, b = np.clip(nodes - most, left, right), np.clip(nodes + most, left, right)
        at = a[:, None] + (b - a)[:, None] * (unit + 1.0) / 2.0
        mass = (b - a)[:, None] / 2.0 * weights * normal_density(at - shift)
        series = np.polynomial.legendre.legvander((2.0 * at - left - right) / (right - left), NODES - 1)
        columns.append(np.einsum("iq,iqk->ik", mass, series) @ to_legendre(NODES))
    return np.hstack(columns)
