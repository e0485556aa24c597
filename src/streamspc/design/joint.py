"""A set of charts on one series that run together and start again together: limits with which the set keeps one average run length.

The alarms of charts on one series overlap, so that neither the budget of each nor the sum of their budgets is that of the set.

- One chart alone has its own equation. A Shewhart chart with rules about zones is one chart: one factor stretches its limit and the lines
  of its rules, by the chain of Champ and Woodall.
- Shewhart with a CUSUM or an EWMA: each has half of the alarms, by an integral equation (`shewhart_cusum`, `shewhart_ewma`).
- Any other set: each chart alone is rarer than the set by one common factor, from a table (`joint_factors`).

Sources: Lucas (1982), Combined Shewhart-CUSUM quality control schemes, Journal of Quality Technology 14; Sparks (2000), CUSUM charts for
signalling varying location shifts, Journal of Quality Technology 32 (several scales); Champ & Woodall (1987), Exact results for Shewhart
control charts with supplementary runs rules, Technometrics 29.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from streamspc.design import alone, arguments
from streamspc.design.joint_factors import factor
from streamspc.design.shewhart import shewhart_arl
from streamspc.design.shewhart_cusum import shewhart_cusum_limit
from streamspc.design.shewhart_ewma import shewhart_ewma_limit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_ZONES = {"we1": 1, "nelson1": 1, "we2": 5, "nelson5": 5, "we3": 6, "nelson6": 6}  # Nelson's numbers
_FIXED = {"we4": (2, 8), "run7": (2, 7), "nelson2": (2, 9), "nelson3": (3, 9), "nelson4": (4, 9), "nelson7": (7, 9), "nelson8": (8, 9)}
_SIDES = ("two", "upper", "lower")


class BankLimits(NamedTuple):
    """Limits of a set of charts, in sigma, not rounded."""

    shewhart: float | None  # L; None where there is no such chart
    cusum: tuple[float, ...]  # h of each k
    ewma: tuple[float, ...]  # L of each lam, of exact limits: it multiplies the sigma of Z_t
    arl0: float  # of the set
    exact: bool  # by an equation; else by a simulated factor, which is good to 1 %
    factor: float  # by which each chart alone is rarer than the set; 1 where `exact`
    zones: float = 1.0  # by which the lines of zone rules at 1 and 2 sigma are stretched


class _Set(NamedTuple):
    """Charts in the form in which limits are cached."""

    rules: tuple[int, ...]  # Nelson's numbers of the Shewhart chart, (1,) without further rules, () without the chart
    confirm: int
    cusum: tuple[float, ...]
    ewma: tuple[float, ...]
    sided: str
    headstart: float

    @property
    def shewhart(self) -> str:
        """The name of the Shewhart chart in the table of factors."""
        return "confirmed" if self.confirm > 1 else "".join(map(str, self.rules))


def bank_limits(  # noqa: PLR0913 - each argument is one chart of the set
    arl0: float,
    *,
    shewhart: bool = True,
    cusum: Sequence[float] = (0.5,),
    ewma: Sequence[float] = (),
    sided: str = "two",
    headstart: float = 0.0,
    confirm: int = 1,
    rules: Iterable[str] = (),
) -> BankLimits:
    """Limits with which a set of charts of normal points, together, signals once in arl0 points in control.

    `cusum` are the k of CUSUMs, which start from `headstart`, `ewma` the lam of EWMAs with exact limits. `sided`: which side may signal, of
    all charts. `confirm=2`: a Shewhart signal takes two successive points beyond L on one side. `rules` are names of zone rules, we1-we3 or
    nelson1, nelson5, nelson6; L = 3 and their lines at 1 and 2 sigma are stretched by one factor, `zones`.

    Raises:
        ValueError: there is no chart; a rule has no line to stretch; a number is impossible; or a set that only the table of factors knows
            has a k or lam that is not in it, a head start, or arl0 below 100. Such limits can still be written by hand.

    >>> both = bank_limits(370.4)
    >>> round(both.shewhart, 4), round(both.cusum[0], 4), both.exact
    (3.2052, 5.3386, True)
    >>> three = bank_limits(10_000, cusum=(0.5,), ewma=(0.1,))
    >>> three.exact, 2.4 < three.factor < 2.5
    (False, True)
    """
    chosen = _Set(
        _numbers(rules, arguments.run_length("arl0", arl0), shewhart=shewhart),
        arguments.whole("confirm", confirm, 1, 2),
        tuple(arguments.non_negative("k", k) for k in cusum),
        tuple(arguments.weight("lam", lam) for lam in ewma),
        "two" if arguments.one_of("sided", sided, _SIDES) == "two" else "upper",
        arguments.non_negative("headstart", headstart) if cusum else 0.0,
    )
    _possible(chosen)
    return _limits(float(arl0), chosen)


@lru_cache(maxsize=1024)
def _limits(arl0: float, chosen: _Set) -> BankLimits:
    rules, _, cusum, ewma, sided, headstart = chosen
    memory = len(cusum) + len(ewma)
    if chosen.shewhart == "1" and memory == 1 and cusum:
        h, c = shewhart_cusum_limit(cusum[0], arl0, headstart=headstart, sided=sided)
        return BankLimits(c, (h,), (), arl0, exact=True, factor=1.0)
    if chosen.shewhart == "1" and memory == 1:
        width, c = shewhart_ewma_limit(ewma[0], arl0, sided)
        return BankLimits(c, (), (width,), arl0, exact=True, factor=1.0)
    several = memory + bool(rules) > 1
    if several and headstart > 0.0:
        raise ValueError(
            f"headstart is {headstart:g}: the joint rate of these charts is known from 0 only; leave it out, or write the limits"
        )
    rarer = factor(chosen.shewhart, cusum, ewma, sided, arl0) if several else 1.0
    return _each(chosen, arl0, rarer)._replace(exact=not several)


def _each(chosen: _Set, arl0: float, rarer: float) -> BankLimits:
    """Every chart designed alone, `rarer` than the set."""
    rules, confirm, cusum, ewma, sided, headstart = chosen
    each = arl0 * rarer
    stretch = alone.zones(rules, each, sided) if set(rules) - {1} else 1.0
    limit = None
    if 1 in rules:
        limit = alone.shewhart(each, sided, confirm) if rules == (1,) else 3.0 * stretch
    h = tuple(alone.cusum(k, each, sided, headstart) for k in cusum)
    return BankLimits(limit, h, tuple(alone.ewma(lam, each, sided) for lam in ewma), arl0, exact=True, factor=rarer, zones=stretch)


def _numbers(rules: Iterable[str], arl0: float, *, shewhart: bool) -> tuple[int, ...]:
    """Nelson's numbers of the rules of the Shewhart chart."""
    numbers = {1} if shewhart else set()
    for rule in rules:
        if rule in _FIXED:
            number, run = _FIXED[rule]
            rate = shewhart_arl(rules=(number,), scheme="nelson", run=run)
            raise ValueError(
                f"rule {rule} alone signals once in {rate:.5g} points in control, and no limit changes that: it cannot keep an arl0 of "
                f"{arl0:g}; leave it out, or take a CUSUM, which finds the same shifts"
            )
        numbers.add(_ZONES[arguments.one_of("rule", rule, (*_ZONES, *_FIXED))])
    return tuple(sorted(numbers))


def _possible(chosen: _Set) -> None:
    """Raise ValueError where the charts do not go together."""
    if not (chosen.rules or chosen.cusum or chosen.ewma):
        raise ValueError("there is no chart: ask for a Shewhart chart, a CUSUM or an EWMA")
    if chosen.confirm > 1 and chosen.rules != (1,):
        raise ValueError("confirm is 2: it is for a Shewhart chart without run rules, which are confirmations themselves")
    for name, values in (("k", chosen.cusum), ("lam", chosen.ewma)):
        if len(set(values)) < len(values):
            raise ValueError(f"{name} is {', '.join(f'{value:g}' for value in values)}: each must come once")
