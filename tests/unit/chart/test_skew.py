from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from charting import metric, step, stream
from streamspc.chart import Bank, skew
from streamspc.model import BaselineSpec, MetricKind


@given(st.floats(0.0, 1e300))
def test_the_cube_root_is_a_cube_root(y):
    """To the last digits, from the least double to the largest."""
    assert skew.cube_root(np.array([y]))[0] == pytest.approx(np.cbrt(y), rel=1e-15)


@given(st.floats(-2.0, 2.0), st.floats(-8.0, 8.0))
def test_scores_and_values_are_inverse(g, w):
    """Within the support of the law, there and back again."""
    g = 0.0 if abs(g) < 0.05 else g
    u = skew.standard(np.array([w]), np.array([g]))
    back = skew.normal(u, np.array([g]))[0]
    assert back == pytest.approx(w, abs=1e-9) or 1 + g * w / 6 - g * g / 36 <= 0


@pytest.mark.parametrize("z", [-4.0, -3.0, 3.0, 4.0])
def test_tails_of_a_mean_of_exponential_values_are_normal_ones(z):
    """Without it the upper one is five times as likely at 4 sigma, and the lower one a twentieth."""
    value = 100 + 10 * skew.standard(np.array([z]), np.array([0.2]))[0]
    tail = stats.gamma(100).sf(value) if z > 0 else stats.gamma(100).cdf(value)
    assert tail == pytest.approx(stats.norm.sf(abs(z)), rel=0.03)


def test_mean_and_variance_of_windows_tell_the_skewness_of_records():
    """The third central moment of exponential records is 2, of normal ones 0."""
    rng = np.random.default_rng(1)
    for records, third in ((rng.standard_exponential((100, 2000, 30)), 2.0), (rng.standard_normal((100, 2000, 30)), 0.0)):
        mean, variance = records.mean(axis=0), records.var(axis=0, ddof=1)
        centre = mean.mean(axis=0)
        windows = skew.Windows(mean - centre, np.full(mean.shape, 100), variance)
        learnt = skew.learn(MetricKind.MEAN, windows, centre, np.ones(mean.shape, bool))
        assert learnt.mean() == pytest.approx(third, abs=0.03)


def test_rates_and_counts_have_the_skewness_of_their_laws():
    """Beta-binomial and gamma-Poisson, from their variance alone."""
    n, p, rho = 500, 0.05, 0.01
    law = stats.betabinom(n, p * (1 - rho) / rho, (1 - p) * (1 - rho) / rho)
    slope = skew.learn(
        MetricKind.PROPORTION,
        skew.Windows(np.zeros((1, 1)), np.ones((1, 1), np.int64), np.zeros((1, 1))),
        np.array([p]),
        np.ones((1, 1), bool),
    )
    between = rho * p * (1 - p)
    got = skew.of_hits(slope, np.array([between]), np.array([law.std() / n]))[0]
    assert got == pytest.approx(float(law.stats("s")), rel=0.05)
    mean, variance = 200.0, 900.0
    counts = stats.nbinom(mean**2 / (variance - mean), mean / variance)
    assert skew.of_hits(np.array([1 / mean]), np.array([variance - mean]), np.array([30.0]))[0] == pytest.approx(float(counts.stats("s")))


def test_limits_of_a_skewed_mean_are_further_above_than_below():
    """And a value on the limit does not signal, one just beyond it does."""
    spec = stream(metric(), baseline=BaselineSpec(windows=60))
    bank = Bank.empty(spec)
    bank.grow(["a"])
    records = np.random.default_rng(3).standard_exponential((61, 6))
    for at, row in enumerate(records):
        points = step(spec, bank, at, row.mean(), n=6, unit=row.var(ddof=1))
    middle = points.centre[0, 0]
    assert points.ucl[0, 0] - middle > 1.2 * (middle - points.lcl[0, 0])
    for factor, told in ((1 - 1e-9, 0), (1 + 1e-9, 1)):
        again = Bank.load(spec, [(bank.segments, bank.save([0]))])
        limit = step(spec, Bank.load(spec, [(bank.segments, bank.save([0]))]), 61, 1.0, n=6, unit=1.0).ucl[0, 0]
        assert step(spec, again, 61, limit * factor, n=6, unit=1.0).broken[0, 0] & 1 == told
