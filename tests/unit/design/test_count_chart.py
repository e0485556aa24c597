"""Shewhart charts of counts: sample, limits on and between whole numbers, limits for a wish, refusals."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from streamspc.design import c_chart_arl, c_chart_limit, p_chart_arl, p_chart_limit

SAMPLE = {case["id"]: case for case in json.loads((Path(__file__).parents[2] / "reference" / "arl_sample.json").read_text())["cases"]}


@pytest.mark.parametrize("case", [case for case in SAMPLE.values() if case["chart"] == "c"], ids=lambda case: case["id"])
def test_the_sample_of_c_charts(case):
    """The shift is a ratio to the mean in control."""
    wanted = case["parameters"]

    assert c_chart_arl(wanted["c0"] * case["shift"], wanted["lcl"], wanted["ucl"]) == pytest.approx(case["expected_arl"], rel=1e-9)


@pytest.mark.parametrize("case", [case for case in SAMPLE.values() if case["chart"] == "p/np"], ids=lambda case: case["id"])
def test_the_sample_of_p_charts(case):
    """Limits in counts, between whole numbers."""
    wanted = case["parameters"]
    found = p_chart_arl(1000, wanted["p0"] * case["shift"], wanted["lcl_count"], wanted["ucl_count"])

    assert found == pytest.approx(case["expected_arl"], rel=1e-9)


@pytest.mark.parametrize("case", [case for case in SAMPLE.values() if case["chart"] == "p overdispersed"], ids=lambda case: case["id"])
def test_the_sample_of_overdispersed_p_charts(case):
    """A million items with the limits of a binomial law, and with those of their true variance."""
    wanted = case["parameters"]
    n, p, rho = wanted["n"], wanted["p0"], wanted["intraclass_rho"]
    for factor, expected in ((1.0, case["expected_arl"]), (wanted["true_sigma_z"], case["arl_with_laney_limits_known_sigma_z"])):
        half = 3 * factor * math.sqrt(n * p * (1 - p))

        assert p_chart_arl(n, p, n * p - half, n * p + half, rho=rho) == pytest.approx(expected, rel=1e-6)


def test_a_count_on_a_limit_does_not_signal():
    """Nor when rounding has moved the limit a little to its inside."""
    law = stats.poisson(4)
    for upper in (10, 4 + 3 * math.sqrt(4), np.nextafter(10, 0), 10.9):
        assert c_chart_arl(4, 0, upper) == pytest.approx(1 / law.sf(10), rel=1e-12)
    for lower in (1, np.nextafter(1, 2), 0.1):
        assert c_chart_arl(4, lower, 10) == pytest.approx(1 / (law.sf(10) + law.cdf(0)), rel=1e-12)
    for lower in (0, -2.5):
        assert c_chart_arl(4, lower, 10) == pytest.approx(1 / law.sf(10), rel=1e-12)


def test_ends_of_the_range():
    """Charts that cannot signal, that always do, and items that all share one fate."""
    assert c_chart_arl(0, 0, 5) == math.inf
    assert c_chart_arl(0, 0.5, 5) == 1.0
    assert p_chart_arl(10, 0.3, 0, 10) == math.inf
    assert p_chart_arl(10, 1, 0, 9) == 1.0
    assert p_chart_arl(10, 0.25, 0, 5, rho=1) == 4.0
    assert p_chart_arl(1, 0.25, 0, 0.5, rho=0.3) == pytest.approx(4.0)


@pytest.mark.parametrize("balance", ["tails", "unbiased"])
@pytest.mark.parametrize("arl0", [20.0, 370.4, 1e5])
@pytest.mark.parametrize("mean", [0.1, 0.5, 1, 3.3, 16, 200, 1e4, 1e6])
def test_no_limit_of_a_c_chart_could_be_narrower(mean, arl0, balance):
    """Each pair keeps to the wish, and neither side has a count to give."""
    lower, upper = c_chart_limit(mean, arl0, balance=balance)

    assert c_chart_arl(mean, lower, upper) >= arl0
    assert c_chart_arl(mean, lower + 1, max(upper, lower + 1)) < arl0
    assert upper in {0, lower} or c_chart_arl(mean, lower, upper - 1) < arl0


@pytest.mark.parametrize("balance", ["tails", "unbiased"])
@pytest.mark.parametrize("rho", [0.0, 1e-4, 0.01, 0.3])
@pytest.mark.parametrize(("n", "p"), [(50, 0.02), (1000, 0.5), (1000, 0.001), (100_000, 0.02), (100_000, 0.98)])
def test_no_limit_of_a_p_chart_could_be_narrower(n, p, rho, balance):
    """With and without overdispersion."""
    lower, upper = p_chart_limit(n, p, 370.4, rho=rho, balance=balance)

    assert p_chart_arl(n, p, lower, upper, rho=rho) >= 370.4
    assert p_chart_arl(n, p, lower + 1, max(upper, lower + 1), rho=rho) < 370.4
    assert upper in {0, lower} or p_chart_arl(n, p, lower, upper - 1, rho=rho) < 370.4


@pytest.mark.parametrize("mean", [20.0, 200.0, 1e4])
def test_unbiased_limits_signal_latest_in_control(mean):
    """The largest average run length is nearer to the mean in control than with equal tails, as near as whole numbers can."""
    ratios = np.exp(np.linspace(-1.0, 1.0, 401) / math.sqrt(mean))

    def off(balance):
        limits = c_chart_limit(mean, 370.4, balance=balance)
        return abs(math.log(ratios[np.argmax([c_chart_arl(mean * ratio, *limits) for ratio in ratios])]))

    assert off("unbiased") <= min(off("tails"), 1.5 / mean) + 1e-12


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: c_chart_arl(-1, 0, 5), "mean"),
        (lambda: c_chart_arl(1, math.nan, 5), "lower"),
        (lambda: c_chart_arl(1, 0, math.inf), "upper"),
        (lambda: c_chart_arl(1, -3, -1), "upper"),
        (lambda: c_chart_arl(1, 6, 5), "lower must not be above upper"),
        (lambda: p_chart_arl(0, 0.1, 0, 5), "n is"),
        (lambda: p_chart_arl(10, 1.1, 0, 5), "p is"),
        (lambda: p_chart_arl(10, 0.1, 0, 5, rho=-0.1), "rho is"),
        (lambda: p_chart_arl(10, 0.1, 0, 5, rho=1.1), "rho is"),
        (lambda: c_chart_limit(0, 370), "mean is"),
        (lambda: c_chart_limit(1, 0.5), "arl0"),
        (lambda: c_chart_limit(1, 370, balance="even"), "balance"),
        (lambda: p_chart_limit(10, 1, 370), "do not vary"),
    ],
)
def test_impossible_arguments_are_refused(call, reason):
    """With the argument that is wrong."""
    with pytest.raises(ValueError, match=reason):
        call()
