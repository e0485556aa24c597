"""Shewhart charts of independent points: average and quantiles of the run length, with run rules of Western Electric or Nelson.

The plotted statistic is standardised: centre 0, sigma 1 (sigma / sqrt(n) for means of n), and `shift` is in this sigma. A point
signals strictly beyond a limit. Zones are at 1 and 2 sigma whatever L is.

Rule 1 alone has the geometric law. Rules about zones make a finite Markov chain (`run_rules`, `run_chain`), rules about order a chain
with the latest value as a part of the state (`run_order`).

Sources: Shewhart (1931), Economic Control of Quality of Manufactured Product; Champ & Woodall (1987), Exact results for Shewhart
control charts with supplementary runs rules, Technometrics 29; Nelson (1984), Journal of Quality Technology 16.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from streamspc.design import arguments
from streamspc.design.run_chain import chain_arl
from streamspc.design.run_order import order_arl
from streamspc.design.run_rules import NELSON_OF_WESTERN, machine
from streamspc.design.standardised import Law

if TYPE_CHECKING:
    from collections.abc import Sequence

ORDER = frozenset({3, 4})


def shewhart_arl(  # noqa: PLR0913, PLR0917 - each argument is one number of the chart
    L: float = 3.0,  # noqa: N803 - the literature's name
    shift: float = 0.0,
    rules: str | Sequence[int] = "1",
    scheme: str = "western_electric",
    run: int = 8,
    distribution: Any = None,
) -> float:
    """Average run length of a Shewhart chart with run rules.

    `rules` is a string out of "1234" (`scheme="western_electric"`: 1 beyond L, 2 two of three beyond 2 sigma, 3 four of five beyond 1
    sigma, 4 eight on one side) or a tuple out of 1-8 (`scheme="nelson"`, with `run` = 7, 8 or 9 points for rule 2). Rules may signal
    before their window is full. `distribution` is that of a point: normal (None) or a frozen scipy.stats one, standardised to mean 0 and
    variance 1 here; rules other than 1 need a continuous one.

    Raises:
        ValueError: L is negative or not finite, a rule is not known, run is not 7, 8 or 9, or the distribution is not frozen, has no
            finite variance or, with rules other than 1, is discrete.

    >>> round(shewhart_arl(), 3), round(shewhart_arl(rules="1234"), 2)
    (370.398, 91.75)
    >>> round(shewhart_arl(rules=(1, 2, 3, 4, 5, 6, 7, 8), scheme="nelson", run=9), 2)
    73.48
    """
    L, shift = arguments.non_negative("L", L), arguments.finite("shift", shift)  # noqa: N806
    numbers, run = _numbers(rules, arguments.one_of("scheme", scheme, ("western_electric", "nelson")), run)
    try:
        return _arl(L, shift, numbers, run, distribution)
    except TypeError:  # a distribution that cannot be hashed is not cached
        return _arl.__wrapped__(L, shift, numbers, run, distribution)


def shewhart_quantile(alpha: float, L: float = 3.0, shift: float = 0.0) -> float:  # noqa: N803
    """Smallest n with P(run length <= n) >= alpha, for rule 1 and normal points; infinite where no signal can be expected.

    Raises:
        ValueError: alpha is not between 0 and 1, or L is negative or not finite.

    >>> shewhart_quantile(0.05), shewhart_quantile(0.5)
    (19.0, 257.0)
    """
    alpha, L, shift = arguments.share("alpha", alpha), arguments.non_negative("L", L), arguments.finite("shift", shift)  # noqa: N806
    law = Law(None, shift)
    signal = law.above(L) + law.below(-L)
    if signal >= alpha:
        return 1.0
    if signal == 0.0:
        return math.inf
    enough = math.log1p(-alpha) / math.log1p(-signal)
    nearest = round(enough)
    return float(nearest) if abs(enough - nearest) <= 1e-12 * nearest else float(math.ceil(enough))


def _numbers(rules: str | Sequence[int], scheme: str, run: int) -> tuple[tuple[int, ...], int]:
    """Nelson's numbers of the rules, ascending, and the length of rule 2."""
    if scheme == "western_electric":
        if not isinstance(rules, str) or not rules or set(rules) - set(NELSON_OF_WESTERN):
            raise ValueError(f"rules is {rules!r}: Western Electric rules are a string out of '1234', such as '124'")
        return tuple(sorted({NELSON_OF_WESTERN[rule] for rule in rules})), 8
    known = range(1, 9)
    if isinstance(rules, str | int) or not rules or any(rule not in known for rule in rules):
        raise ValueError(f"rules is {rules!r}: Nelson's rules are a tuple out of 1 to 8, such as (1, 2, 5)")
    return tuple(sorted({int(rule) for rule in rules})), arguments.whole("run", run, 7, 9)


@lru_cache(maxsize=4096)
def _arl(limit: float, shift: float, numbers: tuple[int, ...], run: int, distribution: Any) -> float:
    """The average run length for Nelson's numbers."""
    law = Law(distribution, shift)
    if numbers == (1,):
        signal = law.above(limit) + law.below(-limit)
        return 1.0 / signal if signal > 0.0 else math.inf
    if law.discrete:
        raise ValueError("rules other than 1 need a continuous distribution: a discrete one has values on the lines between zones")
    cuts, automaton = machine(numbers, limit if 1 in numbers else 3.0, run)
    return max(1.0, (order_arl if ORDER & set(numbers) else chain_arl)(automaton, law.zones(cuts)))
