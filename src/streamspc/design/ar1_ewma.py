"""EWMA charts of autocorrelated points, AR(1): average run length by an integral equation in two dimensions.

x_t = phi x_(t-1) + sqrt(1 - phi^2) e_t, with marginal variance 1 and a stationary start; Z_t = (1 - lam) Z_(t-1) + lam (x_t + shift)
from 0, two-sided, signal beyond c = L sqrt(lam / (2 - lam)) at all times: the sigma of Z for independent points.

Two successive values of Z hold the latest x, so (Z_(t-1), Z_t) is a Markov chain of itself. With x(u, v) = (v - (1 - lam) u) / lam - shift
the average run length after a step from u to v is

    m(u, v) = 1 + integral over |w| <= c of m(v, w) density(x(v, w); phi x(u, v), 1 - phi^2) dw / lam

With the same nodes for u, v and w nothing is interpolated, and the error falls geometrically with their number. Pairs that
no x can join are left out; the sparse system is solved by GMRES.

Sources: Schmid (1997), On EWMA charts for time series, in Frontiers in Statistical Quality Control 5; Lu & Reynolds (1999), EWMA control
charts for monitoring the mean of autocorrelated processes, Journal of Quality Technology 31.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array, diags_array
from scipy.special import ndtr

from streamspc.design import arguments
from streamspc.design.ar1_shewhart import ar1_shewhart_arl, ar1_shewhart_limit
from streamspc.design.krylov import TooLarge, rare_mean, solved
from streamspc.design.quadrature import even, normal_density
from streamspc.design.roots import by_ladder

if TYPE_CHECKING:
    from streamspc.model import Floats, Ints

REACH = 8.5  # sigma: beyond, a value or an innovation does not occur
LEAST = 0.1  # of a row's sum: where it is less, points are too rare to matter
NODES = 1.1, 20  # for each standard deviation of a step, and at least
MOST = 1200  # nodes
WITHIN = 1e-11  # of the equation that may be left


def ar1_ewma_arl(phi: float, lam: float, L: float, shift: float = 0.0) -> float:  # noqa: N803 - the literature's name
    """Average run length of a two-sided EWMA chart of an AR(1) series with coefficient phi and a stationary start.

    Fixed limits +-L sqrt(lam / (2 - lam)), in marginal sigma, as for independent points; `shift` is in marginal sigma, from the first
    point on.

    Raises:
        ValueError: phi is not between -1 and 1, lam is not above 0 and at most 1, L is not above 0, the shift is not finite, or an
            average under a shift is too large.

    >>> round(ar1_ewma_arl(0.5, 0.2, 2.86), 4), round(ar1_ewma_arl(0.0, 0.2, 2.86), 4)
    (51.6385, 371.1033)
    """
    phi, lam = arguments.correlation("phi", phi), arguments.weight("lam", lam)
    L, shift = arguments.positive("L", L), arguments.finite("shift", shift)  # noqa: N806
    return _arl(phi, lam, L, abs(shift))


@lru_cache(maxsize=1024)
def ar1_ewma_limit(phi: float, lam: float, arl0: float) -> float:
    """The L with average run length `arl0` in control.

    Limits as in `ar1_ewma_arl`: +-L sqrt(lam / (2 - lam)) marginal sigma.

    Raises:
        ValueError: phi is not between -1 and 1, lam is not above 0 and at most 1, or arl0 is not above 1.

    >>> round(ar1_ewma_limit(0.5, 0.2, 370.4), 6)
    4.146258
    """
    phi, lam, arl0 = arguments.correlation("phi", phi), arguments.weight("lam", lam), arguments.run_length("arl0", arl0)
    together = phi * (1.0 - lam)
    spread = math.sqrt((1.0 + together) / (1.0 - together))  # sigma of Z over that for independent points
    # An AR(1) series with the correlation of successive Z is alike.
    alike, farther = (spread * ar1_shewhart_limit((phi + 1.0 - lam) / (1.0 + together), arl) for arl in (arl0, 1.1 * arl0))
    slope = math.log(1.1) / (farther - alike)
    return by_ladder(lambda limit, share, within: _arl.__wrapped__(phi, lam, limit, 0.0, (share, within)), alike, slope, arl0)


@lru_cache(maxsize=4096)
def _arl(phi: float, lam: float, limit: float, shift: float, effort: tuple[float, float] = (1.0, WITHIN)) -> float:
    """The average run length, by so large a share of the nodes, of equations solved so well."""
    share, within = effort
    if lam == 1.0:
        return ar1_shewhart_arl(phi, limit, shift=shift)
    edge = limit * math.sqrt(lam / (2.0 - lam))
    sd = math.sqrt((1.0 - phi) * (1.0 + phi))
    count = share * (NODES[0] * 2.0 * edge / (lam * sd) + NODES[1])
    if count > MOST:
        raise ValueError(f"phi={phi:g}, lam={lam:g}, L={limit:g}: the limits are too many steps apart for an exact computation")
    z, weights = even(-edge, edge, math.ceil(count))
    before = np.append(z, 0.0)  # the last one is the start
    x = (z - (1.0 - lam) * before[:, None]) / lam - shift  # [before, now]
    number = np.where(np.abs(x) <= REACH, 0, -1)
    number[number == 0] = np.arange(np.count_nonzero(number == 0))
    if number.max() < 0:  # the shift is so large that no point leaves Z inside
        return 1.0
    steps = _steps(x, number, phi, sd, weights / lam)
    ahead = ((1.0 - lam) * z + lam * (phi * x + shift))[number >= 0]
    leave = ndtr((ahead - edge) / (lam * sd)) + ndtr((-edge - ahead) / (lam * sd))
    total = np.maximum(steps.sum(axis=1) + leave, LEAST)  # rows that sum to 1 integrate an average, nearly a constant, exactly
    steps, leave = csr_array(diags_array(1.0 / total) @ steps), leave / total
    try:
        means = np.append(solved(lambda m: steps @ m, np.ones(len(leave)), within=within), 0.0)  # the last one for pairs that are left out
    except TooLarge:
        return rare_mean(steps, leave)
    return float(1.0 + (weights / lam * normal_density(x[-1])) @ means[number[-1]])


def _steps(x: Floats, number: Ints, phi: float, sd: float, weights: Floats) -> Any:
    """The chain of pairs as a sparse matrix; `number` has the pairs' places, -1 where there is none."""
    rows, columns, values = [], [], []
    for now in range(len(weights)):
        before, after = np.flatnonzero(number[:, now] >= 0), np.flatnonzero(number[now] >= 0)
        innovation = (x[now, after] - phi * x[before, now][:, None]) / sd
        from_, to = np.nonzero(np.abs(innovation) <= REACH)
        rows.append(number[before, now][from_])
        columns.append(number[now, after][to])
        values.append(normal_density(innovation[from_, to]) * (weights[after] / sd)[to])
    size = int(number.max()) + 1
    return csr_array((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=(size, size))
