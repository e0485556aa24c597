"""Hotelling's T2 chart with known parameters: average run length in closed form.

T2 of a p-variate normal vector has the chi-square law with p degrees of freedom and noncentrality delta^2, a Poisson mixture of central
ones, so that a small tail is a sum of positive terms.

Source: Hotelling (1947), Multivariate quality control; Montgomery (2020), Introduction to Statistical Quality Control, chapter 11.
"""

from __future__ import annotations

import math

from streamspc.design import arguments
from streamspc.design.noncentral_chi import noncentral_above


def t2_arl(p: int, upper: float, delta: float = 0.0) -> float:
    """Average run length of a T2 chart of p metrics with known mean and covariance: signal for T2 > upper.

    `delta` is the Mahalanobis distance of the shift, not its square.
    `upper` has no unit: it limits (x - mu)' inverse(Sigma) (x - mu), whose law is chi-square with p degrees of freedom and noncentrality
    delta^2 (Montgomery 2020, section 11.3).

    Raises:
        ValueError: p is not a whole number above 0, upper is not above 0, delta is negative, or one of them is not finite.

    >>> round(t2_arl(2, 10.596634733096074), 6), round(t2_arl(2, 10.596634733096074, 2.0), 6)
    (200.0, 6.875068)
    """
    p, upper, delta = arguments.whole("p", p, 1), arguments.positive("upper", upper), arguments.non_negative("delta", delta)
    signal = noncentral_above(p, upper, delta)
    return 1.0 / signal if signal > 0.0 else math.inf
