"""Charts of subgroups: piston rings, by this package and by R's qcc."""

from __future__ import annotations

import numpy as np
import pytest

from classics import CHARTS, DATA, EXACT, METHOD, PISTON, REFERENCE, ROUNDED, TABLE, flagged, near, same
from streamspc.chart.classic.constants import d2, d3
from streamspc.chart.classic.limits import normal_width
from streamspc.chart.classic.subgroups import Subgroups, probability_r, probability_s, r, s, xbar


def unequal():
    """Piston rings without six observations."""
    flat = PISTON.ravel().copy()
    flat[np.array(DATA["pistonrings_unequal"]["dropped_1based"]) - 1] = np.nan
    return flat.reshape(PISTON.shape)


@pytest.mark.parametrize(
    "name", [f"piston.xbar.{method}" for method in METHOD] + ["piston.unequal.xbar.mvlue_sd", "piston.unequal.xbar.rmsdf"]
)
def test_means_of_subgroups(name):
    """Xbar from five estimates of sigma, equal and unequal n; with exact d2 where qcc rounds."""
    chart, method = CHARTS[name], METHOD[name.split(".")[-1]]
    values = unequal() if "unequal" in name else PISTON
    groups, first = Subgroups.of(values), Subgroups.of(values[:25])
    sigma, centre = first.sigma(method), first.centre()
    rounded = d2(5) / TABLE[5] if method.endswith("range") else 1.0

    assert sigma == near(chart.get("std_dev_with_exact_d2", chart["std_dev"][0]))
    assert sigma == near(chart["std_dev"][0], ROUNDED)
    same(xbar(centre, sigma * rounded, groups.n), chart, groups.mean)
    if "ucl_with_exact_d2" in chart:
        limits = xbar(centre, sigma, 5)
        assert (limits.lower, limits.upper) == (near(chart["lcl_with_exact_d2"]), near(chart["ucl_with_exact_d2"]))


def test_means_of_unequal_subgroups_from_ranges():
    """Each range is divided by the d2 of its own n; exact and rounded constants both give what they gave."""
    chart, groups, first = CHARTS["piston.unequal.xbar.uwave_r"], Subgroups.of(unequal()), Subgroups.of(unequal()[:25])
    rounded = np.mean([width / TABLE[n] for width, n in zip(first.range, first.n, strict=True)])

    assert first.sigma("mean_range") == near(chart["std_dev"][0], ROUNDED)
    assert first.sigma("mean_range") == near(CHARTS["piston.unequal.R"]["std_dev_with_exact_d2"])
    same(xbar(first.centre(), rounded, groups.n), chart, groups.mean)


def test_probability_limits_of_means():
    """99 % limits have the normal quantile for width."""
    chart, groups = CHARTS["piston.xbar.conf99"], Subgroups.of(PISTON)
    first = Subgroups.of(PISTON[:25])
    sigma = first.sigma("mean_range") * d2(5) / TABLE[5]
    same(xbar(first.centre(), sigma, 5, normal_width(0.99)), chart, groups.mean)


def test_ranges_and_standard_deviations():
    """R and S charts with limits of 3 sigma, not below 0."""
    groups = Subgroups.of(PISTON)
    first = Subgroups.of(PISTON[:25])
    of_ranges, of_sds = CHARTS["piston.R"], CHARTS["piston.S"]
    sigma = first.sigma("mean_range")
    limits = r(sigma, 5)

    assert limits.centre == near(0.02276)
    assert limits.lower == 0.0
    assert limits.upper == near(of_ranges["ucl_with_exact_d2_d3"])
    same(limits, of_ranges, groups.range, ROUNDED)
    width = 3.0 * REFERENCE["qcc_constant_tables"]["d3"][4] / d3(5)
    same(r(sigma * d2(5) / TABLE[5], 5, width, 0.02276), of_ranges, groups.range)
    same(s(first.sigma("mean_sd"), 5), of_sds, groups.sd)
    assert first.sigma("mean_sd") == near(of_sds["std_dev"][0])


def test_ranges_and_standard_deviations_with_unequal_n():
    """With qcc's centre line, which does not follow n, its limits; without it the centre follows n."""
    groups, first = Subgroups.of(unequal()), Subgroups.of(unequal()[:25])
    for of, name, points, method in ((r, "piston.unequal.R", groups.range, "mean_range"), (s, "piston.unequal.S", groups.sd, "mean_sd")):
        chart, sigma = CHARTS[name], first.sigma(method)
        flat = (points[:25] * first.n).sum() / first.n.sum()
        exact = name.endswith("S")
        same(of(sigma, groups.n, 3.0, flat), chart, points, EXACT if exact else ROUNDED)
        own = of(sigma, groups.n).centre
        assert own[0] < own[1]
        assert groups.n[:2].tolist() == [3, 5]
    assert first.sigma("mean_sd") == near(CHARTS["piston.unequal.S"]["std_dev"][0])


def test_probability_limits_of_ranges_and_standard_deviations():
    """Equal tails from the law of the range and from chi-square."""
    groups = Subgroups.of(PISTON[:25])
    sigma = groups.sigma("mean_range") * d2(5) / TABLE[5]
    of_ranges, of_sds = CHARTS["piston.R.conf9973"], CHARTS["piston.S.conf9973"]
    limits = probability_r(sigma, 5, 0.9973)

    assert (limits.lower, limits.upper) == (
        near(of_ranges["lcl"][0], 2e-7),
        near(of_ranges["ucl"][0]),
    )  # R searches the lower quantile to 1e-7
    assert flagged(limits, groups.range) == of_ranges["beyond_limits"]
    same(probability_s(groups.sigma("mean_sd"), 5, 0.9973), of_sds, groups.sd)


def test_the_tables_of_qcc_are_near_the_exact_constants():
    """Three digits of d2, six or seven of d3; the last digit of each is right."""
    table = REFERENCE["qcc_constant_tables"]
    n = np.arange(2, len(table["d2"]) + 1)
    assert np.abs(d2(n) - table["d2"][1:]).max() < 6e-4
    n = np.arange(2, len(table["d3"]) + 1)
    assert np.abs(d3(n) - table["d3"][1:]).max() < 2e-5
