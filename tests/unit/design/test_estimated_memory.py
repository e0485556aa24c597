"""CUSUM and EWMA limits with estimated parameters, against simulated Phase I, Shewhart limits and each other."""

from __future__ import annotations

import math

import numpy as np
import pytest

from streamspc.design import (
    cusum_arl,
    cusum_limit,
    ewma_arl,
    ewma_limit,
    expected_rate_cusum_limit,
    expected_rate_ewma_limit,
    expected_rate_limit,
    guaranteed_cusum_limit,
    guaranteed_ewma_limit,
    guaranteed_limit,
)
from streamspc.design import many_cusums as cusums
from streamspc.design import many_ewmas as ewmas
from streamspc.design.ewma_smooth import asymptotic
from streamspc.design.phase_one import c4, spread_of
from streamspc.design.phase_one_limits import gauss

GOAL = 370.4


def _phase_one(m, n, sigma, runs):
    """Errors of the centre and relative sigma of many simulated Phase I."""
    x = np.random.default_rng(5).standard_normal((runs, m, n))
    centre = x.mean(axis=(1, 2)) * math.sqrt(n)
    if sigma == "pooled":
        return centre, np.sqrt(x.var(axis=2, ddof=1).mean(axis=1)) / c4(m * (n - 1) + 1)
    single = x[:, :, 0]
    return centre, single.std(axis=1, ddof=1) / c4(m) if sigma == "sd" else np.abs(np.diff(single)).mean(axis=1) / 1.1283791671


def _conditional(means, u, w):
    """Own average run length of each simulated chart, in portions."""
    portions = zip(np.array_split(u, 40), np.array_split(w, 40), strict=True)
    return np.concatenate([means(*portion) for portion in portions])


@pytest.mark.parametrize(
    ("m", "n", "sigma", "sided", "headstart"),
    [(50, 1, "sd", "two", 0.0), (30, 1, "moving_range", "upper", 0.0), (25, 4, "pooled", "lower", 1.0), (100, 1, "sd", "two", 2.0)],
)
def test_cusum_limits_on_simulated_phase_one(m, n, sigma, sided, headstart):
    """The share of charts with the wished ARL0, and the mean rate, within four standard errors."""
    runs, goal = 20_000, {"sigma": sigma, "sided": sided, "headstart": headstart}
    u, w = _phase_one(m, n, sigma, runs)

    def means(h):
        return _conditional(lambda u, w: cusums.cusum_means(cusums.Charts(0.5 * w, h * w, -u, headstart * w), sided), u, w)

    share = (means(guaranteed_cusum_limit(0.5, m, n, confidence=0.8, **goal)) >= GOAL).mean()
    rates = GOAL / means(expected_rate_cusum_limit(0.5, m, n, **goal))

    assert abs(share - 0.8) < 4.0 * math.sqrt(0.16 / runs)
    assert abs(rates.mean() - 1.0) < 4.0 * rates.std() / math.sqrt(runs)


@pytest.mark.parametrize(
    ("m", "n", "sigma", "headstart"),
    [(50, 1, "sd", 0.0), pytest.param(30, 1, "moving_range", 0.2, marks=pytest.mark.slow), (25, 4, "pooled", 0.0)],
)
@pytest.mark.parametrize("limits", ["fixed", "exact"])
def test_ewma_limits_on_simulated_phase_one(m, n, sigma, headstart, limits):
    """The share of charts with the wished ARL0, and the mean rate, within four standard errors."""
    runs, goal = (20_000 if limits == "fixed" else 4_000), {"sigma": sigma, "headstart": headstart, "limits": limits}
    u, w = _phase_one(m, n, sigma, runs)
    one = ewmas.fixed_means if limits == "fixed" else ewmas.exact_means

    def means(limit):
        scale = limit * asymptotic(0.2)
        return _conditional(lambda u, w: one(0.2, ewmas.Charts(scale * w, -u, headstart * w)), u, w)

    share = (means(guaranteed_ewma_limit(0.2, m, n, confidence=0.8, **goal)) >= GOAL).mean()
    rates = GOAL / means(expected_rate_ewma_limit(0.2, m, n, **goal))

    assert abs(share - 0.8) < 4.0 * math.sqrt(0.16 / runs)
    assert abs(rates.mean() - 1.0) < 4.0 * rates.std() / math.sqrt(runs)


@pytest.mark.parametrize(("m", "n", "sigma"), [(20, 1, "sd"), (100, 1, "sd"), (40, 1, "moving_range"), (25, 5, "pooled")])
def test_an_ewma_of_weight_one_is_a_shewhart_chart(m, n, sigma):
    """Its limits are those of the Shewhart chart, which come from other integrals."""
    for confidence in (0.5, 0.9, 0.99):
        limit = guaranteed_limit(m, n, GOAL, confidence, sigma)
        assert guaranteed_ewma_limit(1.0, m, n, GOAL, confidence, sigma) == pytest.approx(limit, rel=1e-8)
    for limits in ("fixed", "exact"):
        rate = expected_rate_ewma_limit(1.0, m, n, GOAL, sigma, limits=limits)
        assert rate == pytest.approx(expected_rate_limit(m, n, GOAL, sigma), rel=1e-7)


def test_a_general_head_start_of_almost_none_is_none():
    """The curve followed from limit to limit, and the one followed once, lead to the same limit."""
    for lam, m in ((0.1, 100), (0.3, 20)):
        for find in (guaranteed_ewma_limit, expected_rate_ewma_limit):
            assert find(lam, m, headstart=1e-9) == pytest.approx(find(lam, m), rel=1e-7)


@pytest.mark.parametrize("limits", ["fixed", "exact"])
def test_much_data_leads_to_the_known_limits(limits):
    """With a million points the limits are those of known parameters, approached from above by the guarantee."""
    cusum, ewma = cusum_limit(0.5, GOAL), ewma_limit(0.1, GOAL, limits)

    assert expected_rate_cusum_limit(0.5, 1_000_000) == pytest.approx(cusum, rel=1e-4)
    assert cusum < guaranteed_cusum_limit(0.5, 1_000_000) < 1.01 * cusum
    assert expected_rate_ewma_limit(0.1, 1_000_000, limits=limits) == pytest.approx(ewma, rel=1e-4)
    assert ewma < guaranteed_ewma_limit(0.1, 1_000_000, limits=limits) < 1.01 * ewma


@pytest.mark.parametrize(
    ("k", "estimates", "goal", "confidence", "side"),
    [(0.25, (80, 8, "pooled"), 308.2, 0.832, ("lower", 1.0)), (0.24, (451, 7, "pooled"), 334.6, 0.64, ("upper", 0.0))],
)
def test_a_one_sided_guarantee_is_the_integral_over_the_centre(k, estimates, goal, confidence, side):
    """By the trapezoidal rule, also where P(W > w*(u)) falls from 1 to 0 within a third of a standard deviation of u."""
    (m, n, sigma), (sided, headstart) = estimates, side
    h = guaranteed_cusum_limit(k, m, n, goal, confidence, sigma, sided, headstart)
    law, z = spread_of(m, n, sigma), np.linspace(-7.0, 7.0, 401)
    low, high = np.full(len(z), 1e-3), np.full(len(z), 1.0 + 9.0 * law.sd)
    for _ in range(42):
        w = 0.5 * (low + high)
        kept = cusums.cusum_means(cusums.Charts(k * w, h * w, -z / math.sqrt(m), headstart * w), sided) >= goal
        low, high = np.where(kept, low, w), np.where(kept, w, high)
    density = np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)

    assert (density @ law.above(high)) * (z[1] - z[0]) == pytest.approx(confidence, abs=1e-8)


@pytest.mark.parametrize(("sided", "headstart"), [("two", 0.0), ("upper", 0.8)])
def test_an_expected_rate_is_the_double_integral(sided, headstart):
    """By the trapezoidal rule in both estimates."""
    m, goal = 60, 200.0
    law, z = spread_of(m, 1, "sd"), np.linspace(-7.0, 7.0, 101)
    w = np.linspace(1.0 - 7.0 * law.sd, 1.0 + 9.0 * law.sd, 113)
    weight = np.multiply.outer(law.density(w) * (w[1] - w[0]), np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi) * (z[1] - z[0]))
    w, u = np.meshgrid(w, z / math.sqrt(m), indexing="ij")
    counts = weight > 1e-13
    w, u, weight = w[counts], u[counts], weight[counts]

    def rate(h):
        return goal * float(weight @ (1.0 / cusums.cusum_means(cusums.Charts(0.5 * w, h * w, -u, headstart * w), sided)))

    assert rate(expected_rate_cusum_limit(0.5, m, 1, goal, "sd", sided, headstart)) == pytest.approx(1.0, abs=1e-7)


def test_a_head_start_near_the_limit():
    """Where both sides may be near a signal the charts are taken one by one; the limit is above that without head start."""
    plain, started = (guaranteed_cusum_limit(1.0, 200, arl0=50, confidence=0.5, headstart=start) for start in (0.0, 1.6))

    assert plain < 2.0 * 1.6 - 2.0 < started < plain + 0.5 or started > plain


def test_many_charts_at_once_are_the_same_charts():
    """Stacked equations against one at a time."""
    rng = np.random.default_rng(2)
    k, h, shift = rng.uniform(0.1, 1.0, 20), rng.uniform(1.0, 7.0, 20), rng.normal(0.0, 0.7, 20)
    for sided in ("two", "upper", "lower"):
        many = cusums.cusum_means(cusums.Charts(k, h, shift, 0.4 * h), sided)
        one = [cusum_arl(*chart, sided, 0.4 * chart[1]) for chart in zip(k, h, shift, strict=True)]
        np.testing.assert_allclose(1.0 / many, 1.0 / np.array(one), rtol=1e-10, atol=1e-14)
    limit = rng.uniform(0.2, 0.9, 20)
    for kind, find in (("fixed", ewmas.fixed_means), ("exact", ewmas.exact_means)):
        many = find(0.1, ewmas.Charts(limit, shift, 0.1 * limit))
        one = [ewma_arl(0.1, c / asymptotic(0.1), d, kind, 0.1 * c) for c, d in zip(limit, shift, strict=True)]
        np.testing.assert_allclose(many, one, rtol=1e-7)


def test_the_gauss_rule_of_a_law_has_its_moments():
    """Mean 1, and the second moment of a chi law, with 12 nodes."""
    nodes, weights = gauss(spread_of(30, 1, "sd"), 12)

    assert weights.sum() == pytest.approx(1.0, rel=1e-12)
    assert weights @ nodes == pytest.approx(1.0, rel=1e-12)
    assert weights @ nodes**2 == pytest.approx(1.0 / c4(30) ** 2, rel=1e-12)


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: guaranteed_cusum_limit(0.5, 50, 5), "n is 5|n=1"),
        (lambda: guaranteed_cusum_limit(0.5, 50, sigma="pooled"), "pooled"),
        (lambda: guaranteed_cusum_limit(0.5, 50, confidence=1.0), "confidence is"),
        (lambda: guaranteed_cusum_limit(0.5, 1), "m is"),
        (lambda: guaranteed_cusum_limit(-0.5, 50), "k is"),
        (lambda: expected_rate_cusum_limit(0.5, 50, sigma="range"), "sigma is"),
        (lambda: guaranteed_ewma_limit(0.1, 50, sided="upper"), "sided is"),
        (lambda: guaranteed_ewma_limit(1.5, 50), "lam is"),
        (lambda: expected_rate_ewma_limit(0.1, 50, limits="wide"), "limits is"),
        (lambda: expected_rate_ewma_limit(0.1, 50, arl0=1.0), "arl0 is"),
    ],
)
def test_what_cannot_be_is_refused(call, reason):
    """With a reason."""
    with pytest.raises(ValueError, match=reason):
        call()
