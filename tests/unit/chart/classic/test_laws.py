"""Laws of the classic charts: constants, series along the leading axes, missing values, and charts without a published example."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from streamspc.chart.classic import attributes, count_cusum, cusum, ewma, hotelling, individuals, laney, limits, mewma, rare, subgroups
from streamspc.chart.classic.constants import c4, d2, d3, range_quantile
from streamspc.chart.classic.subgroups import METHODS, Subgroups

nan = math.nan


def random(*shape):
    return np.random.default_rng(5).normal(10, 2, shape)


def test_constants_in_closed_form():
    """d2, d3 and c4 of two, three and four observations, to the last digits."""
    assert d2(2) == pytest.approx(2 / math.sqrt(math.pi), rel=1e-14)
    assert d2(3) == pytest.approx(3 / math.sqrt(math.pi), rel=1e-14)
    assert d3(2) == pytest.approx(math.sqrt(2 - 4 / math.pi), rel=1e-14)
    assert c4(2) == pytest.approx(math.sqrt(2 / math.pi), rel=1e-14)
    assert c4(3) == pytest.approx(math.sqrt(math.pi) / 2, rel=1e-14)


def test_c4_has_no_seam():
    """Gamma functions and Stirling's series agree where one takes over from the other, and the limit is 1 - 1 / (4 n)."""
    n = np.arange(150, 260)
    exact = np.array([math.exp(math.lgamma(k / 2) - math.lgamma((k - 1) / 2)) * math.sqrt(2 / (k - 1)) for k in n])
    assert c4(n) == pytest.approx(exact, rel=1e-12)
    assert 1 - float(c4(10**8 + 1)) == pytest.approx(0.25e-8, rel=1e-6)


def test_one_observation_has_no_range():
    """Constants of less than two are nan, in any shape."""
    assert np.isnan(d2(np.array([[0, 1], [2, 5]]))).tolist() == [[True, True], [False, False]]
    assert np.isnan(c4(1))


def test_quantiles_of_the_range():
    """For two observations the range is sqrt(2) |N|."""
    for share in (1e-6, 0.5, 0.999999):
        assert range_quantile(share, 2) == pytest.approx(math.sqrt(2) * stats.halfnorm.ppf(share), rel=1e-9)


def test_series_lie_along_the_leading_axes():
    """Each series of a block has the numbers that it has alone."""
    x = random(3, 2, 30)
    x[1, 0, 7] = nan
    groups, n = random(3, 2, 12, 5), np.random.default_rng(2).integers(50, 90, (3, 2, 30)).astype(float)
    counts = np.random.default_rng(3).binomial(n.astype(int), 0.1).astype(float)
    vectors = random(3, 2, 30, 4)
    functions = [
        *((lambda g, method=method: Subgroups.of(g).sigma(method), groups) for method in METHODS),
        (lambda g: Subgroups.of(g).centre(), groups),
        (individuals.sigma, x),
        (lambda y: individuals.sigma(y, "median_moving_range"), x),
        (lambda y: rare.transformed(np.abs(y)).upper, x),
        (lambda y: ewma.statistic(y, np.nanmean(y, axis=-1), 0.2), x),
        (lambda y: ewma.exact(y, 2.0, 0.2), x),
        (lambda y: cusum.two_sided(y - 10, 0.5)[0], x),
        (lambda v: hotelling.t2(v, hotelling.individuals(v)), vectors),
        (lambda v: hotelling.contributions(v, hotelling.successive(v)).alone, vectors),
        (lambda v: mewma.t2(v, hotelling.individuals(v), 0.1, exact=True), vectors),
    ]
    for function, data in functions:
        whole = function(data)
        for i in range(3):
            for j in range(2):
                assert whole[i, j] == pytest.approx(function(data[i, j]), rel=1e-12, nan_ok=True)
    for of in (laney.p, laney.u):
        assert of(counts, n).upper[2, 1] == pytest.approx(of(counts[2, 1], n[2, 1]).upper, rel=1e-12)


def test_missing_values_are_not_there():
    """Subgroups with a value missing are smaller; a moving range does not reach over a gap; EWMA and CUSUM hold."""
    groups = Subgroups.of(np.array([[1.0, nan, 3.0], [nan, nan, 2.0], [nan, nan, nan]]))
    assert groups.n.tolist() == [2, 1, 0]
    assert groups.mean.tolist()[:2] == [2.0, 2.0]
    assert groups.range.tolist()[0] == 2.0
    assert np.isnan(groups.range[1:]).all()
    assert all(groups.sigma(method) == pytest.approx(2.0 / d2(2) if "range" in method else math.sqrt(2) / c4(2)) for method in METHODS)
    x = np.array([1.0, nan, 2.0, 4.0])
    assert individuals.sigma(x) == pytest.approx(2.0 / d2(2))
    assert ewma.statistic(x, 0.0, 0.5).tolist() == [0.5, 0.5, 1.25, 2.625]
    assert ewma.exact(x, 1.0, 0.5)[1] == ewma.exact(x, 1.0, 0.5)[0] == 0.5
    assert cusum.one_sided(x, 0.5).tolist() == [0.5, 0.5, 2.0, 5.5]


@pytest.mark.parametrize("method", METHODS)
def test_estimates_of_sigma_are_unbiased_with_unequal_n(method):
    """Each method finds sigma 2 within three standard errors, on 4000 series of subgroups of two to six."""
    rng = np.random.default_rng(8)
    values = rng.normal(0, 2, (4000, 10, 6))
    values[np.arange(6) >= rng.integers(2, 7, (4000, 10, 1))] = nan
    found = Subgroups.of(values).sigma(method)
    assert abs(found.mean() - 2) < 3 * found.std() / math.sqrt(len(found))


@pytest.mark.parametrize("method", individuals.METHODS)
def test_estimates_from_individuals(method):
    """Each method finds sigma 2 in 4000 series of 300; the median is unbiased for large m alone."""
    found = individuals.sigma(np.random.default_rng(9).normal(0, 2, (4000, 300)), method)
    assert abs(found.mean() - 2) < 3 * found.std() / math.sqrt(len(found)) + (0.01 if method.startswith("median") else 0)


def test_a_method_that_does_not_exist_is_refused():
    """The message lists those that do."""
    with pytest.raises(ValueError, match="one of mean_range"):
        Subgroups.of(random(4, 5)).sigma("best")
    with pytest.raises(ValueError, match="one of moving_range"):
        individuals.sigma(random(4), "best")
    with pytest.raises(ValueError, match="between 0 and 1"):
        limits.normal_width(1.0)


def test_moving_ranges_have_limits_of_their_own():
    """The upper limit is D4 = 3.2665 times the mean range, the lower one 0."""
    chart = individuals.ranges(1.0)
    assert chart.upper / chart.centre == pytest.approx(3.266532, rel=1e-6)
    assert chart.lower == 0.0


def test_probability_limits_have_their_tails():
    """R, S, binomial, Poisson, geometric and exponential limits leave out at most the share on each side, and a step less too many."""
    each = 0.00135
    s = subgroups.probability_s(2.0, 5, 0.9973)
    assert stats.chi2.cdf(4 * s.lower**2 / 4, 4) == pytest.approx(each, rel=1e-9)
    assert stats.chi2.sf(4 * s.upper**2 / 4, 4) == pytest.approx(each, rel=1e-9)
    for chart, law in (
        (attributes.binomial(0.3, 80, 0.9973), stats.binom(80, 0.3)),
        (attributes.poisson(30.0, 0.9973), stats.poisson(30.0)),
        (rare.geometric(900.0, 0.9973), stats.geom(1 / 901, loc=-1)),
    ):
        assert law.cdf(chart.lower - 1) < each <= law.cdf(chart.lower)
        assert law.sf(chart.upper) <= each < law.sf(chart.upper - 1)
    time = rare.exponential(7.0, 0.9973)
    assert stats.expon(scale=7).cdf(time.lower) == pytest.approx(each)
    assert stats.expon(scale=7).sf(time.upper) == pytest.approx(each)


def test_rare_events_of_many_zeros():
    """With a mean of 1 the lower limit is 0 and cannot be crossed."""
    assert rare.geometric(1.0, 0.9973).lower == 0.0
    assert rare.g(0.5).lower == 0.0


def test_times_are_nearly_normal_once_transformed():
    """Exponential times are outside the transformed limits about as seldom as normal values outside 3 sigma."""
    times = np.random.default_rng(4).exponential(3.0, (1, 200_000))
    chart = rare.transformed(times)
    outside = np.mean(limits.Limits(*(part[:, None] for part in chart)).outside(times) != 0)
    assert outside < 0.0027
    assert chart.centre[0] == pytest.approx(3.0 * math.gamma(1 + 1 / 3.6) ** 3.6, rel=0.01)


def test_exact_limits_of_an_ewma_follow_a_varying_sigma():
    """The variance of the weighted sum, written out."""
    sigma, weight = np.array([1.0, 3.0, 0.5, 2.0]), 0.3
    weights = weight * (1 - weight) ** np.arange(3, -1, -1)
    assert ewma.exact(np.zeros(4), sigma, weight)[-1] == pytest.approx(math.sqrt(((weights * sigma) ** 2).sum()), rel=1e-14)
    assert ewma.exact(np.zeros(400), 1.0, weight)[-1] == pytest.approx(float(ewma.fixed(1.0, weight)), rel=1e-12)


def test_a_cusum_that_restarts():
    """After a point above it the statistic begins at 0, and the head start is not given again."""
    assert cusum.one_sided(np.full(6, 1.5), 0.5, 1.0, 2.5).tolist() == [2.0, 3.0, 1.0, 2.0, 3.0, 1.0]


def test_cusums_of_counts_of_both_sides():
    """Rises gather what is above k, falls what is below."""
    x = np.array([2.0, 5.0, 1.0])
    assert count_cusum.statistic(x, 2.5).tolist() == [0.0, 2.5, 1.0]
    assert count_cusum.statistic(x, 2.5, upper=False).tolist() == [0.5, 0.0, 1.5]


def test_the_combined_chart_signals_for_either():
    """A large point or a long run."""
    assert cusum.combined(np.array([3.6, -3.6]), 0.5, 5.0, 3.5).tolist() == [True, True]
    assert cusum.combined(np.full(11, 1.0), 0.5, 5.0, 3.5).tolist() == [False] * 10 + [True]


def test_contributions_are_what_is_lost_without_a_metric():
    """`alone` is T2 less the T2 of the other metrics; `share` sums to T2."""
    x = random(40, 4) @ np.random.default_rng(1).normal(size=(4, 4))
    estimate = hotelling.individuals(x)
    whole, parts = hotelling.t2(x, estimate, 3), hotelling.contributions(x, estimate, 3)
    assert parts.share.sum(axis=-1) == pytest.approx(whole, rel=1e-9)
    for j in range(4):
        rest = [i for i in range(4) if i != j]
        others = hotelling.Estimate(estimate.centre[rest], estimate.covariance[np.ix_(rest, rest)])
        assert parts.alone[:, j] == pytest.approx(whole - hotelling.t2(x[:, rest], others, 3), rel=1e-7, abs=1e-7)


def test_phases_keep_their_rates():
    """5 % limits: of the vectors that were learnt from, and of new ones, 5 % are outside; the other phase's limit has another rate."""
    rng = np.random.default_rng(6)
    learnt, new = rng.normal(size=(20_000, 12, 3)), rng.normal(size=(20_000, 1, 3))
    estimate = hotelling.individuals(learnt)
    first, second = hotelling.phase_one_limit(3, 12, confidence=0.95), hotelling.phase_two_limit(3, 12, confidence=0.95)
    assert np.mean(hotelling.t2(learnt, estimate) > first) == pytest.approx(0.05, abs=0.003)
    assert np.mean(hotelling.t2(new, estimate) > second) == pytest.approx(0.05, abs=0.005)
    assert np.mean(hotelling.t2(new, estimate) > first) > 0.2


def test_a_covariance_needs_more_vectors_than_metrics():
    """Limits of what cannot be estimated are refused."""
    with pytest.raises(ValueError, match="8 metrics need more vectors"):
        hotelling.phase_one_limit(8, 9)
    with pytest.raises(ValueError, match="3 metrics need more vectors"):
        hotelling.phase_two_limit(3, 3)


def test_successive_differences_hardly_see_a_shift():
    """Half-way shifts of five sigma inflate the sample covariance, not that of differences."""
    x = np.random.default_rng(7).normal(size=(200, 2))
    x[100:, 0] += 5
    assert hotelling.individuals(x).covariance[0, 0] > 5
    assert hotelling.successive(x).covariance[0, 0] == pytest.approx(1.0, abs=0.3)


def test_a_mewma_of_weight_one_is_hotellings_chart():
    """And an exact one of any weight has at its first point the T2 of that point."""
    x = random(20, 3)
    estimate = hotelling.individuals(x)
    assert mewma.t2(x, estimate, 1.0) == pytest.approx(hotelling.t2(x, estimate), rel=1e-12)
    assert mewma.t2(x, estimate, 0.1, exact=True)[0] == pytest.approx(hotelling.t2(x, estimate)[0], rel=1e-12)
    parts = mewma.contributions(x, estimate, 0.1)
    assert parts.share.sum(axis=-1) == pytest.approx(mewma.t2(x, estimate, 0.1), rel=1e-9)
    assert int(np.argmax(parts.alone[-1])) == int(np.argmax(mewma.contributions(x, estimate, 0.1, exact=True).alone[-1]))


def test_a_mewma_of_one_metric_is_an_ewma():
    """T2 is the square of the EWMA over its sigma; a missing vector holds it."""
    x = random(15)
    x[4] = nan
    z = (ewma.statistic(x, 10.0, 0.2) - 10.0) / ewma.exact(x, 2.0, 0.2)
    estimate = hotelling.Estimate(np.array([10.0]), np.array([[4.0]]))
    assert mewma.t2(x[:, None], estimate, 0.2, exact=True) == pytest.approx(z**2, rel=1e-9)


def test_the_known_rate_of_a_mewma():
    """Two metrics, lambda 0.1, h4 8.64: the published ARL0 is 200."""
    rng = np.random.default_rng(12)
    estimate = hotelling.Estimate(np.zeros(2), np.eye(2))
    above = mewma.t2(rng.normal(size=(2000, 2000, 2)), estimate, 0.1) > 8.64
    lengths = np.where(above.any(axis=-1), above.argmax(axis=-1) + 1, 2000)
    assert lengths.mean() == pytest.approx(200, rel=0.05)
