"""Limits and averages with estimated parameters, against simulation, closed forms and each other."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from streamspc.design import estimated_shewhart_arl, expected_rate_limit, guaranteed_limit, moving_range, shewhart_arl
from streamspc.design.moving_range import D2, MeanMovingRange
from streamspc.design.panels import composite, cumulative
from streamspc.design.phase_one import c4, spread_of
from streamspc.design.quadrature import legendre


def _phase_one(m, n, sigma, runs, seed):
    """Errors of the centre in sigma of the plotted statistic, and estimated over true sigma, of many Phase I."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((runs, m, n))
    centre = x.mean(axis=(1, 2)) * math.sqrt(n)
    if sigma == "sd":
        return centre, x[:, :, 0].std(axis=1, ddof=1) / c4(m)
    if sigma == "moving_range":
        return centre, np.abs(np.diff(x[:, :, 0], axis=1)).mean(axis=1) / D2
    return centre, np.sqrt(x.var(axis=2, ddof=1).mean(axis=1)) / c4(m * (n - 1) + 1)


def _rate(u, w, limit, shift=0.0):
    """Signal probability of each chart."""
    return stats.norm.sf(limit * w + u - shift) + stats.norm.cdf(-limit * w + u - shift)


CASES = [
    (20, 1, "sd"),
    (100, 1, "sd"),
    (20, 1, "moving_range"),
    (8, 1, "moving_range"),
    (60, 1, "moving_range"),
    (10, 4, "pooled"),
    (1, 9, "pooled"),
]


@pytest.mark.parametrize(("m", "n", "sigma"), CASES)
def test_the_guarantee_is_kept_by_the_promised_share(m, n, sigma):
    """Of 30,000 Phase I, within four standard errors."""
    u, w = _phase_one(m, n, sigma, 30_000, 3)
    for confidence in (0.5, 0.9):
        limit = guaranteed_limit(m, n, 200.0, confidence, sigma)
        kept = np.mean(1.0 / _rate(u, w, limit) >= 200.0)

        assert kept == pytest.approx(confidence, abs=4.0 * math.sqrt(confidence * (1.0 - confidence) / 3e4))


@pytest.mark.parametrize(("m", "n", "sigma"), CASES)
def test_the_expected_rate_is_the_wished_one(m, n, sigma):
    """Averaged over 30,000 Phase I, within four standard errors."""
    u, w = _phase_one(m, n, sigma, 30_000, 4)
    rates = _rate(u, w, expected_rate_limit(m, n, 100.0, sigma))

    assert rates.mean() == pytest.approx(0.01, abs=4.0 * rates.std() / math.sqrt(3e4))


@pytest.mark.parametrize(
    ("m", "n", "limit", "shift", "sigma"),
    [(40, 1, 2.0, 0.0, "sd"), (40, 1, 2.5, 1.0, "sd"), (60, 1, 2.0, 0.5, "moving_range"), (15, 5, 2.5, 1.5, "pooled")],
)
def test_the_average_over_phase_one_agrees_with_simulation(m, n, limit, shift, sigma):
    """Over 50,000 Phase I, within four standard errors."""
    u, w = _phase_one(m, n, sigma, 50_000, 5)
    lengths = 1.0 / _rate(u, w, limit, shift)

    assert estimated_shewhart_arl(m, n, limit, shift, sigma) == pytest.approx(lengths.mean(), abs=4.0 * lengths.std() / math.sqrt(5e4))


def _brute(m, limit, shift):
    """E 1 / p by the trapezoidal rule in both estimates, which has no features narrower than its steps, in logarithms."""
    df = m - 1
    w, u = np.linspace(1e-3, 13.0, 1500)[:, None], np.linspace(-3.0, 6.0, 600)
    density = stats.chi2(df).logpdf(df * (w * c4(m)) ** 2) + np.log(2.0 * df * c4(m) ** 2 * w) + stats.norm.logpdf(u, scale=m**-0.5)
    rate = np.logaddexp(stats.norm.logsf(limit * w + u - shift), stats.norm.logcdf(-limit * w + u - shift))
    return np.exp(density - rate).sum() * (w[1, 0] - w[0, 0]) * (u[1] - u[0])


@pytest.mark.parametrize(("m", "limit", "shift"), [(25, 3.0, 0.0), (15, 3.0, 1.0), (30, 2.0, 4.0)])
def test_the_average_over_phase_one_is_the_double_integral(m, limit, shift):
    """To 1e-8, also where a few charts that never signal make most of it."""
    assert estimated_shewhart_arl(m, 1, limit, shift) == pytest.approx(_brute(m, limit, shift), rel=1e-8)


def test_an_infinite_average_is_refused():
    """L = 3: ten points or fewer with s, 28 or fewer with moving ranges."""
    for m, sigma in ((10, "sd"), (28, "moving_range")):
        with pytest.raises(ValueError, match="infinite"):
            estimated_shewhart_arl(m, sigma=sigma)

        assert math.isfinite(estimated_shewhart_arl(m + 2, sigma=sigma))


def test_much_data_is_knowledge():
    """All limits and averages tend to those of known parameters."""
    assert estimated_shewhart_arl(10**6) == pytest.approx(shewhart_arl(), rel=1e-4)
    assert guaranteed_limit(10**7) == pytest.approx(3.0, abs=1e-3)
    assert guaranteed_limit(10**6, sigma="moving_range") == pytest.approx(3.0, abs=5e-3)
    assert expected_rate_limit(10**6, 5, sigma="pooled") == pytest.approx(3.0, abs=1e-4)


def test_published_guarantees():
    """The limits for nine in ten charts of the literature on guaranteed performance."""
    assert [round(guaranteed_limit(m), 2) for m in (25, 50, 100, 200, 500)] == [3.75, 3.48, 3.32, 3.21, 3.13]


def test_the_expected_rate_of_s_is_a_t_quantile():
    """With s itself, not s / c4, the limits are at t(m - 1) sqrt(1 + 1 / m)."""
    for m in (5, 30):
        quantile = stats.t(m - 1).isf(0.5 / 370.4) * math.sqrt(1.0 + 1.0 / m)

        assert expected_rate_limit(m) == pytest.approx(quantile * c4(m), rel=1e-12)


@pytest.mark.parametrize("m", [5, 20, 1000])
def test_the_mean_moving_range_has_its_exact_moments(m):
    """Mean 1 and the variance of sums of ranges that share points; the density is the slope of the tail."""
    law = MeanMovingRange(m)
    w, mass = composite(max(0.0, 1.0 - 9.0 * law.sd), 1.0 + 12.0 * law.sd, 40)
    density = law.density(w) * mass

    assert density.sum() == pytest.approx(1.0, abs=2e-6)
    assert density @ w == pytest.approx(1.0, abs=1e-6)
    assert density @ (w - 1.0) ** 2 == pytest.approx(law.sd**2, rel=1e-4)
    for at in (1.0 - law.sd, 1.0 + 3.0 * law.sd):
        step = 1e-3 * law.sd
        slope = (law.above(np.array(at - step)) - law.above(np.array(at + step))) / (2.0 * step)

        assert law.density(np.array(at)) == pytest.approx(float(slope), rel=1e-5)


def test_far_tails_of_the_mean_moving_range_follow_the_largest_sum():
    """Where all signs alternate, W is one normal sum of variance 4 m - 6, of either sign."""
    m = 30
    law, y = MeanMovingRange(m), 35.0 * math.sqrt(4 * m - 6.0)

    assert law.above(np.array(y / law.unit)) == pytest.approx(2.0 * stats.norm.sf(35.0), rel=1e-4)


def test_polynomials_are_integrated_exactly():
    """The cumulative rule of 6 nodes, up to degree 5."""
    nodes, _ = legendre(6)
    for degree in range(6):
        np.testing.assert_allclose(
            cumulative(6) @ nodes**degree, (nodes ** (degree + 1) - (-1.0) ** (degree + 1)) / (degree + 1), atol=1e-14
        )


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: estimated_shewhart_arl(30, 5), "sigma"), (lambda: estimated_shewhart_arl(30, 1, sigma="pooled"), "sigma"),
        (lambda: estimated_shewhart_arl(30, 5, sigma="moving_range"), "sigma"), (lambda: estimated_shewhart_arl(1), "m"),
        (lambda: estimated_shewhart_arl(30, sigma="mad"), "sigma"), (lambda: estimated_shewhart_arl(30, 1, -1.0), "L"),
        (lambda: guaranteed_limit(30, confidence=1.0), "confidence"), (lambda: guaranteed_limit(30, arl0=1.0), "arl0"),
        (lambda: guaranteed_limit(4, sigma="moving_range"), "m"), (lambda: expected_rate_limit(30, 0), "n"),
        (lambda: expected_rate_limit(30, arl0=math.nan), "arl0"), (lambda: spread_of(0, 3, "pooled"), "m"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(call, name):
    """With a ValueError that names the argument."""
    with pytest.raises(ValueError, match=f"^{name} "):
        call()


def test_both_forms_of_the_operator_of_moving_ranges_agree(monkeypatch):
    """Products for all tilts together, or a kernel for each, which does not overflow as soon; and a reason where both would."""
    z = np.array([0.1 + 0.3j, -0.2 + 1.0j, 0.6 + 0.0j])
    products = moving_range._log_transform(12, z)
    monkeypatch.setattr(moving_range, "OVERFLOW", 0.0)

    assert moving_range._log_transform(12, z) == pytest.approx(products, rel=1e-12)
    with pytest.raises(ValueError, match="so near"):
        moving_range._log_transform(5, np.array([20.0 + 0.0j]))
