"""Charts of independent points with a known law: individuals with moving ranges, S, R, T2, and self-starting scores."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, stats

from streamspc import design
from streamspc.design.r_chart import range_above, range_below

QCC = json.loads((Path(__file__).parents[2] / "reference" / "qcc_limits.json").read_text())


def _cells(limit, most, shift, count):
    """Individuals and moving range by the midpoint rule, whose cells are so chosen that every kink is on an edge."""
    edges = np.linspace(-limit, limit, count + 1)
    middle, width = (edges[1:] + edges[:-1]) / 2.0, 2.0 * limit / count
    apart = np.abs(np.subtract.outer(middle, middle))
    share = np.where(np.isclose(apart, most), 0.5, apart < most)  # of a pair of cells whose difference gives no signal
    kernel = stats.norm.pdf(middle - shift) * width * share
    means = np.linalg.solve(np.eye(count) - kernel, np.ones(count))
    return 1.0 + stats.norm.pdf(middle - shift) @ means * width


@pytest.mark.parametrize(("limit", "most", "shift"), [(3.0, 3.6, 0.0), (3.0, 1.5, 0.7), (2.0, 0.5, 1.0), (3.0, 5.7, 2.0)])
def test_individuals_and_moving_ranges_agree_with_a_midpoint_rule(limit, most, shift):
    """Romberg's extrapolation of three midpoint rules, to 1e-6."""
    coarse, middle, fine = (_cells(limit, most, shift, count) for count in (120, 240, 480))
    first, second = (4.0 * middle - coarse) / 3.0, (4.0 * fine - middle) / 3.0

    assert design.imr_arl(limit, most, shift) == pytest.approx((16.0 * second - first) / 15.0, rel=1e-6)


def test_individuals_charts_have_the_ends_they_should():
    """No moving range chart, one that cannot signal, one that always does, and limits that nothing reaches."""
    assert design.imr_arl(3.0, None, 1.0) == pytest.approx(43.89468172, rel=1e-9)
    assert design.imr_arl(3.0, 6.0) == design.imr_arl(3.0, None)
    assert design.imr_arl(3.0, 5.999999) == pytest.approx(design.imr_arl(3.0, None), rel=1e-6)
    assert design.imr_arl(3.0, 1e-6) == pytest.approx(1.0 + math.erf(3.0 / math.sqrt(2.0)), rel=1e-5)
    assert design.imr_arl(3.0, 3.6, -1.2) == design.imr_arl(3.0, 3.6, 1.2)
    assert design.imr_arl(3.0, 3.6, 60.0) == 1.0
    assert design.imr_arl(50.0, 60.0) == math.inf


def test_s_charts_are_chi_square():
    """Both tails; a lower limit of 0 never signals."""
    law = stats.chi2(4)

    assert design.s_chart_arl(5, 0.0, 2.0) == pytest.approx(1.0 / law.sf(16.0), rel=1e-12)
    assert design.s_chart_arl(5, 0.3, 2.0, 1.5) == pytest.approx(1.0 / (law.sf(16.0 / 2.25) + law.cdf(0.36 / 2.25)), rel=1e-12)


def test_no_average_is_below_one():
    """Nor by rounding, where every sample signals."""
    assert design.r_chart_arl(100, 0.0, 2.3, 2.8) == 1.0 <= design.s_chart_arl(50, 1.0, 1.1, 30.0)


def test_ranges_of_two_are_half_normal():
    """R = sqrt(2) |N|, in the far tail and near 0 too."""
    for r in (1e-6, 0.01, 0.5, 3.0, 12.0, 30.0):
        assert range_above(2, r) == pytest.approx(2.0 * stats.norm.sf(r / math.sqrt(2.0)), rel=1e-12)
        assert range_below(2, r) == pytest.approx(math.erf(r / 2.0), rel=1e-11)


@pytest.mark.parametrize("n", [3, 5, 25, 400])
def test_ranges_have_the_law_of_the_largest_less_the_smallest(n):
    """Against adaptive quadrature; the two tails make one."""
    for r in (1.0, 3.5, 6.0):

        def density(x, r=r):
            return n * stats.norm.pdf(x) * (stats.norm.cdf(x + r) - stats.norm.cdf(x)) ** (n - 1)

        whole, _ = integrate.quad(density, -12, 12, epsabs=1e-13, limit=200)

        assert range_below(n, r) == pytest.approx(whole, rel=1e-9, abs=1e-13)
        assert range_below(n, r) + range_above(n, r) == pytest.approx(1.0, abs=1e-13)
    assert design.r_chart_arl(n, 0.2, 6.0, 1.3) == pytest.approx(1.0 / (range_above(n, 6.0 / 1.3) + range_below(n, 0.2 / 1.3)), rel=1e-13)


@pytest.mark.parametrize(
    ("p", "upper", "delta"), [(1, 9.0, 0.0), (1, 9.0, 1.3), (3, 14.0, 0.5), (20, 45.0, 6.0), (5, 90.0, 0.1), (3, 2000.0, 30.0)]
)
def test_t2_is_noncentral_chi_square(p, upper, delta):
    """By the distance, not its square; one metric is a Shewhart chart."""
    law = stats.ncx2(p, delta**2) if delta else stats.chi2(p)

    assert design.t2_arl(p, upper, delta) == pytest.approx(1.0 / law.sf(upper), rel=1e-9)
    if p == 1:
        assert design.t2_arl(p, upper, delta) == pytest.approx(design.shewhart_arl(math.sqrt(upper), delta), rel=1e-12)


def test_self_starting_scores_are_those_of_the_viscosity_data():
    """Hawkins' U as published with the reference limits, whatever the origin and the unit."""
    x, expected = np.array(QCC["self_starting"]["x"]), np.array(QCC["self_starting"]["U"][2:])

    assert len(design.self_starting(x)) == len(x)
    assert np.isnan(design.self_starting(x)[:2]).all()
    np.testing.assert_allclose(design.self_starting(x)[2:], expected, atol=1e-9)
    np.testing.assert_allclose(design.self_starting(1e6 + 3.0 * x)[2:], expected, atol=1e-6)


def test_self_starting_scores_of_few_or_equal_values():
    """Two values have no score; after equal ones a new value is infinitely far, the same one no evidence."""
    assert np.isnan(design.self_starting([1.0, 2.0])).all()
    assert len(design.self_starting([])) == 0
    scores = design.self_starting([5.0, 5.0, 5.0, 7.0, 6.0])

    assert np.isnan(scores[:3]).all()
    assert scores[3] == math.inf
    assert math.isfinite(scores[4])


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: design.imr_arl(0.0, 3.0), "M"), (lambda: design.imr_arl(3.0, -1.0), "R"), (lambda: design.imr_arl(3.0, math.nan), "R"),
        (lambda: design.s_chart_arl(1, 0.0, 2.0), "n"),
        (lambda: design.s_chart_arl(5, 2.0, 2.0), "lower"), (lambda: design.s_chart_arl(5, -0.1, 2.0), "lower"),
        (lambda: design.s_chart_arl(5, 0.0, math.inf), "upper"), (lambda: design.s_chart_arl(5, 0.0, 2.0, 0.0), "ratio"),
        (lambda: design.r_chart_arl(1, 0.0, 2.0), "n"), (lambda: design.r_chart_arl(5, 3.0, 2.0), "lower"),
        (lambda: design.r_chart_arl(5, 0.0, 2.0, -1.0), "ratio"), (lambda: design.t2_arl(0, 9.0), "p"),
        (lambda: design.t2_arl(2, 0.0), "upper"), (lambda: design.t2_arl(2, 9.0, -1.0), "delta"),
        (lambda: design.self_starting([[1.0]]), "x"), (lambda: design.self_starting([1.0, math.nan]), "x"),
        (lambda: design.self_starting(["a", "b"]), "x"),
        (lambda: design.shewhart_quantile(0.0), "alpha"), (lambda: design.shewhart_quantile(1.0), "alpha"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(call, name):
    """With a ValueError that names the argument."""
    with pytest.raises(ValueError, match=f"^{name} "):
        call()
