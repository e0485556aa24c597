"""Shewhart charts of autocorrelated points, AR(1): average run length by an integral equation.

x_t = phi x_(t-1) + sqrt(1 - phi^2) e_t, with marginal variance 1 and a stationary start; the plotted point is x_t + shift, and signals
beyond +-L sigma. With c = L times the factor of the sigma that the limits use, the average run length after a point x without a signal is

    m(x) = 1 + integral over |y + shift| <= c of m(y) density(y; phi x, 1 - phi^2)

and the chart's is 1 + the integral of m over the stationary law. The rule of Gauss-Legendre converges geometrically; the probabilities
of a signal enter exactly, and elimination without subtraction keeps all digits of a large average.

Sources: Schmid (1995), On the run length of a Shewhart chart for correlated data, Statistical Papers 36; Alwan (1992), Effects of
autocorrelation on control chart performance, Communications in Statistics - Theory and Methods 21.
"""

from __future__ import annotations

import math
from functools import lru_cache

from scipy.special import ndtr

from streamspc.design import arguments
from streamspc.design.absorbing import Absorbing
from streamspc.design.quadrature import enough, interval, normal_density
from streamspc.design.roots import limit_for
from streamspc.design.shewhart import shewhart_arl

REACH = 12.0  # marginal sigma: points further off do not occur
SIGMAS = ("marginal", "moving_range")


def ar1_shewhart_arl(phi: float, L: float, sigma: str = "marginal", shift: float = 0.0) -> float:  # noqa: N803 - the literature's name
    """Average run length of a Shewhart chart of an AR(1) series with coefficient phi and a stationary start.

    `sigma="marginal"`: limits at L times the series' own standard deviation. "moving_range": at L times what the mean moving range
    estimates, the marginal sigma times sqrt(1 - phi). `shift` is in marginal sigma.

    Raises:
        ValueError: phi is not between -1 and 1, L is not above 0, the shift is not finite, or `sigma` is unknown.

    >>> round(ar1_shewhart_arl(0.6, 3.0), 4), round(ar1_shewhart_arl(0.6, 3.0, "moving_range"), 2)
    (419.3772, 22.44)
    """
    phi, L, shift = arguments.correlation("phi", phi), arguments.positive("L", L), arguments.finite("shift", shift)  # noqa: N806
    return _arl(phi, L * _factor(phi, arguments.one_of("sigma", sigma, SIGMAS)), abs(shift))


@lru_cache(maxsize=1024)
def ar1_shewhart_limit(phi: float, arl0: float, sigma: str = "marginal") -> float:
    """The L with average run length `arl0` in control.

    In units that `sigma` names, as in `ar1_shewhart_arl`, with a stationary start.

    Raises:
        ValueError: phi is not between -1 and 1, arl0 is not above 1, or `sigma` is unknown.

    >>> round(ar1_shewhart_limit(0.6, 370.4, "moving_range"), 6)
    4.680889
    """
    phi, arl0 = arguments.correlation("phi", phi), arguments.run_length("arl0", arl0)
    factor = _factor(phi, arguments.one_of("sigma", sigma, SIGMAS))
    return limit_for(lambda limit: _arl(phi, limit, 0.0), arl0) / factor


def _factor(phi: float, sigma: str) -> float:
    """The sigma that the limits use, in marginal sigma."""
    return math.sqrt(1.0 - phi) if sigma == "moving_range" else 1.0


@lru_cache(maxsize=4096)
def _arl(phi: float, limit: float, shift: float) -> float:
    """The average run length with limits +-limit marginal sigma."""
    if phi == 0.0:
        return shewhart_arl(limit, shift)
    low, high = max(-limit - shift, -REACH), min(limit - shift, REACH)
    if low >= high:
        return 1.0
    sd = math.sqrt((1.0 - phi) * (1.0 + phi))
    x, weights = interval(low, high, enough((high - low) / sd))
    ahead = phi * x
    steps = normal_density((x - ahead[:, None]) / sd) * (weights / sd)
    leave = ndtr((ahead - limit + shift) / sd) + ndtr((-limit - shift - ahead) / sd)
    return float(1.0 + (weights * normal_density(x)) @ Absorbing(steps, leave).mean)
