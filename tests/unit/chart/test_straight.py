from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from charting import Plain, metric, step, stream
from streamspc.chart import Bank, straight
from streamspc.chart.baseline import Windows, freeze
from streamspc.model import BaselineSpec, MetricKind


def learnt(values):
    """What single values [m, q] teach."""
    nothing = np.zeros(values.shape)
    return freeze(MetricKind.SUM, Windows(values, np.ones(values.shape, np.int64), nothing, nothing), 3.5)


@given(st.floats(1e-12, 1e12))
def test_the_logarithm_is_near_enough(y):
    """And its inverse is its inverse."""
    assert straight.log(np.array([y]))[0] == pytest.approx(np.log(y), abs=0.01 * np.log(y) ** 2 + 1e-12)
    assert straight.exp(straight.log(np.array([y])))[0] == pytest.approx(y, rel=1e-9)


@given(st.floats(-8.0, 8.0), st.sampled_from([-1.2, -0.4, 0.0, 0.3, 1.0]))
def test_scores_and_values_are_inverse(w, b):
    """Everywhere, for the short tail beyond 2.5 is a normal one, and nothing is between it and the rest."""
    u = straight.standard(np.array([w]), np.array([b]))
    assert straight.normal(u, np.array([b]))[0] == pytest.approx(w, abs=1e-7)


@given(st.lists(st.floats(-30.0, 30.0), min_size=2, max_size=20), st.sampled_from([-1.2, 0.3, 1.0]))
def test_larger_values_have_larger_scores(values, b):
    """Over the end of the law too."""
    w = straight.normal(np.sort(np.array(values)), np.full(len(values), b))
    assert (np.diff(w) >= 0.0).all()


def test_normal_values_are_left_alone():
    """All but one series in a hundred; the others have only what wider limits cost."""
    values = np.random.default_rng(1).normal(100.0, 3.0, (50, 2000))
    found = learnt(values)
    whole = (found.bend == 0.0) & found.keep.all(axis=0)
    assert (found.bend != 0.0).mean() < 0.03
    assert np.allclose(found.centre[whole], values[:, whole].mean(axis=0), rtol=1e-12)


@pytest.mark.parametrize(("law", "tail"), [(stats.expon(), 1e-3), (stats.lognorm(1.0), 1e-3), (stats.weibull_min(1.3), 1e-3)])
def test_skewed_values_are_seen_and_their_long_tail_is_not_underrated(law, tail):
    """The score of the value that is exceeded once in a thousand times is at most the normal one, in the median series."""
    found = learnt(law.rvs((200, 500), random_state=2))
    u = (law.isf(tail) - found.centre) / np.sqrt(found.between)
    assert (found.bend > 0.0).mean() > 0.95
    assert np.median(straight.normal(u, found.bend)) < stats.norm.isf(tail) + 0.05
    assert np.median(u) > 1.2 * stats.norm.isf(tail)


def test_left_is_the_mirror_of_right():
    """Values upside down have limits upside down."""
    values = np.random.default_rng(3).standard_exponential((60, 20))
    up, down = learnt(values), learnt(-values)
    assert (up.bend > 0.0).all()
    assert np.allclose(up.bend, -down.bend)
    assert np.allclose(up.centre, -down.centre)


def test_an_error_in_phase_one_is_left_out_although_values_are_skewed():
    """Screening is on the scale on which they are straight."""
    values = np.random.default_rng(4).standard_exponential((60, 200))
    values[17] = 1000.0
    assert not learnt(values).keep[17].any()
    assert learnt(values).keep.mean() > 0.96


def test_a_value_on_the_limit_does_not_signal_and_one_beyond_it_does():
    """Above, where the limit is further, and below, where it is no nearer than a normal one."""
    spec = stream(metric(kind=MetricKind.SUM), baseline=BaselineSpec(windows=60))
    bank = Bank.empty(spec)
    bank.grow(["a"])
    for at, value in enumerate(np.random.default_rng(5).standard_exponential(60)):
        step(spec, bank, at, value)

    def again(value):
        return step(spec, Bank.load(spec, [(["a"], bank.save([0]))]), 60, value)

    points = again(1.0)
    width = points.shewhart_limit[0, 0]
    assert points.ucl[0, 0] > points.centre[0, 0] + 1.5 * width * points.sigma[0, 0]
    assert points.lcl[0, 0] == pytest.approx(points.centre[0, 0] - width * points.sigma[0, 0])
    for limit, out in ((points.ucl, 1), (points.lcl, -1)):
        assert not again(limit[0, 0] - 1e-9 * out).broken[0, 0] & 1
        assert again(limit[0, 0] + 1e-9 * out).broken[0, 0] & 1


@given(st.integers(0, 2**32))
def test_a_skewed_sum_is_what_plain_numbers_make_of_it(seed):
    """Points of exponential sums, some of them mirrored, told again from the definitions."""
    rng = np.random.default_rng(seed)
    of, sign = metric(kind=MetricKind.SUM), rng.choice((-1.0, 1.0))
    spec, plain = stream(of, baseline=BaselineSpec(windows=60)), Plain(of, 60, 3.5)
    bank = Bank.empty(spec)
    bank.grow(["a"])
    for at in range(90):
        value = float(np.nan if rng.random() < 0.05 else sign * rng.standard_exponential() * 30.0)
        point, expected = step(spec, bank, at, value), plain.point(value, 1, 0.0, 0.0)
        assert point.broken[0, 0] == expected["broken"]
        for name in ("centre", "sigma", "lcl", "ucl", "z", "ewma", "cusum_up"):
            if name in expected:
                assert getattr(point, name)[0, 0] == pytest.approx(expected[name], rel=1e-8, abs=1e-8)
