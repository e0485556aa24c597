"""The doctor: what kind of series the windows of a metric are, from all their values, in control or not.

Robust where a few bad windows must not decide (centre, sigma, skewness are of what lies within 3.5 robust sigma), exact where counts have a
law. Nothing here changes a chart: `advice` says which chart the findings call for.

| finding | how |
|---|---|
| distribution | skewness, excess kurtosis, and D'Agostino & Pearson's test of normality |
| autocorrelation | r_1, AR order by BIC (Yule-Walker, at most 5), Ljung & Box's test over 10 lags; season and level are taken out |
| season | hour, weekday, hour of week, with 4 full cycles and 4 windows a bin: how much the error of a cycle falls, foretold from others |
| overdispersion | counts: variance over mean; shares: Pearson's chi-square by its degrees of freedom, and the intraclass correlation |
| drift | the largest bridge of partial sums over its long-run sigma (Kolmogorov's law), and where it is |
| ties | share of windows that repeat the one before |

Sources: D'Agostino & Pearson (1973), Biometrika 60; Ljung & Box (1978), Biometrika 65; Ploberger & Krämer (1992), The CUSUM test with OLS
residuals, Econometrica 60 (drift); McCullagh & Nelder (1989), Generalized linear models (overdispersion).
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from streamspc.model import MetricKind

if TYPE_CHECKING:
    from streamspc.model import Bools, Floats, Ints

FEWEST = 20  # values of which anything can be said
LAGS, ORDERS = 10, 5
CYCLES, A_BIN = 4, 4  # full cycles, and windows a bin, that a season needs
SCREEN = 3.5
CHANGE = 1e-3  # probability below which a level has changed
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Season(msgspec.Struct, frozen=True):
    """One pattern that was looked for. `gain` is the share by which the error of a cycle that was left out falls."""

    name: str
    cycles: float
    bins: int
    gain: float


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """What a series is like. Numbers are None where there are too few windows, or where they have no meaning for the metric."""

    metric: str
    segment: str
    kind: str
    windows: int  # with a value
    missing: int  # without one
    n: float  # median of records a window
    centre: float | None = None  # median
    mean: float | None = None  # of what lies within the screen; of shares, all hits by all records
    sigma: float | None = None  # robust, between windows
    outliers: int = 0  # beyond the screen
    zeros: float = 0.0  # share of values that are 0
    ties: float = 0.0
    distinct: int = 0
    skewness: float | None = None
    kurtosis: float | None = None  # in excess of the normal law's 3
    normal_p: float | None = None
    r1: float | None = None
    ar_order: int | None = None
    ljung_box_p: float | None = None
    seasons: tuple[Season, ...] = ()
    overdispersion: float | None = None
    intraclass: float | None = None
    drift_p: float | None = None
    drift_at: int | None = None  # microseconds: start of the window at which the level seems to change


class Line(NamedTuple):
    """A series as columns [T], in the order of time; value nan where there is no point."""

    metric: str
    segment: str
    kind: MetricKind
    start: Ints
    value: Floats
    n: Ints


def diagnose(line: Line, zone: str) -> Diagnosis:
    """Look at one series."""
    there = ~np.isnan(line.value)
    value, n, start = line.value[there], line.n[there], line.start[there]
    known = Diagnosis(
        metric=line.metric,
        segment=line.segment,
        kind=line.kind.value,
        windows=len(value),
        missing=int((~there).sum()),
        n=float(np.median(n)) if len(n) else 0.0,
    )
    if len(value) < FEWEST:
        return known
    centre, sigma, near = robust(value)
    seasons: tuple[Season, ...] = ()
    rest = value - centre
    if sigma > 0.0:
        seasons, rest, near = _season(value, start, zone, (rest, near))
    found = msgspec.structs.replace(
        known,
        centre=centre,
        mean=_mean(line.kind, value[near], n[near]),
        sigma=sigma,
        outliers=int((~near).sum()),
        zeros=float((value == 0.0).mean()),
        ties=float((np.diff(value) == 0.0).mean()),
        distinct=len(np.unique(value)),
    )
    if sigma == 0.0 or found.distinct < 3:
        return found
    skewness, kurtosis, normal = _shape(rest[near])
    drift, at = _drift(rest, near)
    r1, order, box = _memory(_level(rest, near, at) if drift < CHANGE else rest, near)
    over, rho = _overdispersion(line.kind, value[near], n[near])
    return msgspec.structs.replace(
        found, skewness=skewness, kurtosis=kurtosis, normal_p=normal, r1=r1, ar_order=order, ljung_box_p=box, seasons=seasons,
        overdispersion=over, intraclass=rho, drift_p=drift, drift_at=int(start[at]),
    )  # fmt: skip


def robust(value: Floats) -> tuple[float, float, Bools]:
    """Median, sigma of the values (1.4826 MAD; the standard deviation where that is 0), and which lie within the screen."""
    centre = float(np.median(value))
    distance = np.abs(value - centre)
    sigma = 1.4826 * float(np.median(distance)) or float(value.std())
    near: Bools = distance <= SCREEN * max(sigma, 1e-300)
    return centre, sigma, near


def _mean(kind: MetricKind, value: Floats, n: Ints) -> float:
    if kind in {MetricKind.PROPORTION, MetricKind.NULL_RATE} and n.sum() > 0:
        return float((value * n).sum() / n.sum())
    return float(value.mean())


def _level(value: Floats, near: Bools, at: int) -> Floats:
    """The values less the mean on their side of a change, so that it is not taken for memory."""
    after = np.arange(len(value)) >= at
    means = [float(value[near & side].mean()) if (near & side).any() else 0.0 for side in (~after, after)]
    return value - np.where(after, means[1], means[0])


def _shape(value: Floats) -> tuple[float, float, float]:
    from scipy import stats  # noqa: PLC0415 - a third of a second that only the doctor needs

    return float(stats.skew(value)), float(stats.kurtosis(value)), float(stats.normaltest(value).pvalue)


def _autocovariances(value: Floats, near: Bools, lags: int) -> Floats:
    """At lags 0 to `lags`, of the pairs of neighbours that both lie within the screen."""
    apart = np.where(near, value - value[near].mean(), 0.0)
    pairs = [max(int((near[lag:] & near[: len(near) - lag]).sum()), 1) for lag in range(lags + 1)]
    return np.array([float(apart[lag:] @ apart[: len(apart) - lag]) / pairs[lag] for lag in range(lags + 1)])


def _memory(value: Floats, near: Bools) -> tuple[float, int, float]:
    """r_1, the order of the autoregression, and the probability of such correlations were there none."""
    from scipy import special  # noqa: PLC0415

    m = int(near.sum())
    lags = min(LAGS, m // 4)
    gamma = _autocovariances(value, near, lags)
    r = gamma / gamma[0]
    box = m * (m + 2.0) * float((r[1:] ** 2 / (m - np.arange(1, lags + 1))).sum())
    best, order = m * math.log(gamma[0]), 0
    for p in range(1, min(ORDERS, lags) + 1):
        toeplitz = gamma[np.abs(np.subtract.outer(np.arange(p), np.arange(p)))]
        rest = gamma[0] - float(gamma[1 : p + 1] @ np.linalg.lstsq(toeplitz, gamma[1 : p + 1], rcond=None)[0])
        score = m * math.log(max(rest, 1e-12 * gamma[0])) + p * math.log(m)
        if score < best:
            best, order = score, p
    return float(r[1]), order, float(special.chdtrc(lags, box))


def _season(value: Floats, start: Ints, zone: str, plain: tuple[Floats, Bools]) -> tuple[tuple[Season, ...], Floats, Bools]:
    """The patterns that could be looked for, best first; the values less the best one, and which of those lie within the screen.

    Without a pattern that is worth a tenth of the error: `plain`. What is far away is so from the median of its bin, else a peak at noon
    every day would be nothing but outliers.
    """
    clock = [(_EPOCH + timedelta(microseconds=at)).astimezone(ZoneInfo(zone)) for at in start.tolist()]
    days = np.array([at.toordinal() for at in clock])
    hour, weekday = np.array([at.hour for at in clock]), np.array([at.weekday() for at in clock])
    looked, best, (rest, near) = [], 0.1, plain
    for name, bins, cycle in (
        ("hour of day", hour, days),
        ("day of week", weekday, days // 7),
        ("hour of week", 24 * weekday + hour, days // 7),
    ):
        labels, code = np.unique(bins, return_inverse=True)
        full, windows = len(np.unique(cycle)), np.bincount(code)
        if len(labels) < 2 or full < CYCLES or windows.min() < A_BIN:
            continue
        middle = np.array([np.median(value[code == one]) for one in range(len(labels))])
        _, _, inside = robust(value - middle[code])
        gain = _gain(value, code, cycle, inside)
        looked.append(Season(name, float(full), len(labels), gain))
        if gain > best:
            best, near = gain, inside
            sums, counts = (np.bincount(code[near], weights, minlength=len(labels)) for weights in (value[near], None))
            rest = value - np.where(counts > 0, sums / np.maximum(counts, 1), middle)[code]
    return tuple(sorted(looked, key=lambda season: -season.gain)), rest, near


def _gain(value: Floats, code: Ints, cycle: Ints, near: Bools) -> float:
    """Share by which the squared error of each cycle falls when bins foretell it from the other cycles, rather than their mean."""
    plain = binned = 0.0
    for one in np.unique(cycle):
        here, others = near & (cycle == one), near & (cycle != one)
        mean = value[others].mean()
        sums, counts = (np.bincount(code[others], weights, minlength=code.max() + 1) for weights in (value[others], None))
        foretold = np.where(counts > 0, sums / np.maximum(counts, 1), mean)[code[here]]
        plain += float(((value[here] - mean) ** 2).sum())
        binned += float(((value[here] - foretold) ** 2).sum())
    return 1.0 - binned / plain if plain > 0.0 else 0.0


def _drift(value: Floats, near: Bools) -> tuple[float, int]:
    """Probability of so large a bridge were the level constant, and the index at which the level seems to change."""
    from scipy import special  # noqa: PLC0415

    kept = np.flatnonzero(near)
    apart = value[kept] - value[kept].mean()
    lags = int(len(apart) ** (1.0 / 3.0))
    gamma = _autocovariances(apart, np.ones(len(apart), bool), lags)
    weights = 1.0 - np.arange(1, lags + 1) / (lags + 1.0)
    long_run = max(gamma[0] + 2.0 * float(weights @ gamma[1:]), 1e-3 * gamma[0])  # Bartlett's, as Newey & West have it
    bridge = np.abs(np.cumsum(apart)) / math.sqrt(len(apart) * long_run)
    at = int(bridge[:-1].argmax())
    return float(special.kolmogorov(bridge[at])), int(kept[min(at + 1, len(kept) - 1)])


def _overdispersion(kind: MetricKind, value: Floats, n: Ints) -> tuple[float | None, float | None]:
    """How many times the variance of the law there is, and for shares the intraclass correlation that makes it so."""
    if kind is MetricKind.COUNT:
        return (float(value.var(ddof=1) / value.mean()) if value.mean() > 0.0 else None), None
    if kind not in {MetricKind.PROPORTION, MetricKind.NULL_RATE} or n.sum() == 0:
        return None, None
    p = float((value * n).sum() / n.sum())
    if not 0.0 < p < 1.0:
        return None, None
    over = float((n * (value - p) ** 2).sum() / (p * (1.0 - p)) / (len(value) - 1))
    size = float(n.mean())
    return over, max(0.0, (over - 1.0) / (size - 1.0)) if size > 1.0 else None
