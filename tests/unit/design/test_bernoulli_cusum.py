"""Bernoulli CUSUM: against the general chain, single cases, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest

from streamspc.design import bernoulli_cusum_arl, bernoulli_cusum_limit, binomial_cusum_arl


@pytest.mark.parametrize("p", [1e-4, 0.003, 0.01, 0.1, 0.5, 0.97, 1.0])
@pytest.mark.parametrize("m", [2, 3, 7, 50, 333])
def test_the_general_chain_says_the_same(p, m):
    """Samples of one item; limits on the lattice or off it, of part of a stretch or several."""
    for h in (0.1, 0.5, 0.98, 1, 2, 2.5, 3.01, 5, 9.7):
        if m * h < 1500:
            assert bernoulli_cusum_arl(p, m, h) == pytest.approx(binomial_cusum_arl(1, p, 1 / m, h), rel=1e-12)


def test_a_small_chart_worked_out_by_hand():
    """With m = 3 and h = 4/3: the mean items left at 0, 1/3, 2/3 and 1 obey four equations of first steps."""
    p, q = 0.2, 0.8
    equations = [[1 - q, 0, -p, 0], [-q, 1, 0, -p], [0, -q, 1, 0], [0, 0, -q, 1]]

    assert bernoulli_cusum_arl(p, 3, 4 / 3) == pytest.approx(np.linalg.solve(equations, np.ones(4))[0], rel=1e-13)


def test_rare_properties_and_millions_of_states():
    """The average run length in items times p settles as p falls and m grows with 1/p: S is then a Poisson process with drift."""
    numbers = [p * bernoulli_cusum_arl(p, 0.5 / p, 3.5) for p in (1e-3, 1e-4, 1e-5)]

    assert numbers[2] == pytest.approx(numbers[1] + (numbers[1] - numbers[0]) / 10, rel=1e-3)


@pytest.mark.parametrize(("p", "m"), [(0.01, 50), (0.01, 20), (0.3, 2), (1e-5, 5e4), (0.01, 73.5)])
@pytest.mark.parametrize("arl0", [150.0, 1e5])
def test_a_limit_is_the_smallest_of_its_lattice(p, m, arl0):
    """Its average run length is at least the wish, that of a step less is not."""
    h = bernoulli_cusum_limit(p, m, arl0)
    step = 1 / m if m == int(m) else 1 / (2 * m)

    assert bernoulli_cusum_arl(p, m, h) >= arl0
    assert h - step <= 0 or bernoulli_cusum_arl(p, m, h - step) < arl0


def test_ends_of_the_range():
    """No item has the property, each has, one is enough, none is."""
    assert bernoulli_cusum_arl(0, 50, 3) == math.inf
    assert bernoulli_cusum_arl(0.2, 1, 3) == math.inf
    assert bernoulli_cusum_arl(0.2, 50, 0) == 1.0
    assert bernoulli_cusum_arl(0.2, 50, 0.5) == pytest.approx(5.0)
    assert bernoulli_cusum_arl(1, 50, 3) == math.ceil(150 / 49)
    assert bernoulli_cusum_arl(0.3, 2, 500) == math.inf  # 1e368 is no float


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: bernoulli_cusum_arl(-0.1, 50, 3), "p is"),
        (lambda: bernoulli_cusum_arl(0.1, 0.5, 3), "m is"),
        (lambda: bernoulli_cusum_arl(0.1, math.inf, 3), "m is"),
        (lambda: bernoulli_cusum_arl(0.1, 50, -3), "h is"),
        (lambda: bernoulli_cusum_arl(0.1, 50, math.nan), "h is"),
        (lambda: bernoulli_cusum_limit(0.1, 50, 0.5), "arl0"),
        (lambda: bernoulli_cusum_limit(0, 50, 100), "never signal"),
    ],
)
def test_impossible_arguments_are_refused(call, reason):
    """With the argument that is wrong."""
    with pytest.raises(ValueError, match=reason):
        call()
