"""CUSUM of counts: Poisson, binomial, negative binomial.

Definition: upper S = max(0, S + x - k), lower S = max(0, S + k - x), both from 0; out of control when S >= h, or when S > h with
`signal=">"`. The two differ much, as S moves in steps: for a Poisson mean of 2, k = 2.5 and h = 5 the average run length is 61.5 or 79.8.
`mean`, `p`, `var` are the true values of the counts observed, in control or not; k is meant to lie between a mean in control and one
out of control. With `sided="two"` both sides run with the same k and h, and the first to signal ends the run: when one signals, the
other is at 0, so the rates of their signals add exactly (Kemp).

The limits are on the lattice on which S moves, the multiples of 1/q for k = p/q: the smallest whose average run length is at least the
one wished for (for a k of more than six decimals, to a relative 1e-10). A smaller k, or one with more decimals, comes closer.

Average run lengths are exact, to 1e-9 or so, but for a far limit of a side that rises, which no longer comes back to 0: that is in closed
form, to 3e-7 (`rising`). With two sides it is the one that counts where k is off the mean.

ValueError says which argument cannot be: no number, not finite, negative, an unknown `sided` or `signal`, var < mean; a limit of more than
200 000 counts of a walk that stands, or one to which it would rise for more than 20 000 points and might come back, is refused too.

Sources: Lucas, J. M. (1985), Counted data CUSUM's, Technometrics 27; Hawkins, D. M. and Olwell, D. H. (1998), Cumulative sum charts and
charting for quality improvement, chapter 5; Kemp, K. W. (1961), The average run length of the cumulative sum chart when a V-mask is
used, Journal of the Royal Statistical Society B 23.
"""

from __future__ import annotations

import math
from functools import lru_cache

from streamspc.design import arguments, excursion, rising, toeplitz
from streamspc.design.counts import Binomial, Law, NegativeBinomial, Poisson
from streamspc.design.lattice_heights import cycle_points, heights
from streamspc.design.lattice_limit import smallest
from streamspc.design.lundberg import brownian_limit, exponent
from streamspc.design.walk import Walk, limit_of, rational, steps_to_signal

_FEW = 1000  # states whose equations are solved in any case
_MANY = 16_000  # and from which on a cycle is followed in any case
_POINTS = 20_000  # to a signal, at most, of a walk that rises
_SPREADS = 300.0  # or so many standard deviations of a count
_NOTHING = 23.0  # the logarithm of a share of the rate that does not matter
_HIGHEST = 200_000  # limit, of a walk that does not rise


def poisson_cusum_arl(mean: float, k: float, h: float, sided: str = "upper", signal: str = ">=") -> float:
    """Average run length of a CUSUM of Poisson counts with this true mean, from S = 0.

    Exact: the equations of a chain on the multiples of 1/q, k = p/q (Lucas 1985). `sided` is "upper", "lower" or "two", `signal` is
    ">=" or ">".
    `mean` is the true mean; mean, k and h are counts. Upper S = max(0, S + x - k), lower S = max(0, S + k - x).

    Raises:
        ValueError: mean, k or h is negative or not finite, a word is unknown, or the limit is too far to compute (see the module).

    >>> round(poisson_cusum_arl(2, 2.5, 5), 2), round(poisson_cusum_arl(2, 2.5, 5, signal=">"), 2)
    (61.54, 79.76)
    """
    return _arl(_poisson(mean), k, h, sided, signal)


def poisson_cusum_limit(mean: float, k: float, arl0: float, sided: str = "upper", signal: str = ">=") -> float:
    """The smallest limit on the lattice of S whose average run length at this mean is at least `arl0`.

    Sides and signals as in `poisson_cusum_arl` (Lucas 1985).

    Raises:
        ValueError: mean or k is negative, arl0 is not above 1, a word is unknown, or no limit has so large an average run length.

    >>> poisson_cusum_limit(2, 2.5, 370)
    9.0
    """
    return _limit(_poisson(mean), k, arl0, sided, signal)


def binomial_cusum_arl(n: int, p: float, k: float, h: float, sided: str = "upper", signal: str = ">=") -> float:  # noqa: PLR0913, PLR0917  # the chart's own
    """Average run length of a CUSUM of binomial counts, n items each with the true probability p, from S = 0.

    Exact, as for Poisson counts; `sided` is "upper", "lower" or "two", `signal` is ">=" or ">" (Hawkins & Olwell 1998).
    `p` is the true probability; k and h are counts. Upper S = max(0, S + x - k), lower S = max(0, S + k - x).

    Raises:
        ValueError: n is not a whole number above 0, p is no probability, k or h is negative, a word is unknown, or the limit is too far
            to compute.

    >>> round(binomial_cusum_arl(50, 0.02, 1.5, 6), 3)
    669.044
    """
    return _arl(_binomial(n, p), k, h, sided, signal)


def binomial_cusum_limit(n: int, p: float, k: float, arl0: float, sided: str = "upper", signal: str = ">=") -> float:  # noqa: PLR0913, PLR0917  # the chart's own
    """The smallest limit on the lattice of S whose average run length at this p is at least `arl0`.

    Sides and signals as in `binomial_cusum_arl` (Hawkins & Olwell 1998).

    Raises:
        ValueError: n is not a whole number above 0, p is no probability, k is negative, arl0 is not above 1, a word is unknown, or no
            limit will do.

    >>> binomial_cusum_limit(50, 0.02, 1.5, 500)
    6.0
    """
    return _limit(_binomial(n, p), k, arl0, sided, signal)


def negbin_cusum_arl(mean: float, var: float, k: float, h: float, sided: str = "upper", signal: str = ">=") -> float:  # noqa: PLR0913, PLR0917  # the chart's own
    """Average run length of a CUSUM of negative binomial counts with this true mean and variance, from S = 0.

    The law of overdispersed counts: var >= mean, and with var = mean it is Poisson's. Exact, as for Poisson counts; `sided` is "upper",
    "lower" or "two", `signal` is ">=" or ">" (Hawkins & Olwell 1998).
    `mean` and `var` are the true ones; k and h are counts. Upper S = max(0, S + x - k), lower S = max(0, S + k - x).

    Raises:
        ValueError: mean is not above 0, var is below it, k or h is negative, a word is unknown, or the limit is too far to compute.

    >>> round(negbin_cusum_arl(10, 30, 13, 40), 3)
    2673.976
    """
    return _arl(_negbin(mean, var), k, h, sided, signal)


def negbin_cusum_limit(mean: float, var: float, k: float, arl0: float, sided: str = "upper", signal: str = ">=") -> float:  # noqa: PLR0913, PLR0917  # the chart's own
    """The smallest limit on the lattice of S whose average run length at this mean and variance is at least `arl0`.

    Sides and signals as in `negbin_cusum_arl` (Hawkins & Olwell 1998).

    Raises:
        ValueError: mean is not above 0, var is below it, k is negative, arl0 is not above 1, a word is unknown, or no limit will do.

    >>> negbin_cusum_limit(10, 30, 13, 1000)
    34.0
    """
    return _limit(_negbin(mean, var), k, arl0, sided, signal)


def _poisson(mean: float) -> Law:
    return Poisson(arguments.non_negative("mean", mean))


def _binomial(n: int, p: float) -> Law:
    return Binomial(arguments.whole("n", n, 1), arguments.probability("p", p))


def _negbin(mean: float, var: float) -> Law:
    mean, var = arguments.positive("mean", mean), arguments.positive("var", var)
    if var < mean:
        raise ValueError(f"var is {var:g}, mean is {mean:g}: a negative binomial variance is never below its mean")
    return Poisson(mean) if var == mean else NegativeBinomial(mean, var)


def _arl(law: Law, k: float, h: float, sided: str, signal: str) -> float:
    k, touching = _checked(k, sided, signal)
    fraction = rational(k)
    states = steps_to_signal(rational(arguments.non_negative("h", h)), fraction.denominator, touching=touching)
    return _both(law, k, sided, states)


@lru_cache(maxsize=4096)
def _limit(law: Law, k: float, arl0: float, sided: str, signal: str) -> float:
    k, touching = _checked(k, sided, signal)
    q = rational(k).denominator
    walks, arl0 = _walks(law, k, sided), arguments.run_length("arl0", arl0)
    near = brownian_limit(walks[0])
    states = smallest(
        lambda steps: _both(law, k, sided, steps),
        arl0,
        lambda length: q * near(length),
        lambda low, high: heights(walks, low, high),
    )
    return limit_of(states, q, touching=touching)


def _checked(k: float, sided: str, signal: str) -> tuple[float, bool]:
    arguments.one_of("sided", sided, ("upper", "lower", "two"))
    arguments.one_of("signal", signal, (">=", ">"))
    return arguments.non_negative("k", k), signal == ">="


def _both(law: Law, k: float, sided: str, states: int) -> float:
    """The average run length of one side, or of two whose rates add."""
    if states <= 0:
        return 1.0
    walks = _walks(law, k, sided)
    height = states / walks[0].k.denominator
    rate = 0.0
    for walk in walks:
        if not height * exponent(walk) > _NOTHING - math.log(max(rate, 1e-300)):
            rate += 1.0 / _side(walk, states)
    return max(1.0 / rate, 1.0) if rate > 0.0 else math.inf


@lru_cache(maxsize=256)
def _walks(law: Law, k: float, sided: str) -> list[Walk]:
    """One side or both, the one that rises first."""
    walks = [Walk(law, rational(k), side == "upper") for side in ("upper", "lower") if sided in {side, "two"}]
    return sorted(walks, key=lambda walk: -walk.drift)


@lru_cache(maxsize=4096)
def _side(walk: Walk, states: int) -> float:
    if (risen := rising.arl(walk, states)) is not None:
        return risen
    height = states / walk.k.denominator
    if height > _HIGHEST:
        raise ValueError(f"h is {height:g}: more than {_HIGHEST} counts; chart a rate, or a larger unit")
    if walk.drift > 0.0 and height > max(_POINTS * walk.drift, _SPREADS * walk.law.spread):
        raise ValueError(f"h is {height:g} and S rises by {walk.drift:g} a point: no chart, and too far to compute")
    return toeplitz.arl(walk, states) if _solvable(walk, states) else excursion.arl(walk, states)


def _solvable(walk: Walk, states: int) -> bool:
    """Are the equations, whose cost is the square of the states, cheaper than a cycle with its points and values at each of them?"""
    if states <= _FEW or states > _MANY or walk.law.spread == 0.0:
        return states <= _MANY
    height = states / walk.k.denominator
    return states**2 <= 7000.0 * cycle_points(walk, height, 10.0) * (1.0 + height / 100.0)
