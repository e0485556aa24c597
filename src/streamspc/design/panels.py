"""Quadrature by panels, and integrals of interpolating polynomials: for integrands that are smooth piece by piece.

Source: Golub & Welsch (1969), Calculation of Gauss quadrature rules, Mathematics of Computation 23; Clenshaw & Curtis (1960), A method for
numerical integration on an automatic computer, Numerische Mathematik 2 (integration of the interpolant, here in Legendre polynomials).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from streamspc.design.quadrature import legendre

if TYPE_CHECKING:
    from streamspc.model import Floats


def composite(low: float, high: float, panels: int, nodes: int = 16) -> tuple[Floats, Floats]:
    """Nodes and weights on [low, high], Gauss-Legendre in each of equal panels.

    >>> x, weights = composite(0.0, 3.0, 2)
    >>> round(float(weights @ np.exp(-x)), 12) == round(1.0 - float(np.exp(-3.0)), 12)
    True
    """
    unit, weights = legendre(nodes)
    lines = np.linspace(low, high, panels + 1)
    half = np.diff(lines)[:, None] / 2.0
    return (lines[:-1, None] + half * (unit + 1.0)).ravel(), (half * weights).ravel()


@lru_cache(maxsize=64)
def to_legendre(n: int) -> Floats:
    """The matrix from values at the n Gauss-Legendre nodes to the coefficients of the interpolating Legendre series."""
    nodes, weights = legendre(n)
    matrix: Floats = (np.arange(n)[:, None] + 0.5) * np.polynomial.legendre.legvander(nodes, n - 1).T * weights
    return matrix


def interpolation(place: Floats, n: int) -> Floats:
    """Weights of the n Gauss-Legendre nodes in the value of the interpolating polynomial at places on [-1, 1], [place, node].

    The barycentric formula (Wang & Xiang 2012, On the convergence rates of Legendre approximation, Mathematics of Computation 81).

    >>> nodes, _ = legendre(5)
    >>> np.round(interpolation(np.array([0.3, nodes[1]]), 5) @ nodes**4, 12) == np.round(np.array([0.3, nodes[1]]) ** 4, 12)
    array([ True,  True])
    """
    nodes, weights = legendre(n)
    apart = place[:, None] - nodes
    apart[apart == 0.0] = 1e-300
    shares = np.sqrt((1.0 - nodes**2) * weights) * (-1.0) ** np.arange(n) / apart
    matrix: Floats = shares / shares.sum(axis=1)[:, None]
    return matrix


@lru_cache(maxsize=64)
def cumulative(n: int) -> Floats:
    """The matrix whose row i integrates the polynomial through values at the n nodes from -1 to node i.

    >>> nodes, _ = legendre(5)
    >>> bool(np.allclose(cumulative(5) @ nodes**4, (nodes**5 + 1.0) / 5.0))
    True
    """
    nodes, _ = legendre(n)
    values = np.polynomial.legendre.legvander(nodes, n)
    before = np.column_stack((np.zeros(n), values[:, :-2]))
    integrals = (values[:, 1:] - before) / (2 * np.arange(n) + 1)
    integrals[:, 0] = nodes + 1.0
    matrix: Floats = integrals @ to_legendre(n)
    return matrix
