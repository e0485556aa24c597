from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charting import TEXTBOOK, Plain, metric, step, stream
from streamspc.chart import Bank
from streamspc.chart.logarithm import exp, log
from streamspc.model import BaselineSpec, ChartKind, Effect, MetricKind

SHEWHART = (ChartKind.SHEWHART,)


def learnt(spec, values, n=50, unit=0.0):
    """A bank after a Phase I of these lags."""
    bank = Bank.empty(spec)
    bank.grow(["a"])
    for at, value in enumerate(values):
        step(spec, bank, at, value, n=n, unit=unit)
    return bank


def lags(windows=200, seed=1, sigma=0.3):
    return np.exp(np.random.default_rng(seed).normal(math.log(20.0), sigma, windows))


@given(st.floats(1e-3, 1e12))
def test_it_is_the_logarithm_and_back(x):
    """To a few units of the last place, made of sums and products alone."""
    assert log(np.array([x]))[0] == pytest.approx(math.log(x), rel=1e-15, abs=1e-15)
    assert exp(np.array([math.log(x)]))[0] == pytest.approx(x, rel=1e-14)


def test_the_exponential_has_ends():
    """What is no number stays none, what is too large is inf, what is too small 0."""
    found = exp(np.array([np.nan, 1e9, -1e9, 0.0]))
    assert np.isnan(found[0])
    assert found[1:].tolist() == [np.inf, 0.0, 1.0]


def test_points_show_lags_and_limits_in_seconds():
    """The centre is the median, limits are a factor away on each side and never below 0; z is of the logarithm."""
    spec = stream(metric(kind=MetricKind.LAG), baseline=BaselineSpec(windows=200))
    bank = learnt(spec, lags())
    point = step(spec, bank, 200, 55.0, n=50)
    centre, lcl, ucl = (getattr(point, name)[0, 0] for name in ("centre", "lcl", "ucl"))
    assert point.value[0, 0] == 55.0
    assert centre == pytest.approx(20.0, rel=0.05)
    assert ucl / centre == pytest.approx(centre / lcl)
    assert math.log(ucl / centre) == pytest.approx(3 * 0.3, rel=0.15)
    assert point.z[0, 0] == pytest.approx(math.log(55.0 / centre) / (point.sigma[0, 0] / centre))
    assert point.broken[0, 0] & 1


def test_half_as_long_is_as_odd_as_twice_as_long():
    """Scores are symmetric in the factor."""
    spec = stream(metric(kind=MetricKind.LAG, signal_by=()), baseline=BaselineSpec(windows=200))
    bank = learnt(spec, lags())
    bank.baseline.phi[:] = 0.0
    bank.refit()
    centre = step(spec, bank, 200, 20.0, n=50).centre[0, 0]
    up, down = (step(spec, bank, at, centre * factor, n=50).z[0, 0] for at, factor in ((201, 2.0), (202, 0.5)))
    assert up == pytest.approx(-down)


@pytest.mark.parametrize("value", [0.0, -3.0, 0.001, 1e-9])
def test_no_lag_is_shorter_than_a_tick_of_the_clock(value):
    """What is below a millisecond, or comes from clocks that differ, is a millisecond, far below the limit, and a number."""
    spec = stream(metric(kind=MetricKind.LAG), baseline=BaselineSpec(windows=200))
    bank = learnt(spec, lags())
    point = step(spec, bank, 200, value, n=50)
    centre = point.centre[0, 0]
    assert point.value[0, 0] == value
    assert point.z[0, 0] == pytest.approx(math.log(0.001 / centre) / (point.sigma[0, 0] / centre))


@pytest.mark.parametrize(("effect", "signals"), [(30.0, False), (20.0, True)])
def test_the_least_effect_is_in_seconds(effect, signals):
    """A lag that goes up from 20 to 45 seconds has moved by 25, whatever that is in logarithms."""
    of = metric(kind=MetricKind.LAG, signal_by=SHEWHART, min_effect=Effect(amount=effect), charts=TEXTBOOK)
    spec = stream(of, baseline=BaselineSpec(windows=200))
    bank = learnt(spec, lags(sigma=0.1))
    assert bool(step(spec, bank, 200, 45.0, n=50).broken[0, 0]) == signals


def test_missing_lags_are_missing():
    """No value, no z; centre and limits still say what the series is judged by."""
    spec = stream(metric(kind=MetricKind.LAG), baseline=BaselineSpec(windows=200))
    bank = learnt(spec, lags())
    point = step(spec, bank, 200, np.nan, n=0)
    assert np.isnan(point.value[0, 0])
    assert np.isnan(point.z[0, 0])
    assert point.lcl[0, 0] < point.centre[0, 0] < point.ucl[0, 0]


@given(st.integers(0, 2**32))
def test_a_lag_is_what_plain_numbers_make_of_it(seed):
    """Points of exponential records, with unequal n and missing windows, told again from the definitions."""
    rng = np.random.default_rng(seed)
    of = metric(kind=MetricKind.LAG)
    spec, plain = stream(of, baseline=BaselineSpec(windows=25)), Plain(of, 25, 3.5)
    bank = Bank.empty(spec)
    bank.grow(["a"])
    for at in range(60):
        x = rng.standard_exponential(int(rng.integers(2, 150))) * 30.0
        value = np.nan if rng.random() < 0.05 else float(x.mean())
        point = step(spec, bank, at, value, n=len(x), unit=float(x.var(ddof=1)))
        expected = plain.point(value, len(x), float(x.var(ddof=1)), 0.0)
        assert point.broken[0, 0] == expected["broken"]
        for name in ("centre", "sigma", "lcl", "ucl", "z", "ewma", "cusum_up"):
            if name in expected:
                assert getattr(point, name)[0, 0] == pytest.approx(expected[name], rel=1e-8, abs=1e-8)
