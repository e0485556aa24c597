"""Charts of individuals and moving ranges (I-MR).

Definition: sigma is the mean moving range of two (or `span`) neighbours over d2; individuals have limits mean -/+ L sigma, moving
ranges d2 sigma -/+ L d3 sigma, not below 0. A range that would reach over a missing value is missing.

    moving_range         mean of the ranges / d2(span)
    median_moving_range  their median / the median of the law: one outlier does no harm
    sd                   sample standard deviation / c4(m): efficient when nothing happened, inflated by shifts and trends

Use it when there is one number a window and windows differ more than what is within them explains (rates over very many records). Moving
ranges take correlation of neighbours for small sigma: at a lag-1 correlation of 0.4 limits of 3 sigma have an ARL0 of 53 instead of 370.
Both charts together have 105 (`design.imr_arl`); many draw the moving ranges only.

Sources: Wheeler & Chambers (1992), Understanding statistical process control; Montgomery (2020), Introduction to Statistical Quality
Control, section 6.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamspc.chart.classic.constants import c4, d2, d3, range_quantile
from streamspc.chart.classic.limits import Limits, around

if TYPE_CHECKING:
    from streamspc.chart.classic.limits import Numbers
    from streamspc.model import Floats

METHODS = ("moving_range", "median_moving_range", "sd")


def moving_ranges(x: Floats, span: int = 2) -> Floats:
    """Range of each value and the span - 1 before it, [..., m]; nan for the first ones and next to a missing value.

    >>> moving_ranges(np.array([1.0, 3.0, np.nan, 2.0, 2.5])).tolist()
    [nan, 2.0, nan, nan, 0.5]
    """
    ranges = np.full(x.shape, np.nan)
    if x.shape[-1] >= span:
        views = np.lib.stride_tricks.sliding_window_view(x, span, axis=-1)
        ranges[..., span - 1 :] = views.max(axis=-1) - views.min(axis=-1)
    return ranges


def sigma(x: Floats, method: str = "moving_range", span: int = 2) -> Floats:
    """Standard deviation of individuals [..., m], by a method of the module's table. [...]."""
    estimate: Floats
    match method:
        case "moving_range":
            estimate = np.nanmean(moving_ranges(x, span), axis=-1) / d2(span)
        case "median_moving_range":
            estimate = np.nanmedian(moving_ranges(x, span), axis=-1) / range_quantile(0.5, span)
        case "sd":
            estimate = np.nanstd(x, axis=-1, ddof=1) / c4(np.count_nonzero(~np.isnan(x), axis=-1))
        case _:
            raise ValueError(f"method is {method!r}: it must be one of {', '.join(METHODS)}")
    return estimate


def individuals(centre: Numbers, sigma: Numbers, width: float = 3.0) -> Limits:
    """Limits of individual values."""
    return around(centre, sigma, width)


def ranges(sigma: Numbers, span: int = 2, width: float = 3.0) -> Limits:
    """Limits of moving ranges: the upper one is D4 times their mean."""
    return around(sigma * d2(span), sigma * d3(span), width, least=0.0)
