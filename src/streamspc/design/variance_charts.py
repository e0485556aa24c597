"""CUSUM and EWMA of sample variances: average run lengths and limits, upper side.

The plotted value is s^2 in units of the variance in control, s^2 ~ ratio^2 chi^2_df / df; `ratio` is sigma / sigma0. A signal is strictly
above the limit.
- CUSUM: S = max(0, S + s^2 - k) from 0. Its equation loses smoothness at k, 2 k, 3 k, ... more weakly each time: panels end there.
- EWMA: Z = (1 - lam) Z + lam s^2 from 1, no lower barrier. Its equation is smooth on the whole of (0, upper).

Sources: Knoth (2005), Accurate ARL computation for EWMA-S^2 control charts, Statistics and Computing 15; Knoth (2006), Computation of the
ARL for CUSUM-S^2 schemes, Computational Statistics & Data Analysis 51. Table 1 there, k = 1.46, h = 10, df = 1: 260.7369 in control.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import special
from scipy.optimize import brentq, minimize_scalar

from streamspc.design import arguments
from streamspc.design.collocation import Noise, Panels, mean_times, operator, panel_edges
from streamspc.design.roots import limit_for
from streamspc.design.siegmund import siegmund_limit

if TYPE_CHECKING:
    from streamspc.model import Floats

_SHARES = (1e-12, 1e-6, 1e-3, 0.05, 0.5, 0.95, 0.999, 1.0 - 1e-6, 1.0 - 1e-12)  # the density is integrated between these quantiles
_NEAREST, _RATIO = 1e-6, 6.0  # near 0 the pieces shrink by this factor, down to this share of the scale
_SMOOTH = 12.0  # so many derivatives are as good as all
_NOWHERE = -45.0  # the logarithm of the chance of values that are left out
_BEYOND = -720.0  # the logarithm of what a float cannot tell from 0


def cusum_variance_arl(k: float, h: float, df: float, ratio: float = 1.0) -> float:
    """Average run length of S = max(0, S + s^2 - k), from 0, with signal at S > h.

    s^2 ~ ratio^2 chi^2_df / df in units of sigma0^2, as k and h are; `ratio` is sigma / sigma0. The run length counts samples. By
    collocation (Knoth 2006; its table 1 has the example).

    Raises:
        ValueError: k or h is negative, df or ratio is not above 0, or one of them is not finite.

    >>> round(cusum_variance_arl(1.46, 10, 1), 4), round(cusum_variance_arl(1.46, 10, 1, ratio=1.1), 4)
    (260.7369, 90.1319)
    """
    k, h = arguments.non_negative("k", k), arguments.non_negative("h", h)
    return _cusum(k, h, arguments.positive("df", df), arguments.positive("ratio", ratio))


def cusum_variance_limit(k: float, arl0: float, df: float) -> float:
    """The limit h at which the CUSUM of variances in control has the average run length arl0.

    k and h in units of sigma0^2, signal at S > h (Knoth 2006).

    Raises:
        ValueError: k is negative, df is not above 0, arl0 is not above 1, or it is below that of the limit 0.

    >>> round(cusum_variance_limit(1.46, 260.73691393, 1), 6)
    10.0
    """
    k, df = arguments.non_negative("k", k), arguments.positive("df", df)
    return _cusum_limit(k, arguments.run_length("arl0", arl0), df)


def ewma_variance_arl(lam: float, upper: float, df: float, ratio: float = 1.0) -> float:
    """Average run length of Z = (1 - lam) Z + lam s^2, from 1, with signal at Z > upper.

    s^2 ~ ratio^2 chi^2_df / df in units of sigma0^2, as `upper` is; `ratio` is sigma / sigma0. There is no lower barrier. By collocation
    (Knoth 2005).

    Raises:
        ValueError: lam is not above 0 and at most 1, upper, df or ratio is not above 0, or one of them is not finite.

    >>> round(ewma_variance_arl(0.1, 1.5, 4), 4)
    630.9182
    """
    lam, upper = arguments.weight("lam", lam), arguments.positive("upper", upper)
    return _ewma(lam, upper, arguments.positive("df", df), arguments.positive("ratio", ratio))


def ewma_variance_limit(lam: float, arl0: float, df: float) -> float:
    """The limit at which the EWMA of variances in control has the average run length arl0.

    In units of sigma0^2, signal at Z > upper (Knoth 2005).

    Raises:
        ValueError: lam is not above 0 and at most 1, df is not above 0, or arl0 is not above 1.

    >>> round(ewma_variance_limit(0.1, 630.91815025, 4), 6)
    1.5
    """
    lam, df = arguments.weight("lam", lam), arguments.positive("df", df)
    return _ewma_limit(lam, arguments.run_length("arl0", arl0), df)


@lru_cache(maxsize=1024)
def _cusum(k: float, h: float, df: float, ratio: float) -> float:
    scale, shape = 2.0 * ratio**2 / df, 0.5 * df
    if h == 0.0:
        return _inverse(float(special.gammaincc(shape, k / scale)))
    noise = _noise(shape, scale)
    rough = (j * k for j in range(1, math.floor(min(h / k, _SMOOTH / shape)) + 2)) if k > 0.0 else ()
    panels = Panels(panel_edges(0.0, h, rough, 3.0 * scale * math.sqrt(shape)), noise.powers[0])
    states = np.concatenate(([0.0], panels.nodes))
    matrix = np.empty((len(states), len(states)))
    matrix[:, 0] = special.gammainc(shape, np.maximum(k - states, 0.0) / scale)
    matrix[:, 1:] = operator(panels, noise, states - k, 1.0)
    return float(mean_times(matrix, special.gammaincc(shape, (h + k - states) / scale))[0])


@lru_cache(maxsize=1024)
def _ewma(lam: float, upper: float, df: float, ratio: float) -> float:
    scale, shape = 2.0 * ratio**2 / df, 0.5 * df
    if lam == 1.0:
        return _inverse(float(special.gammaincc(shape, upper / scale)))
    if _never(lam, upper / scale, shape):
        return math.inf
    noise = _noise(shape, scale)
    low = _floor(lam, scale * min(1.0, ratio**-2), shape)
    if upper <= low:
        return 1.0
    panels = Panels(panel_edges(low, upper, (), 4.0 * lam * scale * math.sqrt(shape)))
    order = np.argsort(np.abs(panels.nodes - ratio**2))  # from where the chart dwells outwards
    nodes = panels.nodes[order]
    leave = special.gammaincc(shape, (upper - (1.0 - lam) * nodes) / (lam * scale))
    start = np.append(nodes, 1.0)
    steps = operator(panels, noise, (1.0 - lam) * start, lam)
    steps[:, 0] += special.gammainc(shape, np.maximum(low - (1.0 - lam) * start, 0.0) / (lam * scale))  # what does not occur
    steps = steps[:, order]
    mean = mean_times(steps[:-1], leave)
    if np.isinf(mean).any():
        return math.inf
    return max(1.0, 1.0 + float(steps[-1] @ mean))


@lru_cache(maxsize=256)
def _cusum_limit(k: float, arl0: float, df: float) -> float:
    if (least := _cusum(k, 0.0, df, 1.0)) > arl0:
        raise ValueError(f"arl0 is {arl0:g}: with k = {k:g} and {df:g} degrees of freedom it is at least {least:.6g}")
    return limit_for(lambda h: _cusum.__wrapped__(k, h, df, 1.0), arl0, _guess(k, arl0, df))


def _guess(k: float, arl0: float, df: float) -> float:
    """The limit by Siegmund's approximation for normal points with the same variance and, for k > 1, exponent of the way to a signal."""
    sd, exponent = math.sqrt(2.0 / df), (k - 1.0) * df
    if k > 1.0 + 1e-6:
        exponent = float(brentq(lambda theta: -0.5 * df * math.log1p(-2.0 * theta / df) - theta * k, 1e-9 * df, (0.5 - 1e-15) * df))
    return max(sd * siegmund_limit(0.5 * exponent * sd, arl0), 0.1 * sd)


@lru_cache(maxsize=256)
def _ewma_limit(lam: float, arl0: float, df: float) -> float:
    return limit_for(lambda upper: _ewma.__wrapped__(lam, upper, df, 1.0), arl0, 1.0 + 3.0 * math.sqrt(2.0 / df * lam / (2.0 - lam)))


def _noise(shape: float, scale: float) -> Noise:
    """The gamma distribution of s^2, cut where its density asks for it."""
    constant = special.gammaln(shape)

    def density(x: Floats) -> Floats:
        with np.errstate(divide="ignore", over="ignore"):
            logarithm = special.xlogy(shape - 1.0, x / scale) - x / scale - constant
            return np.asarray(np.exp(logarithm) / scale, np.float64)

    whole = shape == math.floor(shape) or shape > _SMOOTH
    size = scale * min(shape, math.sqrt(shape))
    near = [] if whole else [size * _RATIO**-j for j in range(math.ceil(-math.log(_NEAREST) / math.log(_RATIO)) + 1)]
    quantiles = scale * special.gammaincinv(shape, np.array(_SHARES))
    marks = [0.0, *near, *quantiles[quantiles > min(near, default=0.0)]]
    power = 1 if whole else 2 if 2.0 * shape == math.floor(2.0 * shape) else max(4, math.ceil(4.0 / shape))
    return Noise(density, tuple(float(mark) for mark in marks), low=0.0, powers=(power, 1))


def _floor(lam: float, scale: float, shape: float) -> float:
    """A value below which Z does not come, by Chernoff's bound: the best of some exponents."""
    weights = lam * (1.0 - lam) ** np.arange(math.ceil(-40.0 / math.log1p(-lam)))
    theta = np.geomspace(0.1, 1e3, 40) / (scale * math.sqrt(shape * lam))
    bound = -shape * np.log1p(np.multiply.outer(theta * scale, weights)).sum(axis=1) - _NOWHERE
    return max(0.0, float((-bound / theta).max()))


def _never(lam: float, upper: float, shape: float) -> bool:
    """Is P(Z > upper) in the long run, by Chernoff's bound, below what a float can tell? `upper` in units of the scale of s^2."""
    weights = lam * (1.0 - lam) ** np.arange(math.ceil(-40.0 / math.log1p(-lam)))
    if upper <= shape:
        return False

    def exponent(share: float) -> float:
        theta = share / lam
        return float(-shape * np.log1p(-theta * weights).sum() - theta * upper)

    return bool(minimize_scalar(exponent, bounds=(0.0, 1.0 - 1e-9), method="bounded").fun < _BEYOND)


def _inverse(rate: float) -> float:
    return 1.0 / rate if rate > 0.0 else math.inf
