"""Limits of a set of charts that watch one series together, begin together, and begin again together at a signal of any of them."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from scipy.special import ndtri

from streamspc.design.cusum import cusum_limit
from streamspc.design.ewma import ewma_limit
from streamspc.design.shewhart_cusum import shewhart_cusum_limit


class BankLimits(NamedTuple):
    """Limits of the charts that were asked for."""

    shewhart: float | None
    cusum: tuple[float, ...]
    ewma: tuple[float, ...]


@lru_cache(maxsize=1024)
def bank_limits(  # noqa: PLR0913 - each argument is a fact of the set
    arl0: float,
    *,
    shewhart: bool = True,
    cusum: tuple[float, ...] = (0.5,),
    ewma: tuple[float, ...] = (),
    sided: str = "two",
    headstart: float = 0.0,
    confirm: int = 1,
    rules: tuple[str, ...] = (),
) -> BankLimits:
    """Limits at which the set signals once in `arl0` points in control. Raises ValueError for a set that has no design."""
    sides = 2.0 if sided == "two" else 1.0
    match shewhart, len(cusum), len(ewma), confirm, rules:
        case True, 0, 0, 1, ():
            return BankLimits(float(-ndtri(1.0 / (arl0 * sides))), (), ())
        case False, 1, 0, _, ():
            return BankLimits(None, (cusum_limit(cusum[0], arl0, sided, headstart),), ())
        case False, 0, 1, _, ():
            return BankLimits(None, (), (ewma_limit(ewma[0], arl0 * sides / 2.0, limits="exact"),))
        case True, 1, 0, 1, ():
            h, c = shewhart_cusum_limit(cusum[0], arl0, headstart=headstart, sided=sided)
            return BankLimits(c, (h,), ())
    raise ValueError(f"no design for rules {', '.join(rules)} or this set of charts: write its limits")
