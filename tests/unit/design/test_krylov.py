"""Equations of many states, against a general solver."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import spsolve

from streamspc.design.krylov import TooLarge, mean_times, rare_mean, solved


def _chain(states, leave, seed):
    steps = np.random.default_rng(seed).random((states, states)) ** 8
    return (1.0 - leave) * steps / steps.sum(axis=1)[:, None]


@pytest.mark.parametrize(("states", "leave"), [(1, 0.5), (2, 1e-3), (40, 0.1), (400, 1e-4)])
def test_solutions_are_those_of_a_general_solver(states, leave):
    """Also for a right side of both signs, and for one that is an eigenvector."""
    steps, right = _chain(states, leave, 1), np.random.default_rng(2).standard_normal(states)
    for side in (right, np.ones(states)):
        expected = np.linalg.solve(np.eye(states) - steps, side)
        np.testing.assert_allclose(solved(lambda m: steps @ m, side), expected, rtol=1e-9 / leave, atol=1e-11 / leave)


def test_what_takes_more_steps_than_one_cycle_is_taken_up_again():
    """A walk of 300 places with two ends: each power reaches one place further, so that a cycle of 120 leaves much."""
    walk = 0.5 * (np.eye(300, k=1) + np.eye(300, k=-1))
    steps = 0.98 * walk + 0.01 * np.eye(300)

    np.testing.assert_allclose(mean_times(lambda m: steps @ m, 300), np.linalg.solve(np.eye(300) - steps, np.ones(300)), rtol=1e-6)


def test_what_is_too_large_is_refused():
    """Averages beyond 1e8, and those that rows with wrong sums would decide."""
    with pytest.raises(TooLarge):
        mean_times(lambda m: (1.0 - 1e-10) * m, 3)
    with pytest.raises(TooLarge):
        mean_times(lambda m: 0.999 * m, 3, noise=1e-8)


def _drifting(states):
    """A walk that drifts so little to its lower end that it takes thousands of steps to forget; it ends beyond the upper one."""
    up, down = 0.499, 0.501
    steps = diags_array([np.full(states - 1, up), np.full(states - 1, down)], offsets=[1, -1], shape=(states, states)).tolil()
    steps[0, 0] = down
    return csr_array(steps), np.append(np.zeros(states - 1), up)


def test_a_chain_that_forgets_slowly_is_solved_all_the_same():
    """Two cycles leave a third of the right side; what they have found then is far from the answer."""
    steps, _ = _drifting(600)
    expected = spsolve(diags_array(np.ones(600)).tocsc() - steps.tocsc(), np.ones(600))

    np.testing.assert_allclose(mean_times(lambda m: steps @ m, 600), expected, rtol=1e-6)


def test_a_rate_is_not_told_before_the_start_is_forgotten():
    """Where it is forgotten soon, the rate is right."""
    with pytest.raises(TooLarge, match="forgets"):
        rare_mean(*_drifting(600))
    quick = csr_array(np.full((4, 4), 0.25 * (1.0 - 1e-12)))
    assert rare_mean(quick, np.full(4, 1e-12)) == pytest.approx(1e12, rel=1e-9)
