"""What the findings of the doctor call for: a chart, and what it will cost and find.

Predictions are those of the design engine for the limits that the series has now, or of known laws; each says what it assumes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from streamspc.design import ar1_shewhart_arl, shewhart_arl, shewhart_cusum_arl
from streamspc.model import ChartKind, MetricKind

if TYPE_CHECKING:
    from streamspc.check.doctor import Diagnosis
    from streamspc.model import MetricSpec

CLEAR = 1e-3  # probability below which a finding is no chance
RARE = 5.0  # hits a window
FEW = 30  # records a window whose mean is not normal yet
FAR = 0.01  # share of windows beyond 3.5 robust sigma; 0.0005 of normal ones


class Limits(NamedTuple):
    """Limits of a series, in sigma."""

    shewhart: float
    cusum: float


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """For one series. ARL0s are in windows; `delay` is the average number of windows to the signal, by the shift in sigma."""

    findings: tuple[str, ...]
    chart: str
    why: str
    settings: tuple[str, ...]  # lines for the metric, or the stream, in the configuration
    textbook_arl0: float | None  # of three sigma limits from moving ranges, as most programs draw them
    designed_arl0: float | None  # of the limits that the series has
    attainable_arl0: float | None = None  # of few hits, which are whole numbers: the next below what was designed
    delay: dict[str, float]


def advise(found: Diagnosis, metric: MetricSpec, limits: Limits | None, attainable: float | None = None) -> Advice:
    """The chart for a series. `limits` None: it has none yet; `attainable`: its ARL0 where its hits are few."""
    findings = tuple(_findings(found))
    chart, why, settings = _chart(found, metric)
    phi = found.r1 if found.r1 is not None and correlated(found) else 0.0
    textbook = None if found.r1 is None else ar1_shewhart_arl(min(max(phi, -0.9), 0.95), 3.0, "moving_range") if phi else shewhart_arl()
    designed, delay = (None, {}) if limits is None else _predicted(metric, limits)
    return Advice(
        findings=findings,
        chart=chart,
        why=why,
        settings=settings,
        textbook_arl0=textbook,
        designed_arl0=designed,
        attainable_arl0=attainable,
        delay=delay,
    )


def correlated(found: Diagnosis) -> bool:
    """Does a window tell something of the next?"""
    return found.r1 is not None and (found.ljung_box_p or 0.0) < CLEAR and abs(found.r1) > 0.1


def _predicted(metric: MetricSpec, limits: Limits) -> tuple[float | None, dict[str, float]]:
    sided = {"both": "two", "up": "upper", "down": "upper"}[metric.direction]
    by = set(metric.signal_by)
    shifts = {"0.5 sigma": 0.5, "1 sigma": 1.0, "2 sigma": 2.0}
    if {ChartKind.SHEWHART, ChartKind.CUSUM} == by:
        charts = metric.charts

        def arl(shift: float) -> float:
            return shewhart_cusum_arl(charts.cusum_k, limits.cusum, limits.shewhart, shift, charts.cusum_headstart, sided)

        return arl(0.0), {name: arl(shift) for name, shift in shifts.items()}
    if {ChartKind.SHEWHART} == by and metric.charts.confirm == 1 and not metric.rules:
        side = 2.0 if sided == "upper" else 1.0
        return side * shewhart_arl(limits.shewhart), {name: shewhart_arl(limits.shewhart, shift) for name, shift in shifts.items()}
    return None, {}


def _findings(found: Diagnosis) -> Iterator[str]:
    """In words, the weightiest first."""
    if found.centre is None:
        yield f"only {found.windows} windows: nothing can be said yet"
        return
    if found.sigma == 0.0:
        yield "constant: any move is one"
    yield from _in_time(found)
    yield from _of_the_law(found)
    if found.outliers:
        yield f"{found.outliers} windows beyond 3.5 robust sigma: Phase I leaves them out"
    if found.missing > 0.2 * (found.windows + found.missing):
        yield f"{found.missing} of {found.windows + found.missing} windows have no value"


def _in_time(found: Diagnosis) -> Iterator[str]:
    if found.drift_p is not None and found.drift_p < CLEAR:
        yield f"the level changes on the way (p {found.drift_p:.1g}): Phase I must not reach across it"
    if correlated(found):
        yield f"autocorrelated: r1 = {found.r1:.2f}, an AR({found.ar_order})"
    for season in found.seasons[:1]:
        if season.gain > 0.1:
            yield f"{season.name} tells {season.gain:.0%} of the variance ({season.cycles:.0f} cycles)"
    if found.ties > 0.2 and found.sigma:
        yield f"{found.ties:.0%} of the windows repeat the one before"


def _of_the_law(found: Diagnosis) -> Iterator[str]:
    if found.overdispersion is not None and found.overdispersion > 1.5:
        rho = "" if found.intraclass is None else f", intraclass correlation {found.intraclass:.1g}"
        yield f"overdispersed: {found.overdispersion:.3g} times the variance of its law{rho}"
    if found.zeros > 0.5:
        yield f"zero in {found.zeros:.0%} of the windows"
    if found.skewness is not None and found.normal_p is not None and found.normal_p < CLEAR:
        yield f"not normal: skewness {found.skewness:+.2f}, excess kurtosis {found.kurtosis:+.2f}"


def _chart(found: Diagnosis, metric: MetricSpec) -> tuple[str, str, tuple[str, ...]]:
    """Name, reason, and settings."""
    if found.centre is None:
        return "none yet", "it needs more windows", ()
    if found.sigma == 0.0:
        return "Shewhart", "a constant has no small shifts; the first value that differs signals", ("signal_by: [shewhart]",)
    kind = MetricKind(found.kind)
    hits = (found.mean or 0.0) * (found.n if kind in {MetricKind.PROPORTION, MetricKind.NULL_RATE} else 1.0)
    if kind in {MetricKind.COUNT, MetricKind.PROPORTION, MetricKind.NULL_RATE} and 0.0 <= hits < RARE:
        why = f"about {hits:.2g} hits a window: one window says little, a sum over windows much"
        return "CUSUM, upwards; wider windows help", why, ("direction: up", "signal_by: [shewhart, cusum]")
    if correlated(found) and (found.r1 or 0.0) > 0.0:
        why = "charts of what the window before does not say: raw values make false alarms out of memory"
        return "Shewhart and CUSUM of residuals", why, ("signal_by: [shewhart, cusum]",)
    tails = found.outliers > FAR * found.windows or (found.kurtosis or 0.0) > 1.0
    if found.n < FEW and tails:
        why = "few records a window and heavy tails: an average over windows is nearly normal, a single one is not"
        return "EWMA of lambda 0.05", why, ("signal_by: [ewma]", "charts: {ewma: {lambda: 0.05}}")
    settings = ["signal_by: [shewhart, cusum]"]
    if metric.direction == "both" and kind in {MetricKind.NULL_RATE, MetricKind.LAG}:
        settings.append("direction: up")
    return "Shewhart and CUSUM", "large shifts at once, small ones soon", tuple(settings)
