"""EWMAs, against Markov chains of another kind, long recursion, simulation and published numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from streamspc.design import ewma_arl, ewma_limit, shewhart_arl
from streamspc.design.density_kinks import density_kinks
from streamspc.design.ewma_smooth import asymptotic


def _cells(lam, limit, shift, cdf, n):
    """Average run length from the middle of n cells (odd), each taken at its middle (Lucas & Saccucci 1990)."""
    edges = np.linspace(-limit, limit, n + 1)
    middles = 0.5 * (edges[1:] + edges[:-1])
    steps = np.diff(cdf((edges[None, :] - (1.0 - lam) * middles[:, None]) / lam - shift), axis=1)
    return np.linalg.solve(np.eye(n) - steps, np.ones(n))[n // 2]


def _richardson(lam, limit, shift, cdf):
    """The same for cells of no width."""
    sizes = np.array([101, 201, 301, 401])
    powers = sizes[:, None].astype(float) ** (-2.0 * np.arange(4))
    return np.linalg.solve(powers, [_cells(lam, limit, shift, cdf, n) for n in sizes])[0]


@pytest.mark.parametrize(
    ("lam", "L", "shift"), [(0.1, 2.7, 0), (0.1, 2.7, 1), (0.3, 3.5, -0.5), (0.05, 2, 0.3), (0.8, 3, 2), (0.5, 0.5, 0)]
)
@pytest.mark.parametrize("law", [None, stats.t(5), stats.logistic()], ids=["normal", "t", "logistic"])
def test_fixed_limits_equal_the_extrapolated_markov_chain(lam, L, shift, law):
    """Cells of Lucas & Saccucci, extrapolated, agree to 1e-7, for smooth distributions."""
    scale = 1.0 if law is None else law.std()
    arl = _richardson(lam, L * asymptotic(lam), shift, lambda x: stats.norm.cdf(x) if law is None else law.cdf(x * scale))

    assert ewma_arl(lam, L, shift, distribution=law) == pytest.approx(arl, rel=1e-7)


@pytest.mark.parametrize("law", [stats.norm(3, 2), stats.norm(), "normal"], ids=["shifted", "standard", "word"])
@pytest.mark.parametrize("state", ["zero", "steady"])
@pytest.mark.parametrize("limits", ["fixed", "exact"])
def test_the_normal_law_given_as_a_distribution(law, state, limits):
    """Both ways of computation agree; a distribution is standardised."""
    for chart in ((0.1, 2.7, 0.0), (0.4, 3.0, 0.8), (1.0, 2.5, 0.3)):
        given = ewma_arl(*chart, limits, state=state, distribution=law)
        assert given == pytest.approx(ewma_arl(*chart, limits, state=state), rel=1e-8)


def test_a_weight_of_one_is_a_shewhart_chart():
    """Of any distribution, with either kind of limits."""
    for law in (None, stats.t(6), stats.expon(), stats.uniform()):
        for shift in (0.0, 1.2):
            arl = shewhart_arl(1.6, shift, distribution=law)
            assert ewma_arl(1.0, 1.6, shift, distribution=law) == pytest.approx(arl, rel=1e-11)
            assert ewma_arl(1.0, 1.6, shift, "exact", distribution=law) == pytest.approx(arl, rel=1e-11)
            assert ewma_arl(1.0, 1.6, shift, state="steady", distribution=law) == pytest.approx(arl, rel=1e-11)


def _carried(lam, L, shift, start, points):
    """Average run length with exact limits by density propagation alone, until nobody is left or the limits stand still and long after."""
    nodes, weights = np.polynomial.legendre.leggauss(120)
    total, x, mass = 0.0, np.array([start]), np.ones(1)
    for t in range(1, points + 1):
        total += mass.sum()
        limit = L * asymptotic(lam) * math.sqrt(1.0 - (1.0 - lam) ** (2 * t))
        y = limit * nodes
        mass = (mass @ stats.norm.pdf((y - (1.0 - lam) * x[:, None]) / lam - shift)) * weights * limit / lam
        x = y
    return total


@pytest.mark.parametrize(
    ("lam", "L", "shift", "start"),
    [(0.1, 1.8, 0.4, 0.0), (0.3, 2.0, 0.0, 0.2), (0.05, 2.0, 1.0, -0.1), (0.7, 2.0, 0.0, 0.0), (0.2, 2.7, 0.4, -0.75)],
)
def test_exact_limits_equal_the_long_recursion(lam, L, shift, start):
    """No fixed limits and no extrapolation: the same to 2e-8."""
    assert ewma_arl(lam, L, shift, "exact", start) == pytest.approx(_carried(lam, L, shift, start, 1500), rel=2e-8)


def test_published_numbers():
    """Fixed and exact limits with one L; limits for 370.4; robustness to what is not normal (Borror et al. 1999)."""
    assert ewma_arl(0.05, 2.615) == pytest.approx(499.9, abs=0.1)
    assert ewma_arl(0.05, 2.615, limits="exact") == pytest.approx(469.5, abs=0.05)
    assert ewma_arl(0.05, 3.0, 1.0, limits="exact") < ewma_arl(0.05, 3.0, 1.0)
    assert ewma_arl(0.05, 2.492, distribution=stats.expon()) == pytest.approx(370.7, abs=0.05)
    assert ewma_arl(0.05, 2.492, distribution=stats.gamma(0.5)) == pytest.approx(357.5, abs=0.05)
    assert ewma_arl(0.05, 2.492, distribution=stats.t(4)) == pytest.approx(344.3, abs=0.05)
    assert ewma_arl(0.1, 2.703, distribution=stats.expon()) == pytest.approx(273.9, abs=0.05)
    for lam, limit in ((0.05, 2.49015), (0.1, 2.70146), (0.2, 2.85934)):
        assert ewma_limit(lam, 370.4) == pytest.approx(limit, abs=5e-6)
    # Steiner (1999) prints 9.0, 4.5, 2.8, 2.0
    assert [round(ewma_arl(0.05, 3.0, shift, "exact"), 2) for shift in (1, 1.5, 2, 2.5)] == [9.24, 4.63, 2.91, 2.08]


@pytest.mark.parametrize("limits", ["fixed", "exact"])
@pytest.mark.parametrize(("lam", "arl0"), [(0.01, 370.4), (0.1, 1.5), (0.1, 370.4), (0.25, 1e9), (0.9, 20), (1, 370.4), (0.5, 1.001)])
def test_limits_have_the_run_length(lam, arl0, limits):
    """The root is exact to 1e-9."""
    assert ewma_arl(lam, ewma_limit(lam, arl0, limits), limits=limits) == pytest.approx(arl0, rel=1e-9)


def _simulated(chart, exact, sample, runs):
    """Mean run length and its standard error."""
    lam, L, shift = chart
    z, length, t = np.zeros(runs), np.zeros(0), 0
    while len(z):
        t += 1
        z = (1.0 - lam) * z + lam * (sample(len(z)) + shift)
        on = np.abs(z) <= L * asymptotic(lam) * (math.sqrt(1.0 - (1.0 - lam) ** (2 * t)) if exact else 1.0)
        length = np.append(length, np.full((~on).sum(), t))
        z = z[on]
    return length.mean(), length.std() / math.sqrt(runs)


LAWS = {
    "exponential": (stats.expon(), lambda rng, n: rng.exponential(size=n) - 1.0),
    "chi-square of one": (stats.chi2(1), lambda rng, n: (rng.standard_normal(n) ** 2 - 1.0) / math.sqrt(2.0)),
    "uniform": (stats.uniform(), lambda rng, n: (rng.random(n) - 0.5) * math.sqrt(12.0)),
    "triangle": (stats.triang(0.0), lambda rng, n: (1.0 / 3.0 - rng.beta(1, 2, n)) / -math.sqrt(1.0 / 18.0)),
    "mirrored": (stats.weibull_max(1.5), None),
}


@pytest.mark.parametrize("limits", ["fixed", "exact"])
@pytest.mark.parametrize("name", LAWS)
def test_densities_with_edges_as_simulated(name, limits):
    """Within four standard errors."""
    law, sample = LAWS[name]
    rng = np.random.default_rng(3)
    draw = (lambda n: sample(rng, n)) if sample else lambda n: (law.rvs(size=n, random_state=rng) - law.mean()) / law.std()
    for chart in ((0.2, 1.7, 0.3), (0.4, 1.5, 0.0)):
        mean, error = _simulated(chart, limits == "exact", draw, 100_000)
        assert abs(ewma_arl(*chart, limits, distribution=law) - mean) < 4.0 * error


def test_mirror_images():
    """An exponential law and its mirror image, at opposite shifts and head starts, give the same."""

    class Mirror:
        """Minus an exponential point."""

        def pdf(self, x):
            return stats.expon.pdf(-np.asarray(x))

        def cdf(self, x):
            return stats.expon.sf(-np.asarray(x))

        def sf(self, x):
            return stats.expon.cdf(-np.asarray(x))

        def support(self):
            return -math.inf, 0.0

        def mean(self):
            return -1.0

        def std(self):
            return 1.0

    for chart in ((0.1, 2.7, 0.0), (0.1, 2.7, 0.8), (0.3, 2.0, -0.7)):
        one = ewma_arl(*chart, headstart=0.1, distribution=stats.expon())
        other = ewma_arl(chart[0], chart[1], -chart[2], headstart=-0.1, distribution=Mirror())
        assert one == pytest.approx(other, rel=1e-8)


@pytest.mark.parametrize(
    ("chart", "arl"), [((0.3, 3.01, -0.7), 267.34544), ((0.2, 3.01, -0.7), 34.8087497), ((0.02, 2.86, -0.7), 26.24603817)]
)
def test_a_law_that_rises_steeply_but_smoothly(chart, arl):
    """A lognormal law, whose end is no kink but as good as one: as with panels a quarter as wide."""
    assert ewma_arl(chart[0], chart[1], chart[2], distribution=stats.lognorm(1)) == pytest.approx(arl, rel=1e-7)


@pytest.mark.parametrize("law", [stats.expon(), stats.lognorm(1), stats.laplace(), stats.weibull_min(1.5)], ids=lambda law: law.dist.name)
def test_late_steps_of_exact_limits_are_as_good_interpolated(law, monkeypatch):
    """As when each of them is computed."""
    interpolated = ewma_arl(0.1, 2.6, 0.3, "exact", distribution=law)
    monkeypatch.setattr("streamspc.design.ewma_law.Late.of", lambda *_: None)

    assert interpolated == pytest.approx(ewma_arl.__globals__["_arl"].__wrapped__(0.1, 2.6, 0.3, "exact", (0.0, law)), rel=1e-9)


def test_the_steady_state_lies_between():
    """It is what a long wait in control leads to: less than from zero start when in control, by the spread of Z."""
    assert 361.0 < ewma_arl(0.1, 2.7, state="steady") < 362.5 < ewma_arl(0.1, 2.7)
    assert ewma_arl(0.1, 2.7, 0.7, state="steady") == pytest.approx(ewma_arl(0.1, 2.7, -0.7, state="steady"), rel=1e-12)


def test_limits_at_the_edges():
    """A limit of 0 signals at once; a bounded distribution within its limits never; a large shift at once."""
    assert ewma_arl(0.1, 0.0) == ewma_arl(0.1, 3.0, 60.0) == ewma_arl(0.1, 3.0, 60.0, "exact") == 1.0
    assert ewma_arl(0.5, 3.0, distribution=stats.uniform()) == math.inf
    assert ewma_arl(0.1, 60.0) == ewma_arl(0.1, 60.0, limits="exact") == math.inf
    assert ewma_arl(0.1, 8.0) == pytest.approx(8.603e14, rel=1e-3)


def test_kinks_of_densities_are_found():
    """Corners and jumps, and none where there is none."""
    histogram = stats.rv_histogram((np.array([1, 3, 2]), np.array([0.0, 1.0, 2.0, 3.0])))

    assert density_kinks(stats.triang(0.3).pdf, 0.01, 0.99) == pytest.approx([0.3], abs=1e-8)
    assert density_kinks(histogram.pdf, 0.01, 2.99) == pytest.approx([1.0, 2.0], abs=1e-8)
    assert density_kinks(stats.skewnorm(5).pdf, -1.0, 4.0) == []


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: ewma_arl(0.0, 3), "lam is"),
        (lambda: ewma_arl(1.1, 3), "lam is"),
        (lambda: ewma_arl(0.1, -3), "L is"),
        (lambda: ewma_arl(0.1, 3, math.nan), "shift is"),
        (lambda: ewma_arl(0.1, 3, limits="wide"), "limits is"),
        (lambda: ewma_arl(0.1, 3, headstart=5), "beyond its limits"),
        (lambda: ewma_arl(0.1, 3, state="late"), "state is"),
        (lambda: ewma_arl(0.1, 3, distribution="t"), "distribution is"),
        (lambda: ewma_arl(0.1, 3, distribution=stats.poisson(3)), "no density"),
        (lambda: ewma_arl(0.1, 3, distribution=stats.cauchy()), "standardised"),
        (lambda: ewma_arl(0.1, 3, distribution=stats.t), "freeze it"),
        (lambda: ewma_limit(0.1, 1.0), "arl0 is"),
        (lambda: ewma_limit(0.1, 370.4, "wide"), "limits is"),
    ],
)
def test_what_cannot_be_is_refused(call, reason):
    """With a reason."""
    with pytest.raises(ValueError, match=reason):
        call()
