"""Phase I: from the first m points of a series to the baseline that its limits follow from.

Screening. Errors in the first windows would widen the limits for ever, so windows far from the median are left out:
|x_i - median| > screen sigma_i with sigma_i^2 = b^2 + within_i, b^2 = max(0, r^2 - median within), r = 1.4826 MAD, over the windows still
kept, again and again until none is left out; a step that would keep fewer than half of all windows is not taken. Where b is 0 and 20
windows or more differ by less than their records say, within_i is made smaller by the MAD of (x_i - median) / sqrt(within_i). Two hits more
or less of a rate or count are never far.
r is the MAD and not the median moving range: a pattern of the day or a slow drift is part of being in control and must not be
screened away, and moving ranges do not see it. Where more than half of the values are equal (MAD 0), r is the standard deviation.

Single values that are skewed are screened, and learnt from, on the scale that makes them straight (`straight`).

Freezing, over the windows kept:
- centre: the mean; for proportions and null rates weighted by n, that is all hits by all records; of means, the mean of distances
  that are evened (`lean`), as they are for all that follows;
- unit: see `sigma`;
- phi: see `autocorrelation`;
- between^2 = max(0, s^2 / t - mean within), s^2 the variance of the values, from their residuals where phi is not 0; t is the
  variance of a standard normal variable cut off at the screen (0.994 at 3.5);
- unit is made smaller where 20 windows or more differ by less than it says, so that the mean of sigma_t^2 is always s^2 / t: an
  estimate whose law is known whatever share of the variance is between windows, for which limits can allow (`widening`);
- count: between^2 = s^2 / t, and the Poisson variance (the mean) only where s^2 is 0.

Prefer more windows to tighter screening: with m = 50 one chart in three has an ARL0 below 200 instead of 370.

Sources: Iglewicz & Hoaglin (1993), How to detect and handle outliers (MAD, screen of 3.5); Cochran (1954), The combination of
estimates from different experiments, Biometrics 10(1) (between^2); Jensen et al. (2006), Effects of parameter estimation on control
chart properties, Journal of Quality Technology 38(4).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streamspc.chart import autocorrelation, evidence, lean, logarithm, order, rare, sigma, skew, straight, stuck
from streamspc.chart.plan import KNOWN, RATIOS
from streamspc.chart.rare import Rare
from streamspc.model import MetricKind

if TYPE_CHECKING:
    from streamspc.chart.evidence import Doubts
    from streamspc.chart.rare import Sides
    from streamspc.model import Bools, Codes, Floats, Ints

ENOUGH = 20  # windows to say that they differ by less than their records
LATTICE = 2.0  # hits from the median that never make an outlier


class Baseline(NamedTuple):
    """What in control means, per series [M, S]; nan and version 0 while Phase I lasts."""

    centre: Floats  # of metrics that are charted as logarithms: of those, as are the variances
    between: Floats  # variance between windows
    unit: Floats  # variance of one record within a window
    bend: Floats  # where skewness follows from, see `skew`
    phi: Floats  # autocorrelation of lag 1
    kept: Codes  # windows that it was learnt from
    dropped: Codes  # windows that screening left out
    side: Sides  # +1, -1: a rare series, see `rare`; 0: any other
    expected: Floats  # of rare series the hits of one record, of means its variance as Phase I had it; 0 of the others
    relative: Floats
    wider: Floats
    usual: Floats  # this to `usual_pairs`: ties of neighbours, see `stuck`
    ties: Codes
    pairs: Codes
    usual_ties: Codes
    usual_pairs: Codes
    doubt: Doubts  # not 0: it is provisional, see `evidence`
    version: Codes
    former: Codes  # version of the baseline that it takes the place of

    @classmethod
    def fresh(cls, metrics: int, segments: int) -> Baseline:
        """The baseline of series that begin to learn."""
        shape = (metrics, segments)
        return cls(
            centre=np.full(shape, np.nan),
            between=np.full(shape, np.nan),
            unit=np.full(shape, np.nan),
            bend=np.zeros(shape),
            phi=np.zeros(shape),
            kept=np.zeros(shape, np.int32),
            dropped=np.zeros(shape, np.int32),
            side=np.zeros(shape, np.int8),
            expected=np.zeros(shape),
            relative=np.zeros(shape),
            wider=np.zeros(shape),
            usual=np.full(shape, np.nan),
            ties=np.zeros(shape, np.int32),
            pairs=np.zeros(shape, np.int32),
            usual_ties=np.zeros(shape, np.int32),
            usual_pairs=np.zeros(shape, np.int32),
            doubt=np.zeros(shape, np.uint8),
            version=np.zeros(shape, np.int32),
            former=np.zeros(shape, np.int32),
        )

    def copy(self) -> Baseline:
        """The same baselines in arrays of their own."""
        return Baseline(**{name: array.copy() for name, array in self._asdict().items()})

    def sigma(self, n: Ints, extra: Floats, floor: Floats) -> Floats:
        """Sigma of a window of n records, at least the floor that goes with the centre. [M, S], nan while learning."""
        result = sigma.within(self.unit, n, extra)
        result += self.between
        np.sqrt(result, out=result)
        return np.maximum(result, floor, out=result)


class Windows(NamedTuple):
    """Phase I windows [m, q] of q series of one kind of metric."""

    value: Floats
    n: Ints
    unit: Floats
    extra: Floats


class Frozen(NamedTuple):
    """What q series have learnt, each [q]; see `Baseline`. `keep` [m, q] are the windows that it was learnt from."""

    centre: Floats
    between: Floats
    unit: Floats
    bend: Floats
    phi: Floats
    kept: Codes
    dropped: Codes
    side: Sides
    expected: Floats
    relative: Floats
    wider: Floats
    usual: Floats
    ties: Codes
    pairs: Codes
    usual_ties: Codes
    usual_pairs: Codes
    doubt: Doubts
    keep: Bools


def freeze(kind: MetricKind, windows: Windows, screen: float, rho: float = rare.RHO) -> Frozen:
    """The baselines of q series of one kind of metric; `rho` is the overdispersion of rates near 0 that cannot be excluded."""
    raw = windows.value
    if kind in logarithm.KINDS:
        level = np.maximum(raw, logarithm.LEAST)
        windows = Windows(logarithm.log(level), windows.n, windows.unit / (level * level), windows.extra / (level * level))
    keep = screened(kind, windows, screen)
    shape = _shape(kind, windows, keep)
    value = evened(kind, windows, keep, screen) if shape is None else straight.straightened(windows.value, shape)
    n, m = windows.n, order.kept(keep).astype(np.int32)
    cut, plain = truncation(screen), order.variance(value, keep)
    centre = order.mean(value, keep)
    unit = sigma.pooled(kind, value, n, windows.unit, keep)
    within = order.mean(sigma.within(unit, n, windows.extra), keep)
    few = _few(kind, windows, keep, plain / cut - within, rho)
    if kind in lean.KINDS:
        few = few._replace(expected=unit.copy())
    distance = np.where(keep, value - centre, 0.0)
    phi = np.where(few.side == 0, autocorrelation.estimate(distance, keep), 0.0)
    spread = np.where(phi > 0.0, autocorrelation.variance(distance, keep, phi), plain) / cut
    between = np.maximum(0.0, spread - within)
    if kind is MetricKind.COUNT:
        between = np.where(spread > 0.0, spread, centre)
    elif kind in RATIOS:
        centre = order.total(np.where(keep, value * n, 0.0)) / order.total(np.where(keep, n, 0.0))
    less = (within > 0.0) & (m >= ENOUGH)
    unit *= np.where(less, np.minimum(1.0, spread / np.where(less, within, 1.0)), 1.0)
    own = skew.Windows(np.where(keep, windows.value - centre, 0.0), n, windows.unit)
    bend = np.where(few.side == 0, skew.learn(kind, own, centre, keep), 0.0)
    if shape is not None:
        centre, between, bend = straight.back(centre, between, shape)
    doubt = evidence.doubts(kind, (windows.value, n), keep, phi, few.side)
    dropped, ties = np.asarray(len(value) - m, np.int32), stuck.learn(raw, keep)._asdict()
    return Frozen(centre, between, unit, bend, phi, m, dropped, *few, **ties, doubt=doubt, keep=keep)


def _shape(kind: MetricKind, windows: Windows, keep: Bools) -> straight.Shape | None:
    """How skewed the values of q series are; None for kinds of which more is known than values."""
    if kind in KNOWN:
        return None
    found = straight.shape(windows.value, keep)
    return found._replace(bend=np.where((windows.unit + windows.extra == 0.0).all(axis=0), found.bend, 0.0))


def evened(kind: MetricKind, windows: Windows, keep: Bools, screen: float) -> Floats:
    """The values [m, q], with means as far from their centre as if the records of all windows scattered alike; see `lean`.

    The centre is where the mean of these distances is 0.
    """
    value, n = windows.value, windows.n
    if kind not in lean.KINDS:
        return value
    unit = sigma.pooled(kind, value, n, windows.unit, keep)
    within = order.mean(sigma.within(unit, n, windows.extra), keep)
    between = np.maximum(0.0, order.variance(value, keep) / truncation(screen) - within)
    factor = lean.factor(lean.Records(n, windows.unit, unit), unit, between + windows.extra)
    centre = order.total(np.where(keep, value / factor, 0.0)) / order.total(np.where(keep, 1.0 / factor, 0.0))
    return np.where(factor == 1.0, value, centre + (value - centre) / factor)


def _few(kind: MetricKind, windows: Windows, keep: Bools, between: Floats, rho: float) -> Rare:
    """Which of q series are rare."""
    if kind is MetricKind.COUNT:
        return rare.of_counts(windows.value, keep, between)
    if kind in RATIOS:
        return rare.of_rates(windows.value, windows.n, keep, np.maximum(0.0, between), rho)
    nothing = np.zeros(keep.shape[1])
    return Rare(nothing.astype(np.int8), nothing, nothing, nothing)


def screened(kind: MetricKind, windows: Windows, screen: float) -> Bools:
    """Which windows are kept. [m, q]."""
    m = len(windows.value)
    keep = np.ones(windows.value.shape, bool)
    for _ in range(m):
        inside = keep & _near(kind, windows, keep, screen)
        enough = 2 * order.kept(inside) >= m
        step = np.where(enough, inside, keep)
        if np.array_equal(step, keep):
            break
        keep = step
    return keep


def _near(kind: MetricKind, windows: Windows, keep: Bools, screen: float) -> Bools:
    """Which windows lie within `screen` robust sigma of the median of those kept. [m, q]."""
    shape = _shape(kind, windows, keep)
    value = windows.value if shape is None else straight.straightened(windows.value, shape)
    centre = order.median(value, keep)
    distance = np.abs(value - centre)
    unit = sigma.pooled(kind, value, windows.n, windows.unit, keep)
    inner = sigma.within(unit, windows.n, windows.extra)
    usual = order.median(inner, keep)
    robust = _robust(distance, value, keep)
    if kind in lean.KINDS:
        records = lean.Records(windows.n, windows.unit, unit)
        distance = distance / lean.factor(records, unit, np.maximum(0.0, robust - usual) + windows.extra)
        robust = _robust(distance, value, keep)
    between = np.maximum(0.0, robust - usual)
    scaled = np.where(inner > 0.0, distance / np.sqrt(np.where(inner > 0.0, inner, 1.0)), 0.0)
    less = (1.4826 * order.median(scaled, keep)) ** 2
    inner *= np.where((robust < usual) & (less > 0.0) & (order.kept(keep) >= ENOUGH), np.minimum(1.0, less), 1.0)
    near: Bools = distance <= screen * np.maximum(np.sqrt(between + inner), sigma.floor(centre))
    if kind is MetricKind.COUNT:
        near |= distance <= LATTICE
    elif kind in RATIOS:
        near |= distance * windows.n <= LATTICE
    return near


def _robust(distance: Floats, value: Floats, keep: Bools) -> Floats:
    """A variance that outliers do not move: of the median distance, or of all values where more than half of them are equal. [q]."""
    deviation = 1.4826 * order.median(distance, keep)
    return np.where(deviation > 0.0, deviation**2, order.variance(value, keep))


def truncation(screen: float) -> float:
    """Variance of a standard normal variable given that it lies within the screen."""
    density = math.exp(-0.5 * screen * screen) / math.sqrt(2.0 * math.pi)
    return 1.0 - 2.0 * screen * density / math.erf(screen / math.sqrt(2.0))
