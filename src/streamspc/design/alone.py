"""Limits of single charts of normal points, as members of a bank: Shewhart, confirmed Shewhart, zones, CUSUM, EWMA with exact limits.

One-sided charts watch the upper side; the lower side is its mirror image.

- Shewhart: P(signal) = 1 / arl0 at each point.
- Confirmed: the second of two successive points beyond L on the same side signals. With p the probability beyond one L, the run length
  of one side is a geometric renewal with mean (1 + p) / p^2; that of both sides is half of it, exactly: a point beyond the other side
  ends one run and begins the other.
- Zones: rules 1, 5 and 6 of Nelson (1, 2 and 3 of Western Electric), whose lines at 3, 2 and 1 sigma are stretched by one factor.
- EWMA on one side: its statistic has no lower limit, which a lower end 7 sigma away stands for.

Sources: Champ & Woodall (1987), Exact results for Shewhart control charts with supplementary runs rules, Technometrics 29; Feller (1968),
An introduction to probability theory and its applications I, section XIII.7 (runs); the others are in `cusum` and `ewma_exact`.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, ndtri

from streamspc.design import arguments
from streamspc.design.absorbing import Absorbing
from streamspc.design.cusum import SIDES, STATES, cusum_limit
from streamspc.design.ewma import ewma_limit
from streamspc.design.ewma_exact import exact_mean
from streamspc.design.ewma_smooth import Smooth, asymptotic
from streamspc.design.quadrature import enough, interval
from streamspc.design.roots import improved, limit_for
from streamspc.design.run_chain import chain_arl
from streamspc.design.run_rules import machine
from streamspc.design.standardised import Law

if TYPE_CHECKING:
    from streamspc.model import Floats

BELOW = 7.0  # sigma of the statistic, from which on an EWMA does not come back in time to matter


def shewhart(arl0: float, sided: str, confirm: int = 1) -> float:
    """L in sigma. Raises ValueError where it would have to lie below the centre.

    >>> round(shewhart(370.4, "two"), 5), round(shewhart(370.4, "two", confirm=2), 5)
    (3.0, 1.78142)
    """
    sides = 2.0 if sided == "two" else 1.0
    rate = sides * arl0
    beyond = 1.0 / rate if confirm == 1 else (1.0 + math.sqrt(1.0 + 4.0 * rate)) / (2.0 * rate)
    if beyond > 0.5:
        raise ValueError(f"arl0 is {arl0:g}: limits at the centre have a longer one")
    return float(-ndtri(beyond))


def confirmed_arl(L: float, shift: float = 0.0, sided: str = "two", state: str = "zero") -> float:  # noqa: N803 - the literature's name
    """Average run length of a Shewhart chart whose signal takes two successive points beyond L sigma, on one side of the centre.

    `sided="two"`: either side, "upper" and "lower": that side only. `state="zero"`: from no point; "steady": conditional steady state, the
    limit of E[RL - tau | RL > tau] when a chart that has been in control for tau points shifts.

    Raises:
        ValueError: a number or a word is impossible.

    >>> round(confirmed_arl(2.0), 1), round(confirmed_arl(2.0, shift=2.0), 3)
    (988.0, 6.0)
    """
    L, shift = arguments.non_negative("L", L), arguments.finite("shift", shift)  # noqa: N806
    arguments.one_of("sided", sided, SIDES)

    def chain(shift: float) -> Absorbing:
        up, down = (sided != "lower") * float(ndtr(shift - L)), (sided != "upper") * float(ndtr(-shift - L))
        within = float(ndtr(L - shift) - ndtr(-L - shift)) if sided == "two" else 1.0 - up - down
        return Absorbing(np.array([[within, up, down], [within, 0.0, down], [within, up, 0.0]]), np.array([0.0, up, down]))

    steady = arguments.one_of("state", state, STATES) == "steady"
    mean = chain(shift).mean
    return float(chain(0.0).law @ mean if steady else mean[0])


@lru_cache(maxsize=1024)
def zones(numbers: tuple[int, ...], arl0: float, sided: str) -> float:
    """By which the lines at 1, 2 and 3 sigma are stretched when Nelson's rules `numbers`, out of 1, 5 and 6, signal once in arl0 points.

    >>> round(zones((1,), 370.398347, "two"), 8), round(zones((1, 5), 225.4382, "two"), 6)
    (1.0, 1.0)
    """
    cuts, automaton = machine(numbers, 3.0, 8, sided)
    lines, law = np.array(cuts), Law(None, 0.0)
    return limit_for(lambda stretch: chain_arl(automaton, law.zones(tuple(stretch * lines))), arl0, 1.0)


def cusum(k: float, arl0: float, sided: str, headstart: float = 0.0) -> float:
    """The limit h."""
    return cusum_limit(k, arl0, sided, headstart)


def ewma(lam: float, arl0: float, sided: str) -> float:
    """The L of exact limits."""
    return ewma_limit(lam, arl0, "exact") if sided == "two" else _upper(lam, arl0)


class OneSided(Smooth):
    """An EWMA without a lower limit. What falls below the lower end is taken to stay where it came from."""

    def __init__(self, lam: float, limit: float) -> None:
        self.lam, self.limit, self.shift = lam, limit, 0.0
        self.low = -BELOW * asymptotic(lam)
        self.states, self.weights = interval(self.low, limit, enough((limit - self.low) / lam))

    def leave(self, start: Floats) -> Floats:
        """Probability of a signal at the next point."""
        leave: Floats = ndtr(((1.0 - self.lam) * start - self.limit) / self.lam)
        return leave


@lru_cache(maxsize=1024)
def _upper(lam: float, arl0: float) -> float:
    if lam == 1.0:
        return shewhart(arl0, "upper")

    def chart(limit: float) -> OneSided:
        return OneSided(lam, limit * asymptotic(lam))

    def fixed(limit: float) -> float:
        return float(chart(limit).mean(np.zeros(1))[0])

    def exact(limit: float) -> float:
        at = chart(limit)
        return exact_mean(at, lam, at.limit, 0.0, at.low)

    return improved(exact, fixed, limit_for(fixed, arl0), arl0)
