"""CUSUMs of counts: published numbers, a plain chain, a simulation, limits, refusals."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from streamspc.design import (
    binomial_cusum_arl,
    binomial_cusum_limit,
    count_cusum,
    negbin_cusum_arl,
    negbin_cusum_limit,
    poisson_cusum_arl,
    poisson_cusum_limit,
    toeplitz,
)
from streamspc.design.counts import Binomial, NegativeBinomial, Poisson
from streamspc.design.walk import Walk, rational

SAMPLE = json.loads((Path(__file__).parents[2] / "reference" / "arl_sample.json").read_text())["cases"]
CASES = [case for case in SAMPLE if case["chart"] in {"poisson-cusum", "binomial-cusum", "negbin-cusum"}]


def of_sample(case, signal):
    """Our number for a case of the sample."""
    wanted = case["parameters"]
    match case["chart"]:
        case "poisson-cusum":
            return poisson_cusum_arl(wanted["mu"], wanted["k"], wanted["h"], signal=signal)
        case "binomial-cusum":
            return binomial_cusum_arl(wanted["n"], wanted["p"], wanted["k"], wanted["h"], signal=signal)
        case _:
            return negbin_cusum_arl(wanted["mean"], wanted["var"], wanted["k"], wanted["h"], signal=signal)


def chain(pmf, k, h, sided, signal):
    """Average run length by Brook and Evans, in the plainest way: states in fractions, found by walking, and one dense solution."""
    k, h = Fraction(k), Fraction(h)
    counts = [x for x in range(2000) if pmf(x) > 1e-17 or x < 3]
    sign = 1 if sided == "upper" else -1
    states, todo = {Fraction(0): 0}, [Fraction(0)]
    moves = []
    while todo:
        s = todo.pop()
        for x in counts:
            after = max(Fraction(0), s + sign * (x - k))
            if after >= h if signal == ">=" else after > h:
                continue
            if after not in states:
                states[after] = len(states)
                todo.append(after)
            moves.append((states[s], states[after], pmf(x)))
    matrix = np.eye(len(states))
    for a, b, p in moves:
        matrix[a, b] -= p
    return np.linalg.solve(matrix, np.ones(len(states)))[0]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_the_sample_of_published_numbers(case):
    """Hawkins and Olwell's own program, both ways to signal."""
    assert of_sample(case, ">=") == pytest.approx(case["expected_arl"], rel=1e-9)
    assert of_sample(case, ">") == pytest.approx(case["arl_if_signal_is_S_gt_h"], rel=1e-7)


@pytest.mark.parametrize("signal", [">=", ">"])
@pytest.mark.parametrize("sided", ["upper", "lower"])
@pytest.mark.parametrize(("k", "h"), [(2.5, 5), (2.5, 0.5), (1.75, 4.1), (3, 7), (0.4, 3), (2, 12.5)])
def test_a_plain_chain_says_the_same(k, h, sided, signal):
    """For each law, limits on the lattice or off it."""
    pmfs: dict[Any, Any] = {
        poisson_cusum_arl: ((2.0,), stats.poisson(2.0)),
        binomial_cusum_arl: ((20, 0.1), stats.binom(20, 0.1)),
        negbin_cusum_arl: ((2.0, 3.5), stats.nbinom(4 / 1.5, 2 / 3.5)),
    }
    for arl, (law, reference) in pmfs.items():
        table = reference.pmf(np.arange(2000))
        plain = chain(lambda x, table=table: table[x], str(k), str(h), sided, signal)
        if plain < 1e7:  # beyond, the plain way has no digits left
            assert arl(*law, k, h, sided=sided, signal=signal) == pytest.approx(plain, rel=1e-8)


def test_a_reference_value_that_is_no_fraction_is_as_good():
    """The k of the likelihood ratio for a mean of 2 against 3, and its neighbours of six decimals."""
    k = 1 / math.log(1.5)
    for h in (5.0, 20.0):
        between = sorted(poisson_cusum_arl(2, round(k, 6) + nudge, h) for nudge in (-1e-6, 1e-6))

        assert between[0] * (1 - 1e-9) <= poisson_cusum_arl(2, k, h) <= between[1] * (1 + 1e-9)


def test_two_sides_signal_as_a_simulation_says():
    """Their rates add."""
    rng = np.random.default_rng(20)
    runs = 20_000
    x_upper, x_lower, lengths = np.zeros(runs), np.zeros(runs), np.zeros(runs)
    alive = np.ones(runs, bool)
    while alive.any():
        step = rng.poisson(2.0, runs) - 2.25
        x_upper, x_lower = np.maximum(x_upper + step, 0), np.maximum(x_lower - step, 0)
        lengths += alive
        alive &= (x_upper < 6) & (x_lower < 6)
    error = lengths.std() / runs**0.5

    assert poisson_cusum_arl(2, 2.25, 6, sided="two") == pytest.approx(lengths.mean(), abs=4 * error)


@pytest.mark.parametrize("signal", [">=", ">"])
@pytest.mark.parametrize("sided", ["upper", "lower", "two"])
@pytest.mark.parametrize("k", [2.25, 2.0, 1.9, 2.303])
@pytest.mark.parametrize("arl0", [3.0, 370.4])
def test_a_limit_is_the_smallest_of_its_lattice(k, arl0, sided, signal):
    """Its average run length is at least the wish, that of one step less is not."""
    step = 1 / Fraction(str(k)).denominator
    cases: list[Any] = [
        (poisson_cusum_arl, poisson_cusum_limit, (2,)),
        (binomial_cusum_arl, binomial_cusum_limit, (40, 0.05)),
        (negbin_cusum_arl, negbin_cusum_limit, (2, 3)),
    ]
    for arl, limit, law in cases:
        h = limit(*law, k, arl0, sided=sided, signal=signal)

        assert arl(*law, k, h, sided=sided, signal=signal) >= arl0
        assert h - step < 0 or arl(*law, k, h - step, sided=sided, signal=signal) < arl0


def test_a_limit_where_the_lattice_is_all_but_continuous():
    """Met closely from above, as smallest as a float can tell."""
    k = 1 / math.log(1.5)
    h = poisson_cusum_limit(2, k, 500)

    assert poisson_cusum_arl(2, k, h) >= 500 > poisson_cusum_arl(2, k, h * (1 - 2e-10))


def test_ends_of_the_range():
    """Limits of nothing, counts of nothing, counts that are certain, signals that cannot come."""
    assert poisson_cusum_arl(2, 2.5, 0) == 1.0
    assert poisson_cusum_arl(2, 2.5, 0, sided="two") == 1.0
    assert poisson_cusum_arl(2, 2, 0, signal=">") == pytest.approx(1 / stats.poisson(2).sf(2))
    assert poisson_cusum_arl(0, 0.5, 5) == math.inf
    assert poisson_cusum_arl(0, 0.5, 5, sided="lower") == 10
    assert poisson_cusum_arl(0, 0.5, 5, sided="two") == 10
    assert binomial_cusum_arl(10, 1, 7.5, 5) == 2
    assert binomial_cusum_arl(10, 0.5, 10, 5) == math.inf
    assert negbin_cusum_arl(2, 2, 2.5, 5) == poisson_cusum_arl(2, 2.5, 5)


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: poisson_cusum_arl(-1, 2.5, 5), "mean"),
        (lambda: poisson_cusum_arl(math.nan, 2.5, 5), "mean"),
        (lambda: poisson_cusum_arl(2, -2.5, 5), "k is"),
        (lambda: poisson_cusum_arl(2, 2.5, -5), "h is"),
        (lambda: poisson_cusum_arl(2, 2.5, math.inf), "h is"),
        (lambda: poisson_cusum_arl(2.5, 2.5, 1e9), "h is"),
        (lambda: poisson_cusum_arl(2, 2.5, 5, sided="both"), "sided"),
        (lambda: poisson_cusum_arl(2, 2.5, 5, signal="=>"), "signal"),
        (lambda: poisson_cusum_limit(2, 2.5, 1), "arl0"),
        (lambda: poisson_cusum_limit(0, 2.5, 100), "never signal"),
        (lambda: binomial_cusum_arl(0, 0.1, 1, 2), "n is"),
        (lambda: binomial_cusum_arl(2.5, 0.1, 1, 2), "n is"),  # type: ignore[arg-type]
        (lambda: binomial_cusum_arl(5, 1.1, 1, 2), "p is"),
        (lambda: negbin_cusum_arl(2, 1.9, 2.5, 5), "never below its mean"),
        (lambda: negbin_cusum_arl(0, 1.9, 2.5, 5), "mean"),
    ],
)
def test_impossible_arguments_are_refused(call, reason):
    """With the argument that is wrong."""
    with pytest.raises(ValueError, match=reason):
        call()


@pytest.mark.parametrize(
    ("law", "k", "h", "upper"),
    [
        (Poisson(14.0), 15.0, 900, False), (Poisson(0.1), 5.3, 700, False), (Binomial(50, 0.1), 6.0, 600, False),
        (NegativeBinomial(10.0, 60.0), 4.5, 1500, True), (Poisson(14.0), 13.25, 900, True),
    ],
)  # fmt: skip
def test_a_walk_that_rises_needs_a_point_for_each_drift_of_height(law, k, h, upper):
    """As the equations of all states say; a side that rises must not make the other one wait."""
    walk = Walk(law, rational(k), upper)
    states = h * walk.k.denominator

    assert count_cusum._side(walk, states) == pytest.approx(toeplitz.arl(walk, states), rel=1e-10)


def test_a_wish_that_only_a_side_that_rises_could_meet():
    """One k for both sides, above the mean: the lower side rises by 1 a point, to a limit that is the wish."""
    limit = poisson_cusum_limit(14, 15, 2e3, sided="two")

    assert limit == pytest.approx(2e3, rel=0.1)
    assert poisson_cusum_arl(14, 15, limit, sided="two") >= 2e3 > poisson_cusum_arl(14, 15, limit - 1, sided="two")


def test_a_walk_that_all_but_stands_is_no_walk_that_rises():
    """Its way to a signal is short, though its drift would never get there; a true rise of half a million points is refused."""
    assert binomial_cusum_arl(20, 0.25001, 5.0, 12) == pytest.approx(binomial_cusum_arl(20, 0.24999, 5.0, 12), rel=1e-2)
    with pytest.raises(ValueError, match="rises"):
        poisson_cusum_arl(10.001, 9.999, 1100)
