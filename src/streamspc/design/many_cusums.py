"""Average run lengths of many CUSUMs at once: the equations of `cusum_side` and `cusum_pair`, stacked and solved together.

For averages over estimated parameters, which need hundreds of charts that differ a little. A general solver is used, so a chart that
signals once in 1e12 points or less comes out merely as a rare one; such charts do not matter in these averages.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from streamspc.design.cusum_pair import pair
from streamspc.design.quadrature import legendre, normal_density

if TYPE_CHECKING:
    from streamspc.model import Floats, Ints

RARE = 1e13  # a mean that is this large or has no digits any more
_LIKE = 1.2  # limits of one group are within this factor
_ENTRIES = 4_000_000  # of stacked matrices at once


class Charts(NamedTuple):
    """Parameters of the charts, arrays of one length."""

    k: Floats
    h: Floats
    shift: Floats
    start: Floats


def cusum_means(charts: Charts, sided: str) -> Floats:
    """Average run length of each chart from its start."""
    if sided != "two":
        return _from_start(charts, charts.shift if sided == "upper" else -charts.shift)[1]
    if float(np.max(2.0 * charts.start - charts.h - 2.0 * charts.k)) > 0.0:
        return np.array([pair(k, h, shift).mean_from(start) for k, h, shift, start in zip(*(c.tolist() for c in charts), strict=True)])
    (upper, above), (lower, below) = (_from_start(charts, shift) for shift in (charts.shift, -charts.shift))
    return np.minimum((above / upper + below / lower - 1.0) / (1.0 / upper + 1.0 / lower), RARE)


def sizes(limits: Floats) -> list[Ints]:
    """Charts in groups of like limits, so that a small one does not have the nodes that a large one needs."""
    order = np.argsort(limits)
    edges = limits[order[0]] * _LIKE ** np.arange(1, 1 + math.ceil(math.log(limits[order[-1]] / limits[order[0]]) / math.log(_LIKE)))
    return [group for group in np.split(order, np.searchsorted(limits[order], edges)) if len(group)]


def _from_start(charts: Charts, shift: Floats) -> tuple[Floats, Floats]:
    """Average run lengths of one side from 0 and from the start, [chart]."""
    both = np.empty((2, len(charts.h)))
    for group in sizes(charts.h):
        both[:, group] = _alike(Charts(*(part[group] for part in charts)), shift[group])
    return both[0], both[1]


def _alike(charts: Charts, shift: Floats) -> tuple[Floats, Floats]:
    """The same for limits of like size."""
    unit, weight = legendre(math.ceil(1.6 * float(np.max(charts.h))) + 24)
    if len(charts.h) > (most := _ENTRIES // len(unit) ** 2 + 1):
        halves = [Charts(*(part[half] for part in charts)) for half in (slice(None, most), slice(most, None))]
        both = [_alike(part, shift[half]) for part, half in zip(halves, (slice(None, most), slice(most, None)), strict=True)]
        return np.concatenate((both[0][0], both[1][0])), np.concatenate((both[0][1], both[1][1]))
    nodes = np.multiply.outer(charts.h, 0.5 * (unit + 1.0))
    states = np.concatenate((np.zeros((len(nodes), 1)), nodes, charts.start[:, None]), axis=1)
    drift = (charts.k - shift)[:, None]
    steps = np.empty((len(nodes), states.shape[1], states.shape[1] - 1))
    steps[:, :, 0] = ndtr(drift - states)
    steps[:, :, 1:] = normal_density(nodes[:, None, :] - states[:, :, None] + drift[:, :, None])
    steps[:, :, 1:] *= (0.5 * np.multiply.outer(charts.h, weight))[:, None, :]
    inner = np.eye(steps.shape[2]) - steps[:, :-1]
    mean = np.linalg.solve(inner, np.ones((*inner.shape[:2], 1)))[:, :, 0]
    started = 1.0 + np.einsum("cn,cn->c", steps[:, -1], mean)
    return tamed(mean[:, 0]), tamed(started)


def tamed(mean: npt.ArrayLike) -> Floats:
    """Means without digits are replaced by a large one."""
    mean = np.asarray(mean, np.float64)
    return np.where((mean >= 1.0) & (mean < RARE), mean, RARE)
