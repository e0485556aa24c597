"""Average run lengths of many EWMAs of one lam at once: the equations of `ewma_smooth` and `ewma_exact`, stacked and solved together.

With exact limits that takes a pass over the first points of all charts. Where hundreds of charts differ only in limit and shift, the ratio
to the mean with fixed limits, a smooth function of both, is computed at Chebyshev points and interpolated.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.polynomial import chebyshev

from streamspc.design.ewma_exact import moments
from streamspc.design.many_cusums import sizes, tamed
from streamspc.design.quadrature import legendre, normal_density

if TYPE_CHECKING:
    from streamspc.model import Floats


class Charts(NamedTuple):
    """Limits, shifts and starting values, in sigma of a point, arrays of one length."""

    limit: Floats
    shift: Floats
    start: Floats


def fixed_means(lam: float, charts: Charts) -> Floats:
    """Average run length of each chart with fixed limits, from its start."""
    return _grouped(_fixed, lam, charts)


def exact_means(lam: float, charts: Charts) -> Floats:
    """Average run length of each chart with exact limits, from its start; only to about 1e-8."""
    return _grouped(_exact, lam, charts)


def _grouped(means: Callable[[float, Charts], Floats], lam: float, charts: Charts) -> Floats:
    answer = np.empty(len(charts.limit))
    for group in sizes(charts.limit):
        answer[group] = means(lam, Charts(*(part[group] for part in charts)))
    return answer


def _fixed(lam: float, charts: Charts) -> Floats:
    nodes, weights = _rule(lam, charts.limit)
    return tamed(_mean_at(lam, charts.shift, (nodes, weights), charts.start[:, None])[:, 0])


def _exact(lam: float, charts: Charts) -> Floats:
    fixed, shrink = _rule(lam, charts.limit), (1.0 - lam) ** 2
    points, density = charts.start[:, None], np.ones((len(charts.start), 1))
    t, total = 0, np.zeros(len(points))
    ends = []
    for end in moments(lam):
        while t < end:
            total += density.sum(axis=1)
            t += 1
            nodes, weights = _rule(lam, charts.limit * math.sqrt(1.0 - shrink**t))
            density = np.matmul(density[:, None, :], _steps(lam, charts.shift, points, (nodes, weights)))[:, 0]
            points = nodes
        mean = _mean_at(lam, charts.shift, fixed, points)
        ends.append((total + (density * mean).sum(axis=1), density.sum(axis=1) * shrink**t))
    (early, before), (late, after) = ends
    with np.errstate(invalid="ignore", divide="ignore"):
        return tamed(np.where(before > after, late + (late - early) * after / (before - after), late))


class Ratio:
    """Exact over fixed, as a function of limit and shift; `headstart` is the start as a share of the limit."""

    def __init__(self, lam: float, limits: tuple[float, float], shifts: tuple[float, float], headstart: float, degree: int) -> None:
        self.limits, self.shifts, self.even = limits, shifts, headstart == 0.0
        order = (degree, degree if self.even else 2 * degree)
        places = [chebyshev.chebpts1(n) for n in order]
        limit = limits[0] + 0.5 * (limits[1] - limits[0]) * (places[0] + 1.0)
        shift = np.sqrt(0.5 * (places[1] + 1.0)) * shifts[1] if self.even else shifts[0] + 0.5 * (shifts[1] - shifts[0]) * (places[1] + 1.0)
        grid = [axis.ravel() for axis in np.meshgrid(limit, shift, indexing="ij")]
        charts = Charts(grid[0], grid[1], headstart * grid[0])
        logs = np.log(exact_means(lam, charts) / fixed_means(lam, charts)).reshape(order)
        inverse = [np.linalg.inv(chebyshev.chebvander(place, n - 1)) for place, n in zip(places, order, strict=True)]
        self.series = inverse[0] @ logs @ inverse[1].T

    def at(self, charts: Charts) -> Floats:
        """The ratio for other charts; beyond the range of the interpolation as at its end."""
        place = 2.0 * (charts.limit - self.limits[0]) / (self.limits[1] - self.limits[0]) - 1.0
        if self.even:
            beside = 2.0 * np.square(charts.shift / self.shifts[1]) - 1.0
        else:
            beside = 2.0 * (charts.shift - self.shifts[0]) / (self.shifts[1] - self.shifts[0]) - 1.0
        return np.exp(chebyshev.chebval2d(np.clip(place, -1.0, 1.0), np.clip(beside, -1.0, 1.0), self.series))


def _rule(lam: float, limit: Floats) -> tuple[Floats, Floats]:
    """Nodes and weights within the limits of each chart, [chart, node]."""
    wanted = math.ceil(3.0 * float(np.max(limit)) / lam) + 24
    unit, weight = legendre(wanted + -wanted % 12)
    return np.multiply.outer(limit, unit), np.multiply.outer(limit, weight)


def _steps(lam: float, shift: Floats, start: Floats, rule: tuple[Floats, Floats]) -> Floats:
    """Probabilities of the step from each start to each node, [chart, start, node]."""
    steps = normal_density((rule[0][:, None, :] - (1.0 - lam) * start[:, :, None]) / lam - shift[:, None, None])
    steps *= (rule[1] / lam)[:, None, :]
    return steps


def _mean_at(lam: float, shift: Floats, rule: tuple[Floats, Floats], start: Floats) -> Floats:
    """Average run length with fixed limits from each start, [chart, start]."""
    inner = np.eye(rule[0].shape[1]) - _steps(lam, shift, rule[0], rule)
    mean = np.linalg.solve(inner, np.ones((*inner.shape[:2], 1)))
    return np.asarray(1.0 + np.matmul(_steps(lam, shift, start, rule), mean)[:, :, 0], np.float64)
