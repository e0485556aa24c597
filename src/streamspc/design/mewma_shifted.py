"""MEWMA charts under a shift: the integral equation in two dimensions.

With the shift along the first axis, the average run length depends on the coordinate a of Z along it and on the length r of the rest,
which move independently: a to (1 - lam) a + delta + N(0, 1), r by the noncentral chi law with p - 1 degrees of freedom, both in
units of lam. The chart goes on while a^2 + r^2 <= S^2.

The lengths are r = S sin t with Gauss-Legendre nodes in t, which makes the integrand entire although the edge is a circle. At each
length a runs over its own chord; the function there is interpolated from nodes on all of [-S, S], so that the system is a product
of small matrices, and is solved by GMRES.

Sources: Rigdon (1995), A double-integral equation for the average run length of a multivariate exponentially weighted moving average
control chart, Statistics & Probability Letters 24; Knoth (2017), ARL numerics for MEWMA charts, Journal of Quality Technology 49.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from streamspc.design.krylov import TooLarge, mean_times
from streamspc.design.noncentral_chi import length_density, noncentral_above
from streamspc.design.panels import to_legendre
from streamspc.design.quadrature import interval, legendre, normal_density

if TYPE_CHECKING:
    from streamspc.model import Floats

ALONG = 1.3, 26  # nodes a unit of 2 S, and at least
ACROSS = 1.7, 18  # nodes a unit of S, and at least
FINER = 1.35


@lru_cache(maxsize=1024)
def shifted_arl(p: int, lam: float, h4: float, delta: float) -> float:
    """Average run length from 0; a large one needs more nodes, so that the probabilities sum to 1 more exactly."""
    radius = math.sqrt(h4 / (lam * (2.0 - lam)))
    try:
        return _on_nodes(p, lam, radius, delta, 1.0)
    except TooLarge:
        return _on_nodes(p, lam, radius, delta, FINER)


def _on_nodes(p: int, lam: float, radius: float, delta: float, finer: float) -> float:
    """The same with so many times the nodes."""
    x, share = legendre(math.ceil(finer * ALONG[0] * 2.0 * radius) + ALONG[1])
    t, arc = interval(0.0, math.pi / 2.0, math.ceil(finer * ACROSS[0] * radius) + ACROSS[1])
    r, chord = radius * np.sin(t), np.cos(t)
    if p == 1:
        r, chord, arc = np.zeros(1), np.ones(1), np.ones(1)
    starts = np.append((1.0 - lam) * radius * x, 0.0) + delta  # the last one is the start of the chart
    rests = np.append((1.0 - lam) * r, 0.0)

    moves = np.empty((len(r), len(starts), len(x)))
    for row, reach in enumerate(chord):
        at = radius * reach * x
        mass = normal_density(at - starts[:, None]) * (share * radius * reach)
        moves[row] = (mass @ np.polynomial.legendre.legvander(reach * x, len(x) - 1)) @ to_legendre(len(x))
        moves[row] += ((mass.sum(axis=1) - moves[row].sum(axis=1)) / len(x))[:, None]  # constants exactly: the ARL is nearly one
    lengths = _lengths(p, rests, r, arc * radius * chord)
    inner, shape = moves[:, :-1], (len(r), len(x))

    def expected(flat: Floats) -> Floats:
        after = np.matmul(inner, flat.reshape(shape)[:, :, None])[:, :, 0]
        result: Floats = (lengths[:-1] @ after).ravel()
        return result

    total = lengths[0] @ moves.sum(axis=2)  # from the least length and all places along the shift
    leave = [noncentral_above(p, radius * radius, math.hypot(rests[0], start)) for start in starts]
    noise = float(np.abs(1.0 - total - leave).max())
    means = mean_times(expected, len(r) * len(x), noise).reshape(shape)
    return float(1.0 + lengths[-1] @ np.einsum("rx,rx->r", moves[:, -1], means))


def _lengths(p: int, ahead: Floats, r: Floats, weights: Floats) -> Floats:
    """Row i integrates over the next length of the rest from the mean length `ahead` i; one metric has no rest."""
    if p == 1:
        return np.ones((len(ahead), 1))
    return length_density(p - 1, ahead, r) * weights
