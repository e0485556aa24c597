"""Laney's p' and u' charts: rates that vary between windows by more than sampling.

Definition: z_i = (rate_i - centre) / s_i with s_i the sigma of a p or u chart; sigma_z is the mean moving range of z over d2(2) (exact
here; many programs have 1.128). Limits are centre -/+ L s_i sigma_z. With sigma_z near 1 they are those of the p or u chart; above 1 the
data are overdispersed, below 1 underdispersed.

`screened` leaves out, once, moving ranges above D4 = 1 + 3 d3 / d2 times their mean (Provost & Murray), so that one shift in the data
does not widen the limits. Laney's own definition does not; which one was used changes sigma_z a lot (2.21 and 1.44 for one data set),
so say it.

Moving ranges are small where neighbours are correlated; the standard deviation of z (`Dispersion.sd`) is large where there were
shifts. Where the two disagree, look at the data before either.

Use it for rates over many records, which are nearly all rates of a data pipeline. With few (n p below 5) z is skewed: see `rare`.

Sources: Laney (2002), Improved control charts for attributes, Quality Engineering 14(4); Provost & Murray (2011), The health care data
guide (screening).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streamspc.chart.classic.attributes import rate
from streamspc.chart.classic.constants import d2, d3
from streamspc.chart.classic.individuals import moving_ranges
from streamspc.chart.classic.limits import Limits, around

if TYPE_CHECKING:
    from streamspc.model import Floats


class Dispersion(NamedTuple):
    """How much more than sampling the rates of series vary, [...] each; 1 where the law holds."""

    moving_range: Floats  # sigma_z
    sd: Floats  # standard deviation of z
    pearson: Floats  # sum of z^2 / (m - 1): the variance, around the common rate


def p(x: Floats, n: Floats, width: float = 3.0, *, screened: bool = False) -> Limits:
    """Limits of shares x / n, [..., m]."""
    return _limits(x, n, shares=True, width=width, screened=screened)


def u(x: Floats, n: Floats, width: float = 3.0, *, screened: bool = False) -> Limits:
    """Limits of events per unit x / n, [..., m]."""
    return _limits(x, n, shares=False, width=width, screened=screened)


def dispersion(x: Floats, n: Floats, *, shares: bool, screened: bool = False) -> Dispersion:
    """The factors of hits among n trials (`shares`), or of events in n units."""
    centre, sigma = _sampling(x, n, shares=shares)
    z = (x / n - centre) / sigma
    m = np.count_nonzero(~np.isnan(z), axis=-1)
    return Dispersion(_sigma_z(z, screened=screened), np.nanstd(z, axis=-1, ddof=1), np.nansum(z * z, axis=-1) / (m - 1))


def _limits(x: Floats, n: Floats, *, shares: bool, width: float, screened: bool) -> Limits:
    centre, sigma = _sampling(x, n, shares=shares)
    factor = _sigma_z((x / n - centre) / sigma, screened=screened)[..., None]
    return around(centre, sigma * factor, width, least=0.0, most=1.0 if shares else np.inf)


def _sampling(x: Floats, n: Floats, *, shares: bool) -> tuple[Floats, Floats]:
    """The common rate [..., 1], and the sigma that sampling alone gives to each rate [..., m]."""
    centre = rate(x, n)[..., None]
    return centre, np.sqrt(centre * (1.0 - centre if shares else 1.0) / n)


def _sigma_z(z: Floats, *, screened: bool) -> Floats:
    ranges = moving_ranges(z)
    if screened:
        bound = (1.0 + 3.0 * d3(2) / d2(2)) * np.nanmean(ranges, axis=-1, keepdims=True)
        ranges = np.where(ranges > bound, np.nan, ranges)
    factor: Floats = np.nanmean(ranges, axis=-1) / d2(2)
    return factor
