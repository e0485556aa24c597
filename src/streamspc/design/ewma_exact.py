"""An EWMA whose limits follow its exact variance: limit_t = L sqrt(lam / (2 - lam) (1 - (1 - lam)^(2 t))), t points after the start.

The density of the survivors is carried forward point by point, by Gauss-Legendre quadrature on the limits of each point. The limits
approach their asymptote like r^t, r = (1 - lam)^2; when r^t is small, the chart with fixed limits takes over. What that leaves out is
proportional to r^t and to the survivors, so that two such moments give the limit (Richardson's extrapolation). The remainder falls like
r^(3 t / 2): up to 2e-7 from r^t = 1e-3, 1e-8 from 1e-4.

Sources: MacGregor & Harris (1990), discussion of Lucas & Saccucci, Technometrics 32 (exact limits); Knoth (2003), EWMA schemes with
nonhomogeneous transition kernels, Sequential Analysis 22 (run lengths).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import numpy as np

from streamspc.design.quadrature import interval

if TYPE_CHECKING:
    from streamspc.model import Floats

_SMALL, _APART = 1e-4, 0.3  # r^t at the first of the two moments, and at the second relative to the first
_QUIET = 1e-17  # a share of survivors that adds nothing any more


class Fixed(Protocol):
    """A chart with fixed limits."""

    detail: float  # nodes that its density asks for, relative to a normal one

    def mean(self, start: Floats) -> Floats:
        """Average run length from any values of the statistic."""

    def moved(self, start: Floats, rule: tuple[Floats, Floats]) -> Floats:
        """Probabilities of the step from `start` to the nodes of a quadrature rule, [start, node]."""


def moments(lam: float) -> tuple[int, int]:
    """The two points at which fixed limits take over."""
    if lam == 1.0:
        return 1, 2
    pace = 2.0 * math.log1p(-lam)
    first = max(1, math.ceil(math.log(_SMALL) / pace))
    return first, first + max(1, math.ceil(math.log(_APART) / pace))


def exact_mean(fixed: Fixed, lam: float, limit: float, start: float, low: float | None = None) -> float:
    """Average run length from `start`; `limit` is the asymptote of the limits in sigma of a point, `fixed` the chart that keeps it.

    `low`: the asymptote of the lower limit where it is not -limit.
    """
    low = -limit if low is None else low
    shrink, points, density = (1.0 - lam) ** 2, np.array([start]), np.ones(1)
    t, total = 0, 0.0
    ends: list[tuple[float, float]] = []
    for end in moments(lam):
        while t < end:
            left = float(density.sum())
            total += left
            if left < _QUIET * total:
                return total
            t += 1
            grown = math.sqrt(1.0 - shrink**t)
            nodes = math.ceil(fixed.detail * 1.5 * (limit - low) * grown / lam) + 24
            rule = interval(low * grown, limit * grown, nodes + -nodes % 12)  # few different rules
            points, density = rule[0], density @ fixed.moved(points, rule)
        ends.append((total + float(density @ fixed.mean(points)), float(density.sum()) * shrink**t))
    return extrapolated(*ends)


def extrapolated(early: tuple[float, float], late: tuple[float, float]) -> float:
    """The limit of means at two moments, each with what its error is proportional to."""
    return late[0] + (late[0] - early[0]) * late[1] / (early[1] - late[1]) if early[1] > late[1] else late[0]
