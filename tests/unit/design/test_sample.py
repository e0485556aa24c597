"""Every number of the reference sample, each by the function it is for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from streamspc import design

SAMPLE = json.loads((Path(__file__).parents[2] / "reference" / "arl_sample.json").read_text())["cases"]
LIMITS = {"fixed asymptotic": "fixed", "time-varying exact variance": "exact"}
SIGNAL = {"S >= h": ">=", "S > h": ">"}


def _shewhart(p, shift):
    if "nelson_rules" in p:
        return design.shewhart_arl(p["L"], shift, tuple(p["nelson_rules"]), "nelson", p["run_length_rule2"])
    return design.shewhart_arl(p["L"], shift, p["rules"])


def _student(text):
    return stats.t(int(text.partition("df=")[2].split()[0]))


def _ewma(p, shift, distribution=None):
    return design.ewma_arl(p["lambda"], p["L"], shift, LIMITS[p["limits"]], headstart=p.get("headstart", 0), distribution=distribution)


def _overdispersed(p, ratio):
    mean = p["n"] * p["p0"]
    width = 3.0 * np.sqrt(mean * (1.0 - p["p0"]))
    return design.p_chart_arl(p["n"], p["p0"] * ratio, mean - width, mean + width, rho=p["intraclass_rho"])


CALLS = {
    "shewhart": _shewhart,
    "shewhart+rules": _shewhart,
    "shewhart-nonnormal": lambda p, d: design.shewhart_arl(p["L"], d, distribution=_student(p["distribution"])),
    "shewhart-rl-quantile": lambda p, d: design.shewhart_quantile(p["alpha"], p["L"], d),
    "shewhart-ar1": lambda p, d: design.ar1_shewhart_arl(p["phi"], p["L"], p["sigma"].split()[0], d),
    "shewhart-guaranteed": lambda p, d: design.guaranteed_limit(p["m"], p["n"], confidence=float(p["criterion"].split()[-1])),
    "cusum": lambda p, d: design.cusum_arl(p["k"], p["h"], d, p["sided"], p["headstart"]),
    "cusum-design": lambda p, d: design.cusum_limit(p["k"], p["target_arl0"], p["sided"], p["headstart"]),
    "cusum-approximation": lambda p, d: design.cusum_arl(p["k"], p["h"], d, p["sided"]),
    "cusum-variance": lambda p, d: design.cusum_variance_arl(p["k"], p["h"], p["df"], d),
    "ewma": _ewma,
    "ewma-nonnormal": lambda p, d: _ewma(p, d, _student(p["distribution"])),
    "ewma-design": lambda p, d: design.ewma_limit(p["lambda"], p["target_arl0"], LIMITS[p["limits"]]),
    "i-mr combined": lambda p, d: design.imr_arl(p["M"], None if p["R"] == "none" else p["R"], d),
    "mewma": lambda p, d: design.mewma_arl(p["p"], p["lambda"], p["h4"], d),
    "mewma-design": lambda p, d: design.mewma_limit(p["p"], p["lambda"], p["target_arl0"]),
    "t2 known parameters": lambda p, d: design.t2_arl(p["p"], p["ucl"], d),
    "s": lambda p, d: design.s_chart_arl(p["n"], p["B5"], p["B6"], d),
    "c": lambda p, d: design.c_chart_arl(p["c0"] * d, p["lcl"], p["ucl"]),
    "p/np": lambda p, d: design.p_chart_arl(p["n"], p["p0"] * d, p["lcl_count"], p["ucl_count"]),
    "p overdispersed": _overdispersed,
    "poisson-cusum": lambda p, d: design.poisson_cusum_arl(p["mu"], p["k"], p["h"], p["sided"], SIGNAL[p["signal"]]),
    "binomial-cusum": lambda p, d: design.binomial_cusum_arl(p["n"], p["p"], p["k"], p["h"], sided=p["sided"], signal=SIGNAL[p["signal"]]),
    "negbin-cusum": lambda p, d: design.negbin_cusum_arl(p["mean"], p["var"], p["k"], p["h"], sided=p["sided"], signal=SIGNAL[p["signal"]]),
}
COMPUTED = [case for case in SAMPLE if case["chart"] in CALLS]


def _expected(case):
    """The limit where the case is about one, else the average run length; of an approximation the exact value beside it."""
    limit = next((case[name] for name in ("expected_h", "expected_L", "expected_h4") if name in case), None)
    return case.get("exact_arl", case["expected_arl"]) if limit is None else limit


@pytest.mark.parametrize("case", COMPUTED, ids=[case["id"] for case in COMPUTED])
def test_the_function_gives_the_reference_number(case):
    """To 1e-6, or to the digits that the source is trusted for."""
    expected, value = _expected(case), CALLS[case["chart"]](case["parameters"], case["shift"])

    assert isinstance(value, float)
    assert value == pytest.approx(expected, rel=max(1e-6, 10.0 ** -case["digits_trusted"]))


def test_no_case_is_left_out():
    """What has no function of its own, the delay of a self-starting CUSUM, has a test of its own."""
    assert {case["chart"] for case in SAMPLE} - set(CALLS) == {"self-starting cusum"}


def test_a_self_starting_cusum_has_the_delays_of_the_reference():
    """Half of all shifts of one sigma after 50 points are found within 10 points, nine in ten within 30."""
    (case,) = [case for case in SAMPLE if case["chart"] == "self-starting cusum"]
    p, rng = case["parameters"], np.random.default_rng(20)
    tau, runs, length = p["change_after"], 2500, 150
    x = rng.standard_normal((runs, length))
    x[:, tau:] += case["shift"]
    u = np.array([design.self_starting(row) for row in x])
    up = down = np.zeros(runs)
    alarm = np.full(runs, length)
    for t in range(2, length):
        up, down = np.maximum(0.0, up + u[:, t] - p["k"]), np.maximum(0.0, down - u[:, t] - p["k"])
        alarm = np.where((alarm == length) & (np.maximum(up, down) > p["h"]), t, alarm)
    delay = alarm[alarm >= tau] - tau + 1

    assert np.median(delay) == pytest.approx(case["median_delay"], abs=1)
    assert np.quantile(delay, 0.9) == pytest.approx(case["q90_delay"], abs=4)
