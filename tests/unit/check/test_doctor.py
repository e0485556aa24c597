"""The doctor on series of known kinds."""

from __future__ import annotations

import numpy as np
import pytest

from streamspc.check.advice import Limits, advise
from streamspc.check.doctor import Line, diagnose
from streamspc.design import shewhart_cusum_arl
from streamspc.model import MetricKind, MetricSpec

HOUR = 3_600_000_000
MONDAY = 1_704_067_200_000_000  # 2024-01-01 00:00 UTC
SPEC = MetricSpec(name="m", kind=MetricKind.MEAN, field="x")


def memory(found):
    """r_1, where it is known."""
    assert found.r1 is not None
    return found.r1


def line(value, kind=MetricKind.MEAN, n=400, step=HOUR):
    """A series of hourly windows."""
    value = np.asarray(value, float)
    return Line("m", "*", kind, MONDAY + step * np.arange(len(value)), value, np.broadcast_to(np.asarray(n, np.int64), value.shape).copy())


def rng():
    """The same for each test."""
    return np.random.default_rng(20)


def autoregressive(phi, size):
    """AR(1) with a marginal sigma of 1."""
    out, noise = np.empty(size), rng().standard_normal(size) * np.sqrt(1 - phi * phi)
    out[0] = noise[0] / np.sqrt(1 - phi * phi)
    for at in range(1, size):
        out[at] = phi * out[at - 1] + noise[at]
    return out


def test_white_noise_has_no_findings():
    """Centre and sigma are near the truth, and nothing is odd."""
    found = diagnose(line(10 + 2 * rng().standard_normal(800)), "UTC")
    assert found.centre == pytest.approx(10, abs=0.3)
    assert found.sigma == pytest.approx(2, rel=0.1)
    assert abs(memory(found)) < 0.1
    assert found.ar_order == 0
    assert min(found.normal_p or 0, found.ljung_box_p or 0, found.drift_p or 0) > 1e-3
    assert max(season.gain for season in found.seasons) < 0.1
    advice = advise(found, SPEC, None)
    assert advice.chart == "Shewhart and CUSUM"
    assert not [text for text in advice.findings if "beyond" not in text]


def test_memory_is_found_and_told_from_a_change_of_level():
    """An AR(1) is one; two levels of white noise are a drift, at the right window, and no memory."""
    found = diagnose(line(autoregressive(0.6, 1000)), "UTC")
    assert memory(found) == pytest.approx(0.6, abs=0.1)
    assert found.ar_order == 1
    assert (found.ljung_box_p or 0) < 1e-6
    advice = advise(found, SPEC, None)
    assert "residuals" in advice.chart
    assert advice.textbook_arl0 == pytest.approx(22.4, rel=0.5)  # 22.4 at exactly 0.6

    levels = rng().standard_normal(600) + 1.2 * (np.arange(600) >= 350)
    found = diagnose(line(levels), "UTC")
    assert (found.drift_p or 0) < 1e-6
    assert abs(((found.drift_at or 0) - MONDAY) / HOUR - 350) <= 8
    assert abs(memory(found)) < 0.1
    assert any("level changes" in text for text in advise(found, SPEC, None).findings)


def test_a_day_is_found_where_there_is_one():
    """With four cycles; with three it is not looked for."""
    day = np.sin(np.arange(24 * 28) * 2 * np.pi / 24) * 2
    found = diagnose(line(day + rng().standard_normal(len(day))), "UTC")
    best = found.seasons[0]
    assert best.name == "hour of day"
    assert best.gain == pytest.approx(2 / 3, abs=0.1)
    assert abs(memory(found)) < 0.15
    short = diagnose(line((day + rng().standard_normal(len(day)))[: 24 * 3]), "UTC")
    assert not short.seasons


def test_the_zone_says_what_an_hour_is():
    """A pattern by the local hour goes on when the clocks change."""
    start = 1_710_633_600_000_000  # 2024-03-17 00:00 UTC, two weeks before clocks change in Berlin
    local = [(24 + hour + (1 if at < 14 * 24 - 23 else 2)) % 24 for at, hour in enumerate(np.arange(28 * 24) % 24)]
    value = 3.0 * (np.array(local) == 9) + 0.2 * rng().standard_normal(len(local))
    series = line(value)._replace(start=start + HOUR * np.arange(len(local)))
    gains = {zone: {s.name: s.gain for s in diagnose(series, zone).seasons}["hour of day"] for zone in ("Europe/Berlin", "UTC")}
    assert gains["Europe/Berlin"] > gains["UTC"] + 0.05


def test_overdispersion_of_counts_and_shares():
    """Poisson and binomial ones have none; gamma-Poisson and beta-binomial ones as much as they were given."""
    make = rng()
    assert diagnose(line(make.poisson(200, 900), MetricKind.COUNT), "UTC").overdispersion == pytest.approx(1, abs=0.15)
    mixed = make.poisson(make.gamma(50, 4, 900))
    assert diagnose(line(mixed, MetricKind.COUNT), "UTC").overdispersion == pytest.approx(5, rel=0.2)
    n, p, rho = 20_000, 0.02, 1e-3
    a = p * (1 - rho) / rho
    hits = make.binomial(n, make.beta(a, a * (1 - p) / p, 900))
    found = diagnose(line(hits / n, MetricKind.PROPORTION, n), "UTC")
    assert found.intraclass == pytest.approx(rho, rel=0.2)
    assert any("overdispersed" in text for text in advise(found, SPEC, None).findings)
    fair = diagnose(line(make.binomial(n, p, 900) / n, MetricKind.PROPORTION, n), "UTC")
    assert fair.overdispersion == pytest.approx(1, abs=0.15)


def test_a_rare_share_wants_a_sum_over_windows():
    """Two hits a window."""
    found = diagnose(line(rng().binomial(200, 0.01, 500) / 200, MetricKind.PROPORTION, 200), "UTC")
    advice = advise(found, SPEC, None)
    assert "CUSUM" in advice.chart
    assert "direction: up" in advice.settings


def test_heavy_tails_of_few_records_want_an_average():
    """And of many records not, whose means are nearly normal."""
    heavy = rng().standard_t(3, 900)
    assert "EWMA" in advise(diagnose(line(heavy, n=1), "UTC"), SPEC, None).chart
    assert "EWMA" not in advise(diagnose(line(heavy, n=500), "UTC"), SPEC, None).chart


@pytest.mark.parametrize("value", [np.full(100, 7.0), np.zeros(100), np.full(5, 3.0), np.full(60, np.nan), np.array([])])
def test_what_does_not_move_or_is_not_there_breaks_nothing(value):
    """Constants, nothing, and too little are said to be that."""
    found = diagnose(line(value), "UTC")
    advice = advise(found, SPEC, None)
    assert found.r1 is None
    assert found.windows + found.missing == len(value)
    assert len(advice.findings) >= 1


def test_outliers_do_not_decide():
    """One window in twenty far away: centre, sigma and memory are those of the others."""
    value = rng().standard_normal(600)
    value[::20] += 40
    found = diagnose(line(value), "UTC")
    assert found.outliers == 30
    assert found.sigma == pytest.approx(1, rel=0.15)
    assert abs(memory(found)) < 0.12


def test_predictions_are_those_of_the_engine():
    """For the limits that the series has."""
    found = diagnose(line(rng().standard_normal(100)), "UTC")
    advice = advise(found, SPEC, Limits(3.5, 6.0))
    assert advice.designed_arl0 == pytest.approx(shewhart_cusum_arl(0.5, 6.0, 3.5))
    assert advice.delay["1 sigma"] == pytest.approx(shewhart_cusum_arl(0.5, 6.0, 3.5, 1.0))
