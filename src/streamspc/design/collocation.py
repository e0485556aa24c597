"""Run-length equations whose kernel has edges, by piecewise collocation.

The equation A(s) = 1 + mass(s) A(0) + integral of A(y) f((y - origin(s)) / scale) / scale dy loses its smoothness where an edge of the
density f meets the end of the continuation region, and again where it meets such a point. With those points as the edges of panels, A is a
polynomial on each panel to any accuracy: its unknowns are the values at Gauss-Legendre nodes, and each integral is split at the edges of
panels and of the density, with a power substitution where the density is infinite (chi-square with one degree of freedom).

Source: Knoth (2005), Accurate ARL computation for EWMA-S^2 control charts, Statistics and Computing 15; Knoth (2006), Computation of the
ARL for CUSUM-S^2 schemes, Computational Statistics & Data Analysis 51.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.polynomial.legendre import legvander

from streamspc.design.absorbing import Absorbing
from streamspc.design.quadrature import MOST_NODES, legendre

if TYPE_CHECKING:
    from streamspc.model import Bools, Floats

DEGREE, QUADRATURE = 14, 22  # nodes of a panel, and of each piece of an integral
GROWTH = 0.5  # of graded panels: width to distance
_LONG = 1e5  # average run lengths that lose more than 1e-11 to a general solver


@dataclass(frozen=True)
class Noise:
    """The density of one step."""

    density: Callable[[Floats], Floats]
    marks: tuple[float, ...]  # where it changes its character, finite ends of the support included
    low: float = -math.inf
    high: float = math.inf
    powers: tuple[int, int] = (1, 1)  # of the substitutions at `low` and `high`, above 1 where the density is not smooth there


class Panels:
    """Piecewise polynomials on [edges[0], edges[-1]]; with `power` above 1, nodes crowd at the right end of each panel."""

    def __init__(self, edges: Sequence[float], power: int = 1) -> None:
        self.edges = np.asarray(edges, np.float64)
        self.power = power
        if len(edges) * DEGREE > MOST_NODES:
            raise ValueError("the limits are too far apart for an exact computation: too many steps of the statistic lie between them")

    @cached_property
    def nodes(self) -> Floats:
        """The points at which the unknown function is held, ascending."""
        unit = 0.5 * (legendre(DEGREE)[0] + 1.0)
        nodes = self.edges[1:, None] - np.diff(self.edges)[:, None] * (1.0 - unit) ** self.power
        return np.asarray(nodes.ravel(), np.float64)

    def basis(self, place: Floats) -> Floats:
        """Weights of a panel's nodes in the value at each place; places run from 1 at the left end of a panel to 0 at the right end."""
        nodes, weights = legendre(DEGREE)
        from_values = legvander(nodes, DEGREE - 1) * weights[:, None] * (np.arange(DEGREE) + 0.5)
        return np.asarray(legvander(1.0 - 2.0 * place, DEGREE - 1) @ from_values.T, np.float64)


def operator(panels: Panels, noise: Noise, origins: Floats, scale: float) -> Floats:
    """The integral of A(y) f((y - origin) / scale) / scale over the panels, as weights of the nodes, [origin, node]."""
    edges = panels.edges
    cuts = np.clip(origins[:, None] + scale * np.array(noise.marks), edges[0], edges[-1])
    grid = np.sort(np.concatenate((np.broadcast_to(edges, (len(origins), len(edges))), cuts), axis=1), axis=1)
    middle = 0.5 * (grid[:, 1:] + grid[:, :-1]) - origins[:, None]
    kept = (np.diff(grid, axis=1) > 1e-14 * (edges[-1] - edges[0])) & (middle > scale * noise.low) & (middle < scale * noise.high)
    row, piece = np.nonzero(kept)
    low, high = grid[row, piece], grid[row, piece + 1]
    panel = np.clip(np.searchsorted(edges, 0.5 * (low + high)) - 1, 0, len(edges) - 2)
    first = (low - origins[row]) / scale
    at_low = low == origins[row] + scale * noise.low
    at_high = high == origins[row] + scale * noise.high
    powers = np.where(at_low, noise.powers[0], 1), np.where(at_high, noise.powers[1], 1)
    width, right = np.diff(edges)[panel], edges[panel + 1]
    ends = [(np.clip((right - end) / width, 0.0, 1.0) ** (1.0 / panels.power))[:, None] for end in (low, high)]
    moved, weights = _rule(ends[0] - ends[1], powers)
    place = ends[0] - moved
    away = -np.expm1(panels.power * np.log1p(-moved / ends[0])) * (width[:, None] * ends[0] ** panels.power)
    weights *= panels.power * place ** (panels.power - 1) * (width[:, None] / scale)
    x = np.where(at_low, noise.low, first)[:, None] + away / scale
    whole = (low == edges[panel]) & (high == edges[panel + 1]) & (powers[0] == 1) & (powers[1] == 1)
    part = _weighed(panels, noise.density(x) * weights, place, whole)
    matrix = np.zeros((len(origins), len(edges) - 1, DEGREE))
    np.add.at(matrix, (row, panel), part)
    return matrix.reshape(len(origins), -1)


def _weighed(panels: Panels, values: Floats, place: Floats, whole: Bools) -> Floats:
    """Weights of the nodes in the integral over each piece; all pieces that are whole panels have their places in common."""
    part = np.empty((len(values), DEGREE))
    part[~whole] = np.einsum("pq,pqn->pn", values[~whole], panels.basis(place[~whole]))
    if whole.any():
        part[whole] = values[whole] @ panels.basis(place[whole.argmax()])
    return part


def _rule(width: Floats, powers: tuple[np.typing.NDArray[np.int_], np.typing.NDArray[np.int_]]) -> tuple[Floats, Floats]:
    """Distances from the left end of each piece, and weights; nodes crowd at an end with a power above 1, the left one first."""
    unit, share = 0.5 * (legendre(QUADRATURE)[0] + 1.0), 0.5 * legendre(QUADRATURE)[1]
    kinds, which = np.unique(np.where(powers[0] > 1, powers[0], -powers[1]), return_inverse=True)  # negative: crowded at the right end
    from_end = np.where(kinds[:, None] > 0, unit, 1.0 - unit)
    power = np.abs(kinds)[:, None]
    moved = np.where(kinds[:, None] > 0, from_end**power, 1.0 - from_end**power)
    weights = power * from_end ** (power - 1) * share
    return width * moved[which], width * weights[which]


def mean_times(matrix: Floats, leave: Floats) -> Floats:
    """Average run length from each state, first states last to be eliminated when it is too long for a general solver."""
    mean = _plain(matrix)
    if mean.min() > 0.0 and mean.max() < _LONG:
        return mean
    mean = Absorbing(matrix, leave).mean
    return np.where(np.isfinite(mean), mean, math.inf)


def _plain(matrix: Floats) -> Floats:
    """The same by a general solver, which says infinite where it fails."""
    try:
        return np.asarray(np.linalg.solve(np.eye(len(matrix)) - matrix, np.ones(len(matrix))), np.float64)
    except np.linalg.LinAlgError:
        return np.full(len(matrix), math.inf)


def panel_edges(low: float, high: float, breaks: Iterable[float], widest: float) -> list[float]:
    """Edges of panels: the ends, the breaks between them (those that are not almost equal), none wider than `widest`."""
    inner = sorted(x for x in breaks if low < x < high)
    least = 1e-7 * (high - low)
    edges = [low]
    for x in (*inner, high):
        if x - edges[-1] < least and x < high:
            continue
        if high - x < least:
            x = high  # noqa: PLW2901 - too near to the end
        pieces = max(1, math.ceil((x - edges[-1]) / widest)) if x > edges[-1] else 0
        start = edges[-1]
        edges += [start + (x - start) * (i + 1) / pieces for i in range(pieces)]
        edges[-1] = x
    return edges


def graded(breaks: Iterable[float], narrowest: float) -> list[float]:
    """Edges of panels between breaks (those that are not almost equal) which grow with the distance from the nearest one."""
    lines = panel_edges(min(breaks), max(breaks), breaks, math.inf)
    edges = lines[:1]
    for low, high in pairwise(lines):
        steps, half = [0.0], 0.5 * (high - low)
        if 2.0 * half <= narrowest:
            edges.append(high)
            continue
        while steps[-1] < half:
            steps.append(steps[-1] + max(narrowest, GROWTH * steps[-1]))
        steps = [step * half / steps[-1] for step in steps]
        edges += [*(low + step for step in steps[1:]), *(high - step for step in steps[-2::-1])]
        edges[-1] = high
    return edges
