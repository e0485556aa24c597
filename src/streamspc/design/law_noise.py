"""The density of standardised points as the collocation needs it: its support, its cuts, and how it behaves at finite ends.

Near a finite end e of the support P(|X - e| < u) ~ u^a; a = 1 for an exponential law, 1/2 for a chi-square of one degree of freedom. What
a is decides how many derivatives an average run length has where the end meets a limit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.optimize import brentq

from streamspc.design.collocation import QUADRATURE, Noise
from streamspc.design.density_kinks import density_kinks
from streamspc.design.panels import to_legendre
from streamspc.design.quadrature import legendre

if TYPE_CHECKING:
    from streamspc.design.standardised import Law
    from streamspc.model import Floats

_SHARES = (1e-9, 1e-5, 1e-3, 0.05, 0.25, 0.5, 0.75, 0.95, 0.999, 1.0 - 1e-5, 1.0 - 1e-9)
_KINK = 1.5  # a corner has 2, a jump 1
_STEEP = 2.0  # of an end where the density falls faster: it does so from nearby, and what is met there is as good as a kink
SMOOTH = 6.0  # ends that are met with so many derivatives are no ends
_PIECES, _RATIO, _BOUND = 10, 6.0, 1e6
_FLAT, _RARE = 1e-10, 1e-13  # the last terms of a series whose quadrature has converged, relative and as a chance
_NARROW = 1e-6  # what is cut no more


class Points(NamedTuple):
    """Standardised points."""

    noise: Noise  # of points less `base`, so that distances from a finite lower end keep their digits
    base: float
    orders: tuple[tuple[float, float], ...]  # (place, a) of ends of the support, or where it begins to matter, and of kinks within it
    detail: float  # nodes that the density asks for, relative to a normal one
    power: int  # of the panels
    below: Callable[[Floats], Floats]
    above: Callable[[Floats], Floats]


def points_of(law: Law) -> Points:
    """The density of the points of a law.

    Raises:
        ValueError: the law has no density.
    """
    given: Any = law.given
    if law.discrete or not hasattr(given, "pdf"):
        raise ValueError("distribution has no density (pdf): this chart needs a continuous one")

    support = given.support() if hasattr(given, "support") else (-math.inf, math.inf)
    low, high = ((float(end) - law.mean) / law.sd for end in support)
    base, raw = (low, float(support[0])) if math.isfinite(low) else (0.0, law.mean)

    def density(x: Floats) -> Floats:
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            return np.nan_to_num(np.asarray(given.pdf(raw + law.sd * x), np.float64) * law.sd, posinf=0.0)

    quantiles = [_quantile(law, share, (max(low, -_BOUND), min(high, _BOUND))) for share in _SHARES]
    ends = [(end, _order(law, end, inward)) for end, inward in ((low, 1.0), (high, -1.0)) if math.isfinite(end)]
    rough = [end for end, order in ends if order < SMOOTH and order != round(order)]
    near = [end + math.copysign(_RATIO**-j, -end) for end in rough for j in range(_PIECES)]
    kinks = [base + x for x in density_kinks(density, quantiles[1] - base, quantiles[-2] - base)]
    detail = _detail(quantiles)
    outer = (low if math.isfinite(low) else quantiles[0], high if math.isfinite(high) else quantiles[-1])
    sharp = sorted({*outer, *near, *kinks})
    marks = [*sharp, *(base + x for here, there in pairwise(sharp) for x in _cuts(density, here - base, there - base))]
    powers = {end: _power(order) for end, order in ends}
    noise = Noise(density, tuple(mark - base for mark in marks), low - base, high - base, (powers.get(low, 1), powers.get(high, 1)))
    edges = {low: quantiles[1], high: quantiles[-2]}
    orders = (*((end, order) if order < SMOOTH else (edges[end], _STEEP) for end, order in ends), *((kink, _KINK) for kink in kinks))
    tails = np.vectorize(law.below, [float]), np.vectorize(law.above, [float])
    return Points(noise, base, orders, detail, min(3, max(powers.values(), default=1)), *tails)


def _cuts(density: Callable[[Floats], Floats], low: float, high: float) -> list[float]:
    """Where to cut an interval so that the density is a polynomial to a quadrature's accuracy on each piece: by halves."""
    unit, _ = legendre(QUADRATURE)
    series = np.abs(to_legendre(QUADRATURE) @ density(0.5 * (low + high) + 0.5 * (high - low) * unit))
    if series[-4:].max() <= max(_FLAT * series.max(), _RARE / (high - low)) or high - low < _NARROW:
        return []
    middle = 0.5 * (low + high)
    return [*_cuts(density, low, middle), middle, *_cuts(density, middle, high)]


def _quantile(law: Law, share: float, bracket: tuple[float, float]) -> float:
    given: Any = law.given
    if hasattr(given, "ppf"):
        return (float(given.ppf(share)) - law.mean) / law.sd
    return float(brentq(lambda x: law.below(x) - share, *bracket))


def _detail(quantiles: list[float]) -> float:
    """How much narrower than a normal density the core is, on its narrower side."""
    far, quarter, half, three, tail = quantiles[3:8]
    return 1.0 / min(1.0, (half - far) / 1.645, (tail - half) / 1.645, (three - quarter) / 1.349)


def _order(law: Law, end: float, inward: float) -> float:
    """The a of P(|X - end| < u) ~ u^a, rounded to a half or third where it is near one; infinite where it falls faster than a power."""
    here, there = 1e-5, 1e-7
    chance = law.below if inward > 0.0 else law.above
    wide, narrow = chance(end + inward * here), chance(end + inward * there)
    if narrow < 1e-200:
        return math.inf
    order = math.log(wide / narrow) / math.log(here / there)
    nearest = round(6.0 * order) / 6.0
    return nearest if abs(order - nearest) < 1e-3 else order


def _power(order: float) -> int:
    """The substitution that makes x^order smooth enough."""
    if order >= SMOOTH or order == round(order):
        return 1
    return 2 if 2.0 * order == round(2.0 * order) else max(4, math.ceil(4.0 / order))
