"""Gauss-Legendre nodes and weights, computed once for each number of nodes.

A run-length equation with a normal kernel of width 1 over an interval of length b is solved to the last digits by about 2 b + 30 nodes,
since the integrand has no frequencies beyond 8 to speak of and n nodes resolve n / b of them.

Source: Golub & Welsch (1969), Calculation of Gauss quadrature rules, Mathematics of Computation 23.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from streamspc.model import Floats

MOST_NODES = 4000
_EVEN = 15.0  # minus half the logarithm of what an arc sine may cost


@lru_cache(maxsize=256)
def legendre(n: int) -> tuple[Floats, Floats]:
    """Nodes and weights of the n-point rule on [-1, 1], ascending and read-only.

    >>> nodes, weights = legendre(2)
    >>> float(nodes[1] ** 2), float(weights.sum())
    (0.3333333333333333, 2.0)
    """
    nodes, weights = special.roots_legendre(n)
    nodes.setflags(write=False)
    weights.setflags(write=False)
    return nodes, weights


def interval(low: float, high: float, n: int) -> tuple[Floats, Floats]:
    """Nodes and weights of the n-point rule on [low, high].

    >>> nodes, weights = interval(0.0, 2.0, 3)
    >>> round(float(weights @ nodes**5), 12)
    10.666666666667
    """
    nodes, weights = legendre(n)
    half = 0.5 * (high - low)
    return low + half * (nodes + 1.0), half * weights


def even(low: float, high: float, n: int) -> tuple[Floats, Floats]:
    """Nodes and weights of the n-point rule on [low, high] for integrands that need the same spacing everywhere.

    Gauss nodes are crowded at the ends and pi / 2 times farther apart in the middle. An arc sine moves them there: all but even, with an
    error of about 1e-13 of its own. Few nodes stay where they are.

    Source: Kosloff & Tal-Ezer (1993), A modified Chebyshev pseudospectral method, Journal of Computational Physics 104; Hale & Trefethen
    (2008), New quadrature formulas from conformal maps, SIAM Journal on Numerical Analysis 46.

    >>> x, weights = even(0.0, 3.0, 60)
    >>> round(float(weights @ np.exp(-x)), 12) == round(1.0 - float(np.exp(-3.0)), 12), bool(np.diff(x).max() < 1.25 * 3.0 / 60)
    (True, True)
    """
    nodes, weights = legendre(n)
    stretch = 1.0 / math.cosh(_EVEN / n)
    half, moved = 0.5 * (high - low) / math.asin(stretch), stretch * nodes
    return 0.5 * (low + high) + half * np.arcsin(moved), half * stretch * weights / np.sqrt(1.0 - moved**2)


def enough(widths: float) -> int:
    """How many nodes resolve an interval that is so many standard deviations of a normal kernel long.

    Raises:
        ValueError: more than 4000 would be needed.
    """
    nodes = 2.0 * widths + 30.0
    if not nodes <= MOST_NODES:
        raise ValueError(f"the limits are {widths:.4g} standard deviations of one step apart: too far for an exact computation")
    return math.ceil(nodes)


def normal_density(x: Floats) -> Floats:
    """Density of the standard normal distribution."""
    density: Floats = np.exp(-0.5 * x * x)
    density *= 1.0 / math.sqrt(2.0 * math.pi)
    return density
