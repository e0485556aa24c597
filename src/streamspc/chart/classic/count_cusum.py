"""CUSUMs of counts: Poisson, binomial and negative binomial.

Definition: C_t = max(0, C_(t-1) + x_t - k_t) for rises, max(0, C_(t-1) + k_t - x_t) for falls; a signal where C >= h (Lucas; Hawkins &
Olwell) or C > h (R's spc). On a lattice these are two charts: for Poisson, mean 2, k 2.5, h 5, the ARL0 is 61.5 with >= and 79.8 with >.
It is the sequential likelihood ratio test of a good rate g against a bad one b when k is the count that speaks for neither:

    Poisson             k = (b - g) / ln(b / g), of means
    binomial            k = n ln((1 - g) / (1 - b)) / ln(b (1 - g) / (g (1 - b))), of shares of n items
    negative binomial   k = s ln((b + s) / (g + s)) / ln(b (g + s) / (g (b + s))), of means m with variance m + m^2 / s

k may differ from point to point, as n does; rounded to a fraction with a small denominator it makes the lattice, and the exact ARL
(`design.poisson_cusum_arl`, `binomial_cusum_arl`, `negbin_cusum_arl`), a small one. A missing count holds the statistic. `headstart` is
its starting value.

Use it for rates that shift by a third or so and stay: a c or p chart of small counts is blind to them, and to every fall.

Sources: Lucas (1985), Counted data CUSUM's, Technometrics 27(2) (Poisson); Gan (1993), An optimal design of CUSUM control charts for
binomial counts, Journal of Applied Statistics 20(4); Hawkins & Olwell (1998), Cumulative sum charts and charting for quality
improvement, chapter 5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamspc.chart.classic.cusum import one_sided

if TYPE_CHECKING:
    from streamspc.chart.classic.limits import Numbers
    from streamspc.model import Bools, Floats


def statistic(x: Floats, k: Numbers, *, upper: bool = True, headstart: float = 0.0, restart_above: float = np.inf) -> Floats:
    """C of counts [..., m]; k is broadcast to them, so it may follow the items of each point.

    >>> statistic(np.array([3.0, 5.0, 0.0]), np.array([2.5, 2.5, 1.0])).tolist()
    [0.5, 3.0, 2.0]
    """
    apart = np.asarray(x, np.float64) - k
    return one_sided(apart if upper else -apart, 0.0, headstart, restart_above)


def signals(c: Floats, h: Numbers, signal: str = ">=") -> Bools:
    """Where the statistic [..., m] signals: `>=` or `>`. Raises ValueError for anything else."""
    if signal not in {">=", ">"}:
        raise ValueError(f"signal is {signal!r}: it must be '>=' or '>'")
    over: Bools = c >= h if signal == ">=" else c > h
    return over


def poisson_reference(good: Numbers, bad: Numbers) -> Floats:
    """Reference value k for means that are good and bad.

    >>> round(float(poisson_reference(2.0, 3.0)), 6)
    2.466303
    """
    return _apart(bad, good) / np.log(np.asarray(bad) / good)


def binomial_reference(n: Numbers, good: Numbers, bad: Numbers) -> Floats:
    """Reference value k of n items for shares that are good and bad.

    >>> round(float(binomial_reference(100, 0.02, 0.04)), 6)
    2.8888
    """
    _apart(bad, good)
    better, worse = np.asarray(good, np.float64), np.asarray(bad, np.float64)
    return np.asarray(n * np.log((1.0 - better) / (1.0 - worse)) / np.log(worse * (1.0 - better) / (better * (1.0 - worse))), np.float64)


def negbin_reference(good: Numbers, bad: Numbers, size: Numbers) -> Floats:
    """Reference value k for means that are good and bad; the variance of a mean m is m + m^2 / size.

    >>> round(float(negbin_reference(2.0, 3.0, 1e9)), 6) == round(float(poisson_reference(2.0, 3.0)), 6)
    True
    """
    _apart(bad, good)
    better, worse = np.asarray(good, np.float64), np.asarray(bad, np.float64)
    return np.asarray(size * np.log1p((worse - better) / (better + size)) / np.log(worse * (better + size) / (better * (worse + size))))


def _apart(bad: Numbers, good: Numbers) -> Floats:
    """The difference bad - good. Raises ValueError where they are equal: no count speaks for either."""
    apart = np.asarray(bad, np.float64) - good
    if (apart == 0.0).any():
        raise ValueError("good and bad are the same: there is nothing to tell apart")
    return apart
