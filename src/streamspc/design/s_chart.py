"""Standard deviation charts: average run length in closed form.

(n - 1) S^2 / sigma^2 of a normal sample of n has the chi-square law with n - 1 degrees of freedom.

Source: Montgomery (2020), Introduction to Statistical Quality Control, 8th edition, chapter 6.
"""

from __future__ import annotations

import math

from scipy.special import gammainc, gammaincc

from streamspc.design import arguments


def s_chart_arl(n: int, lower: float, upper: float, ratio: float = 1.0) -> float:
    """Average run length of an S chart of samples of n: S has divisor n - 1, the limits are in units of sigma0.

    A sample signals for S > upper or S < lower, so a lower limit of 0 never signals. `ratio` is sigma / sigma0.
    The run length counts samples. Exact: the chi-square law with n - 1 degrees of freedom (Montgomery 2020, section 6.3).

    Raises:
        ValueError: n is below 2 or not whole, a limit is negative or not finite, lower is not below upper, or the ratio is not above 0.

    >>> round(s_chart_arl(3, 0.0, 2.275981051, 2.0), 6)
    3.651078
    """
    n = arguments.whole("n", n, 2)
    lower, upper = arguments.non_negative("lower", lower), arguments.positive("upper", upper)
    arguments.ordered(("lower", lower), ("upper", upper))
    ratio = arguments.positive("ratio", ratio)
    half = (n - 1) / 2.0
    signal = float(gammaincc(half, half * (upper / ratio) ** 2) + gammainc(half, half * (lower / ratio) ** 2))
    return 1.0 / min(signal, 1.0) if signal > 0.0 else math.inf  # a sum may round to more than 1
