from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from charting import metric, step, stream
from streamspc.chart import Bank, rare
from streamspc.model import BaselineSpec, Budget, ChartKind, ChartSpec, MetricKind

MEANS = st.floats(1e-6, 60.0)
RELATIVE = st.floats(1e-4, 100.0)


def one(*numbers):
    return [np.array([number], float) for number in numbers]


@given(MEANS, RELATIVE, st.integers(0, 200))
def test_the_score_is_the_middle_of_its_tail(mean, relative, hits):
    """As the library's negative binomial law has it."""
    law = stats.nbinom(1 / relative, 1 / (1 + mean * relative))
    z = rare.score(*one(hits, mean, relative))[0]
    upper = law.sf(hits - 1) < law.cdf(hits)
    tail = (law.sf(hits - 1) + law.sf(hits)) / 2 if upper else (law.cdf(hits) + law.cdf(hits - 1)) / 2
    if tail > 1e-100:
        assert z == pytest.approx(float(-stats.norm.ppf(tail) if upper else stats.norm.ppf(tail)), abs=2e-6)


@given(MEANS, RELATIVE, st.floats(1.0, 6.0))
def test_limits_are_the_outermost_hits_that_are_likely_enough(mean, relative, limit):
    """One more, or one less, is less likely than the limit's tail: the attained rate is the next below the promise."""
    law = stats.nbinom(1 / relative, 1 / (1 + mean * relative))
    least, most = (int(part[0]) for part in rare.limits(*one(mean, relative, limit)))
    tail = stats.norm.sf(limit)
    assert law.sf(most) < tail * (1 + 1e-9)
    assert least == 0 or law.cdf(least - 1) < tail * (1 + 1e-9)
    assert law.sf(most - 1) >= tail * (1 - 1e-9) or most == np.ceil(mean) + 1 or most <= mean + 1
    assert least <= most


@pytest.mark.parametrize(("value", "turned"), [(0.0, 1.0), (1.0, -1.0)])
def test_a_first_null_is_no_alarm_but_many_are(value, turned):
    """After fifty windows without a null one is within the limits, and twenty are not; nor is a first miss of a rate of one an alarm."""
    spec = stream(metric(kind=MetricKind.NULL_RATE, signal_by=(ChartKind.SHEWHART, ChartKind.CUSUM)), baseline=BaselineSpec(windows=50))
    bank = Bank.empty(spec)
    bank.grow(["a"])
    for at in range(50):
        step(spec, bank, at, value, n=10_000)
    first = step(spec, bank, 50, value + turned / 10_000, n=10_000)
    assert first.broken.tolist() == [[0]]
    assert first.lcl[0, 0] <= first.value[0, 0] <= first.ucl[0, 0]
    many = step(spec, bank, 51, value + turned * 20 / 10_000, n=10_000)
    assert many.broken[0, 0] & 1
    assert many.side[0, 0] == turned


@pytest.mark.parametrize("kind", [MetricKind.NULL_RATE, MetricKind.COUNT])
@pytest.mark.parametrize("windows", [50, 200])
@pytest.mark.parametrize("n", [1, 30, 1000, 10**5, 10**7])
@pytest.mark.parametrize("arl0", [370.0, 43_200.0, 1e7])
def test_whatever_the_records_and_the_promise_a_first_hit_is_no_alarm(kind, windows, n, arl0):
    """On none of the default charts and the EWMA, in that window and the twenty that follow."""
    promised = metric(kind=kind, charts=ChartSpec(), signal_by=tuple(ChartKind))
    spec = stream(promised, baseline=BaselineSpec(windows=windows), budget=Budget(arl0=arl0, per="series"))
    bank = Bank.empty(spec)
    bank.grow(["a"])
    hits = [0] * windows + [1] + [0] * 20
    points = [step(spec, bank, at, hit / (n if kind is MetricKind.NULL_RATE else 1), n=n) for at, hit in enumerate(hits)]
    assert not any(point.broken.any() for point in points)


def test_overdispersion_that_cannot_be_excluded_is_configured():
    """Without any, five nulls of ten thousand are beyond 5 sigma after none in fifty windows; with 1e-5 they may come together."""
    found = {}
    for rho in (0.0, 1e-5):
        limit = ChartSpec(shewhart_limit=5.0, cusum_h=50.0, ewma_limit=50.0)
        spec = stream(metric(kind=MetricKind.NULL_RATE, charts=limit), baseline=BaselineSpec(windows=50, overdispersion=rho))
        bank = Bank.empty(spec)
        bank.grow(["a"])
        for at in range(50):
            step(spec, bank, at, 0.0, n=10_000)
        found[rho] = step(spec, bank, 50, 5e-4, n=10_000)
    assert found[0.0].ucl[0, 0] < 5e-4 <= found[1e-5].ucl[0, 0]
    assert [point.broken[0, 0] & 1 for point in found.values()] == [1, 0]


def test_a_common_rate_and_a_large_count_are_not_rare():
    """They have sigma limits."""
    keep = np.ones((20, 2), bool)
    n = np.full((20, 2), 1000)
    assert rare.of_rates(np.full((20, 2), [0.3, 0.001]), n, keep, np.zeros(2)).side.tolist() == [0, 1]
    assert rare.of_counts(np.full((20, 2), [100.0, 3.0]), keep, np.array([100.0, 3.0])).side.tolist() == [0, 1]


def test_overdispersed_counts_are_expected_to_vary():
    """The relative variance is what Phase I does not know and what it saw beyond Poisson."""
    keep = np.ones((50, 1), bool)
    law = rare.of_counts(np.full((50, 1), 4.0), keep, np.array([20.0]))
    mean = 200.5 / 50
    assert law.expected[0] == pytest.approx(mean)
    assert law.relative[0] == pytest.approx(1 / 200.5 + (20 - mean) / mean**2)
