"""Self-starting statistics: standard normal scores without a Phase I.

Each value is compared with the mean and standard deviation of those before it. For independent normal values of unknown mean and
variance the scores U_3, U_4, ... are exactly independent and standard normal, so any chart for known parameters may watch them. A
shift is absorbed into the mean as time goes on: see it early or not at all.

Sources: Hawkins (1987), Self-starting cusum charts for location and scale, The Statistician 36; Quesenberry (1991), SPC Q charts for
start-up processes and short or long runs, Journal of Quality Technology 23.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri, stdtr

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from streamspc.model import Floats


def self_starting(x: ArrayLike) -> Floats:
    """Hawkins' U_n = inverse Phi(F_(n-2)(sqrt((n - 1) / n) (x_n - mean_(n-1)) / s_(n-1))), F_v the t law with v degrees of freedom.

    As many values as x has, the first two nan. A value that differs from earlier ones which are all equal has an infinite score; one
    that equals them has none (nan).

    Raises:
        ValueError: x is not a sequence of finite numbers.

    >>> self_starting([34.05, 34.4, 33.59, 35.96]).round(6)
    array([      nan,       nan, -1.072444,  1.931239])
    """
    try:
        values = np.asarray(x, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError("x must be a sequence of numbers") from None
    if values.ndim != 1:
        raise ValueError(f"x has {values.ndim} dimensions: it must be a sequence of numbers")
    if not np.isfinite(values).all():
        raise ValueError("x must be finite: leave out what is missing")
    scores = np.full(len(values), np.nan)
    if len(values) < 3:
        return scores
    n = np.arange(1.0, len(values) + 1.0)
    centred = values - np.median(values)
    mean = np.cumsum(centred) / n
    deviation = centred[1:] - mean[:-1]  # of each value from the mean of those before, from the second on
    squares = np.cumsum(deviation**2 * (n[:-1] / n[1:]))  # sum of squares about the mean (Welford)
    deviation, squares, n = deviation[1:], squares[:-1], n[2:]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        t = deviation * np.sqrt((n - 1.0) / n * (n - 2.0) / squares)
    scores[2:] = -np.sign(t) * ndtri(stdtr(n - 2.0, -np.abs(t)))
    return scores
