"""Absorbing chains and quadrature, against closed forms."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from streamspc.design.absorbing import Absorbing
from streamspc.design.quadrature import enough, interval, normal_density


def _walk(n, up):
    """A walk on 0 .. n - 1 that goes up with a probability, else down; 0 reflects, n absorbs."""
    steps, leave = np.zeros((n, n)), np.zeros(n)
    for i in range(n):
        steps[i, max(i - 1, 0)] += 1.0 - up
        if i < n - 1:
            steps[i, i + 1] += up
    leave[-1] = up
    return steps, leave


def test_mean_times_keep_their_digits_where_a_general_solver_has_none():
    """A walk that needs 1e29 steps to leave: the mean equals the one in fractions to 1e-13."""
    up = Fraction(1, 1024)
    climb, mean = Fraction(0), Fraction(0)
    for _ in range(10):
        climb = (1 + (1 - up) * climb) / up  # from i to i + 1
        mean += climb
    steps, leave = _walk(10, float(up))

    assert float(mean) > 1e29
    assert Absorbing(steps, leave).mean[0] == pytest.approx(float(mean), rel=1e-13)


def test_the_quasi_stationary_law_is_the_left_eigenvector():
    """It stays as it is after a step, but for the share that left, and the mean from it is one over that share."""
    steps, leave = _walk(12, 0.4)
    chain = Absorbing(steps, leave)
    after = chain.law @ steps

    np.testing.assert_allclose(after / after.sum(), chain.law, rtol=1e-11)
    assert chain.law @ chain.mean == pytest.approx(1.0 / (chain.law @ leave), rel=1e-11)


def test_solutions_from_both_sides():
    """The factors solve systems of rows and of columns, banded or full."""
    rng = np.random.default_rng(1)
    steps = rng.random((30, 30))
    steps[np.abs(np.subtract.outer(np.arange(30), np.arange(30))) > 4] = 0.0
    steps *= 0.97 / steps.sum(axis=1, keepdims=True)
    chain, right = Absorbing(steps, np.full(30, 0.03)), rng.random(30)
    inner = np.eye(30) - steps

    np.testing.assert_allclose(chain.solve(right), np.linalg.solve(inner, right), rtol=1e-12)
    np.testing.assert_allclose(chain.solve_left(right), np.linalg.solve(inner.T, right), rtol=1e-12)


def test_a_chain_that_never_leaves_has_an_infinite_mean():
    """Nothing leaves: infinite, not nan."""
    steps, _ = _walk(4, 0.5)
    steps[-1, -1] = 0.5

    assert np.isinf(Absorbing(steps, np.zeros(4)).mean).all()


def test_the_normal_density_is_integrated_to_the_last_digits():
    """The stated number of nodes suffices for a normal kernel, and too wide an interval is refused."""
    nodes, weights = interval(-30.0, 30.0, enough(60.0))

    assert weights @ normal_density(nodes) == pytest.approx(1.0, abs=1e-13)
    with pytest.raises(ValueError, match="too far"):
        enough(1e9)
    with pytest.raises(ValueError, match="too far"):
        enough(math.inf)
