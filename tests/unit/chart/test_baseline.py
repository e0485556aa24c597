from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plain_baseline import Row, kept
from streamspc.chart.baseline import Windows, freeze, screened, truncation
from streamspc.model import MetricKind


def learnt(value, n=1, unit=0.0, extra=0.0):
    """Phase I windows of one series."""
    value = np.asarray(value, np.float64)[:, None]
    number, variance, grid = (np.broadcast_to(np.asarray(array).reshape(-1, 1), value.shape) for array in (n, unit, extra))
    return Windows(value, number.astype(np.int64), variance.astype(np.float64), grid.astype(np.float64))


def baseline(kind, screen=3.5, **windows):
    """Centre, between^2 and unit of one series."""
    return tuple(array.item() for array in freeze(kind, learnt(**windows), screen)[:3])


def test_truncation_is_the_variance_left_of_a_normal_variable():
    """At 3.5 sigma six parts in a thousand are cut off, and hardly anything at 8."""
    draws = np.random.default_rng(1).standard_normal(2_000_000)
    assert truncation(2.0) == pytest.approx(draws[np.abs(draws) < 2].var(), rel=5e-3)
    assert truncation(3.5) == pytest.approx(0.9938886, abs=1e-6)
    assert truncation(8.0) == pytest.approx(1.0)


def test_a_count_varies_only_between_windows():
    """Its sigma is the sample standard deviation, whatever Poisson would say."""
    centre, between, unit = baseline(MetricKind.COUNT, value=[98, 102] * 10, n=[98, 102] * 10)
    assert (centre, unit) == (100.0, 0.0)
    assert between == pytest.approx(4 * 20 / 19 / truncation(3.5))


def test_a_constant_count_has_the_poisson_variance():
    """Only where nothing varied does the mean stand in for the variance."""
    assert baseline(MetricKind.COUNT, value=[50] * 20, n=50) == (50.0, 50.0, 0.0)


def test_a_rate_is_all_hits_by_all_records():
    """Windows count by their records; the unit variance is that of (hits + 1/2) / (n + 1), less where windows differ by less."""
    centre, between, unit = baseline(MetricKind.PROPORTION, value=[0.10, 0.11] * 12, n=[10, 1000] * 12, unit=0.09)
    assert centre == pytest.approx((1 + 110) / 1010)
    p = (12 * 111 + 0.5) / (12 * 1010 + 1)
    within = p * (1 - p) * (1 / 10 + 1 / 1000) / 2
    spread = 24 * 0.005**2 / 23 / truncation(3.5)
    assert unit == pytest.approx(p * (1 - p) * spread / within)
    assert between == 0.0


def test_a_rate_that_was_always_zero_is_rare():
    """Half a hit is expected among all the records, and two records of a window may be alike."""
    learnt_ = freeze(MetricKind.NULL_RATE, learnt(value=[0.0] * 20, n=100), 3.5)
    p = 0.5 / 2001
    assert (learnt_.centre.item(), learnt_.side.item()) == (0.0, 1)
    assert learnt_.expected.item() == pytest.approx(p)
    assert learnt_.relative.item() == pytest.approx(2)
    assert learnt_.wider.item() == pytest.approx(2 + 1e-5 * (1 - p) / p)


def test_the_unit_of_a_mean_is_weighted_by_degrees_of_freedom():
    """A window of one record says nothing of the variance within."""
    _, _, unit = baseline(MetricKind.MEAN, value=[1.0, 9.0] * 5, n=[1, 11] * 5, unit=[100.0, 4.0] * 5)
    assert unit == pytest.approx(4.0)


def test_the_unit_of_a_quantile_is_the_median_over_windows():
    """One wild estimate of the density does not widen the limits."""
    _, _, unit = baseline(MetricKind.QUANTILE, value=[1.0, 9.0] * 5, n=50, unit=[2.0] * 9 + [1e9])
    assert unit == 2.0


def test_between_is_what_within_does_not_explain():
    """Overdispersed means keep their variance between windows; plain ones have none to speak of."""
    rng = np.random.default_rng(5)
    n = rng.integers(20, 200, 2000)
    noise = rng.normal(0, 3, 2000) / np.sqrt(n)
    _, between, unit = baseline(MetricKind.MEAN, value=rng.normal(0, 0.7, 2000) + noise, n=n, unit=9.0)
    _, nothing, _ = baseline(MetricKind.MEAN, value=noise, n=n, unit=9.0)
    assert unit == pytest.approx(9.0)
    assert between == pytest.approx(0.49, rel=0.15)
    assert nothing < 0.02


def test_outliers_do_not_teach():
    """A few absurd windows leave centre and sigma as they would be without them, but for the neighbours that they part."""
    good = 5 + np.sin(np.arange(40.0))
    spoilt = np.concatenate([good[:20], [500.0, -300.0, 1e6], good[20:]])
    keep = screened(MetricKind.MEAN, learnt(spoilt), 3.5)[:, 0]
    assert np.flatnonzero(~keep).tolist() == [20, 21, 22]
    assert baseline(MetricKind.MEAN, value=spoilt)[:2] == pytest.approx(baseline(MetricKind.MEAN, value=good)[:2], rel=0.05)


def test_screening_goes_on_until_nothing_more_is_dropped():
    """With values mostly equal one giant hides a smaller outlier at first."""
    keep = screened(MetricKind.MAX, learnt([1.0] * 30 + [1e6, 100.0]), 3.5)[:, 0]
    assert np.flatnonzero(~keep).tolist() == [30, 31]


def test_two_levels_are_not_outliers_of_each_other():
    """Where most values are equal, a frequent other value belongs to the process."""
    assert screened(MetricKind.MAX, learnt([1.0] * 30 + [2.0] * 20), 3.5).all()


def test_a_window_of_few_records_may_be_far_away():
    """The same distance is an outlier with many records and none with few."""
    value, n = np.zeros(30), np.full(30, 1000)
    value[::2] = 0.01
    value[[3, 4]] = 1.0
    n[3] = 2
    keep = screened(MetricKind.MEAN, learnt(value, n, 1.0), 3.5)[:, 0]
    assert np.flatnonzero(~keep).tolist() == [4]


@pytest.mark.parametrize("screen", [0.1, 0.5, 1.0])
def test_at_least_half_is_kept(screen):
    """However tight the screen, the baseline is that of most windows."""
    rng = np.random.default_rng(11)
    for m in (5, 8, 31):
        windows = Windows(rng.standard_cauchy((m, 50)), np.ones((m, 50), np.int64), np.zeros((m, 50)), np.zeros((m, 50)))
        assert (2 * screened(MetricKind.MEAN, windows, screen).sum(axis=0) >= m).all()


@given(st.integers(0, 2**32), st.floats(0.6, 3.0))
@settings(max_examples=200, deadline=None)
def test_what_was_dropped_stays_dropped(seed, screen):
    """Screening only ever narrows, step by step, until no step would drop more and keep half."""
    rng = np.random.default_rng(seed)
    value, n = rng.standard_cauchy(15), rng.integers(1, 50, 15)
    rows = [Row(x, k, 1.0, 0.0) for x, k in zip(value.tolist(), n.tolist(), strict=True)]
    assert np.flatnonzero(screened(MetricKind.MEAN, learnt(value, n, 1.0), screen)[:, 0]).tolist() == kept("mean", rows, screen)
