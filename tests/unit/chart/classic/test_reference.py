"""Charts of counts, individuals, EWMA, CUSUM and vectors, by this package and by R's qcc, qicharts2 and the NIST handbook."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from classics import CHARTS, DATA, METHOD, PISTON, REFERENCE, TABLE, flagged, near, same
from streamspc.chart.classic import attributes, cusum, ewma, hotelling, individuals, laney
from streamspc.chart.classic.constants import d2
from streamspc.chart.classic.subgroups import Subgroups


def trial(name, key):
    """Counts of the trial samples, of all, and of the trial alone."""
    data = DATA[name]
    x = np.array(data[key], float)
    return x[: data["trial"]], x


@pytest.mark.parametrize(
    ("name", "data", "kind", "dropped"),
    [
        ("oj.p", "orangejuice", "p", []),
        ("oj.np", "orangejuice", "np", []),
        ("oj.p.no15_23", "orangejuice", "p", [14, 22]),
        ("oj.np.conf9973", "orangejuice", "binomial", []),
        ("oj2.p", "orangejuice2", "p", []),
        ("circuit.c", "circuit", "c", []),
        ("circuit.c.no6_20", "circuit", "c", [5, 19]),
        ("circuit.u", "circuit", "u", []),
        ("circuit.c.conf9973", "circuit", "poisson", []),
    ],
)
def test_attributes(name, data, kind, dropped):
    """p, np, c and u charts of trial samples, with new ones, and with causes left out."""
    chart = CHARTS[name]
    first, x = trial(data, "x" if data == "circuit" else "D")
    first, x = np.delete(first, dropped), np.delete(x, dropped)
    n = DATA[data]["size"]
    share, mean = attributes.rate(first, np.full(len(first), float(n))), attributes.rate(first)
    limits, points = {
        "p": (attributes.p(share, n), x / n),
        "np": (attributes.np_(share, n), x),
        "binomial": (attributes.binomial(share, n, 0.9973), first),
        "c": (attributes.c(mean), x),
        "u": (attributes.u(share, n), x / n),
        "poisson": (attributes.poisson(mean, 0.9973), first),
    }[kind]
    same(limits, chart, points)


@pytest.mark.parametrize("name", ["dyedcloth", "pcmanufact"])
def test_events_per_unit(name):
    """U charts of areas that differ, also by fractions."""
    x, n = np.array(DATA[name]["x"], float), np.array(DATA[name]["size"], float)
    same(attributes.u(attributes.rate(x, n), n), CHARTS[f"{name}.u"], x / n)


@pytest.mark.parametrize(
    ("name", "data", "method", "span"),
    [
        ("visc.one.mr2", "viscosity", "moving_range", 2),
        ("visc.one.sd", "viscosity", "sd", 2),
        ("visc.one.mr3", "viscosity", "moving_range", 3),
        ("antifreeze.one", "antifreeze", "moving_range", 2),
    ],
)
def test_individuals(name, data, method, span):
    """Individuals from moving ranges of two and three, and from the standard deviation."""
    x = np.array(DATA[data]["x"])
    first, chart = x[: DATA[data].get("trial")], CHARTS[name]
    sigma = individuals.sigma(first, method, span)
    rounded = d2(span) / TABLE[span] if method == "moving_range" else 1.0

    assert sigma == near(chart.get("std_dev_with_exact_d2", chart["std_dev"][0]))
    same(individuals.individuals(first.mean(), sigma * rounded), chart, x)


@pytest.mark.parametrize("name", ["piston.ewma.l02", "piston.ewma.l01_27", "visc.ewma.l02", "antifreeze.ewma"])
def test_ewma(name):
    """Statistic and exact limits; eight digits were printed."""
    chart = CHARTS[name]
    x, first, sigma = started(chart)
    told = ewma.statistic(x, first, chart["lambda"])
    limits = ewma.limits(first, ewma.exact(x, sigma, chart["lambda"]), chart["nsigmas"])

    assert told == near(chart["ewma"], scale=6e-8)
    assert limits.lower == near(chart["lcl"], scale=6e-8)
    assert limits.upper == near(chart["ucl"], scale=6e-8)
    assert flagged(limits, told) == chart["violations" if "violations" in chart else "beyond_limits"]


def started(chart):
    """Values of a chart with their centre and qcc's rounded sigma."""
    if chart["id"].startswith("piston"):
        groups = Subgroups.of(PISTON)
        first = Subgroups.of(PISTON[:25])
        sigma = first.sigma("mean_range") * d2(5) / TABLE[5]
        assert sigma == near(chart["std_dev"][0])
        return groups.mean, first.centre(), sigma / np.sqrt(5)
    data = DATA[{"visc": "viscosity", "antifreeze": "antifreeze"}[chart["id"].split(".")[0]]]
    x = np.array(data["x"])
    learnt = x[: data.get("trial")]
    sigma = individuals.sigma(learnt) * d2(2) / TABLE[2]
    assert sigma == near(chart["std_dev"][0])
    return x, learnt.mean(), sigma


@pytest.mark.parametrize("name", ["piston.cusum.k05h5", "piston.cusum.k05h4fir2", "visc.cusum"])
def test_cusum(name):
    """Both sides, with and without a head start, not restarted."""
    chart = CHARTS[name]
    x, centre, sigma = started(chart)
    upper, lower = cusum.two_sided((x - centre) / sigma, chart["k"], chart["head_start"])

    assert upper == near(chart["pos"], 5e-9)
    assert -lower == near(chart["neg_reported_negative"], 5e-9, 1e-9)
    assert (np.flatnonzero(upper > chart["h"]) + 1).tolist() == chart["violations_upper"]
    assert (np.flatnonzero(lower > chart["h"]) + 1).tolist() == chart["violations_lower"]


def test_the_cusum_of_scores_that_start_themselves():
    """The same recursion on scores, whose first two are missing."""
    told = REFERENCE["self_starting"]
    upper, lower = cusum.two_sided(np.array([np.nan if u is None else u for u in told["U"]]), told["cusum_k"])

    assert upper == near(told["pos"], scale=6e-9 * len(upper))
    assert lower == near(told["neg"], scale=6e-9 * len(lower))


@pytest.mark.parametrize("kind", ["p", "u"])
def test_laney(kind):
    """P' and u' with both ways of screening, after rounding d2 as qicharts2 does; and the plain p and u beside them."""
    told = REFERENCE["laney"]
    n, x = np.array(told["n"], float), np.array(told[f"x_{kind}"], float)
    stats = told[f"{kind}_stats"]
    found = laney.dispersion(x, n, shares=kind == "p")
    assert (found.moving_range, found.sd, found.pearson) == (
        near(stats["sigma_z_exact_d2"]),
        near(stats["sd_z"]),
        near(stats["pearson_phi"]),
    )
    assert found.moving_range * d2(2) / TABLE[2] == near(stats["sigma_z"])
    screened = laney.dispersion(x, n, shares=kind == "p", screened=True)
    assert screened.moving_range * d2(2) / TABLE[2] == near(stats["sigma_z_screened"])
    of = {"p": laney.p, "u": laney.u}[kind]
    width = 3.0 * float(d2(2)) / TABLE[2]
    plain = {"p": attributes.p, "u": attributes.u}[kind](attributes.rate(x, n), n)
    cases = {kind: plain, f"{kind}p": of(x, n, width), f"{kind}p_screened": of(x, n, width, screened=True)}
    names = {"p": ("p", "pp", "pp_screened"), "u": ("u", "up", "up_screened")}[kind]
    for name, limits in zip(names, cases.values(), strict=True):
        chart = told["charts"][name]
        assert np.broadcast_to(limits.centre, n.shape) == near(np.full(n.shape, chart["center"]))
        assert limits.upper == near(chart["ucl"], scale=6e-10)
        assert limits.lower == near(chart["lcl"], scale=6e-10)
        assert flagged(limits, x / n) == chart["beyond_limits"]


@pytest.mark.parametrize("name", ["boiler.T2single.999", "boiler.T2single.default", "boiler.T2single.newdata"])
def test_vectors(name):
    """T2 of individuals: Phase I judges the vectors it learnt from, Phase II the new ones, never the other way round."""
    chart = CHARTS[name]
    x = np.array(DATA["boiler"]["values"], float)
    m = chart["n_groups"]
    estimate = hotelling.individuals(x[:m])
    told = hotelling.t2(x, estimate)
    first = hotelling.phase_one_limit(8, m, confidence=chart["confidence_level"])
    second = hotelling.phase_two_limit(8, m, confidence=chart["confidence_level"])

    assert estimate.centre == near(chart["center"])
    assert estimate.covariance == near(chart["cov"], scale=1e-10)
    assert told == near(chart["T2"])
    assert (first, second) == (near(chart["ucl_phase1"], 2e-9), near(chart["upl_phase2"], 2e-9))
    assert (np.flatnonzero(told[:m] > first) + 1).tolist() == chart["beyond_phase1_ucl_trial_points"]
    assert (np.flatnonzero(told[m:] > second) + m + 1).tolist() == chart["beyond_phase2_upl_new_points"]


@pytest.mark.parametrize("name", ["ryan.T2", "ryan.T2.999"])
def test_vectors_of_subgroups(name):
    """T2 of means of four: F limits of both phases."""
    chart = CHARTS[name]
    x = np.stack([np.array(DATA["RyanMultivar"][key], float) for key in ("X1", "X2")], axis=-1)
    estimate = hotelling.subgroups(x)
    told = hotelling.t2(x.mean(axis=1), estimate, 4)
    limits = [of(2, 20, 4, chart["confidence_level"]) for of in (hotelling.phase_one_limit, hotelling.phase_two_limit)]

    assert (estimate.centre, estimate.covariance) == (near(chart["center"]), near(chart["cov"]))
    assert told == near(chart["T2"])
    assert limits == [near(chart["ucl_phase1"], 2e-9), near(chart["upl_phase2"], 2e-9)]
    assert (np.flatnonzero(told > limits[0]) + 1).tolist() == chart["beyond_limits"]


def test_the_handbook():
    """Individuals, EWMA and CUSUM of the NIST handbook."""
    told = REFERENCE["nist_examples"]
    one, average, total = (told[f"nist_{name}"] for name in ("individuals", "ewma", "cusum"))
    x = np.array(one["data"])
    limits = individuals.individuals(x.mean(), individuals.sigma(x) * d2(2) / TABLE[2])
    assert np.nanmean(individuals.moving_ranges(x)) == near(one["mr_bar"])
    assert (limits.centre, limits.upper, limits.lower) == (near(one["center"]), near(one["ucl"]), near(one["lcl"]))

    x = np.array(average["data"])
    found = ewma.statistic(x, average["ewma0"], average["lam"])
    limits = ewma.limits(average["ewma0"], ewma.fixed(average["s"], average["lam"]), 3.0)
    assert found == near(average["ewma"][1:], scale=6e-7)
    assert (limits.lower[0], limits.upper[0]) == (near(average["lcl"]), near(average["ucl"]))
    assert flagged(limits, found) == average["violations"]

    x = np.array(total["data"])
    sides = cusum.two_sided(x - total["target"], total["k"])
    assert sides == near([total["s_hi"], total["s_lo"]], scale=1e-9)
    assert (np.flatnonzero((sides > total["h"]).any(axis=0)) + 1)[0] == total["first_signal"]


def test_every_chart_of_the_reference_is_covered():
    """A chart that is added to the reference must get a test here."""
    text = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    covered = {name for name in CHARTS if f'"{name}"' in text}
    covered |= {f"piston.xbar.{method}" for method in METHOD} | {"dyedcloth.u", "pcmanufact.u"}

    assert set(CHARTS) == covered
