"""Charts of AR(1) series: against independent points, against each other, and against simulation."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from scipy.sparse import csr_array, eye_array, hstack
from scipy.sparse.linalg import spsolve

from streamspc import design
from streamspc.design import ar1_cusum
from streamspc.design.ar1_cusum_side import Side

PHIS = [-0.6, 0.3, 0.8]


def _series(phi, shift, runs, seed):
    """The points of all runs, one step at a time."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(runs)
    while True:
        yield x + shift
        x = phi * x + math.sqrt(1.0 - phi**2) * rng.standard_normal(runs)


def _simulated(points, step, runs):
    """Mean run length and its standard error; `step` returns who signals."""
    alive, length = np.ones(runs, np.bool_), np.zeros(runs)
    for y in points:
        length += alive
        alive &= ~step(y)
        if not alive.any():
            break
    return length.mean(), length.std() / math.sqrt(runs)


@pytest.mark.parametrize("shift", [0.0, 0.5, 2.0])
def test_without_correlation_the_points_are_independent(shift):
    """Coefficient 0, and phi next to 0."""
    for phi, rel in ((0.0, 1e-9), (1e-9, 1e-7)):
        assert design.ar1_shewhart_arl(phi, 2.8, shift=shift) == pytest.approx(design.shewhart_arl(2.8, shift), rel=rel)
        assert design.ar1_ewma_arl(phi, 0.1, 2.5, shift) == pytest.approx(design.ewma_arl(0.1, 2.5, shift), rel=rel)
        assert design.ar1_cusum_arl(phi, 0.4, 4.0, shift) == pytest.approx(design.cusum_arl(0.4, 4.0, shift), rel=rel)


@pytest.mark.parametrize("phi", PHIS)
@pytest.mark.parametrize("shift", [0.0, 0.7])
def test_the_ends_of_ewma_and_cusum_are_shewhart_charts(phi, shift):
    """An EWMA of weight 1, of nearly 1, and a CUSUM with no room above its k."""
    expected = design.ar1_shewhart_arl(phi, 2.5, shift=shift)

    assert design.ar1_ewma_arl(phi, 1.0, 2.5, shift) == expected
    assert design.ar1_ewma_arl(phi, 1.0 - 1e-9, 2.5, shift) == pytest.approx(expected, rel=1e-6)
    assert design.ar1_cusum_arl(phi, 2.5, 1e-9, shift) == pytest.approx(expected, rel=1e-6)


def test_published_averages_of_the_literature():
    """Sigma from moving ranges costs a Shewhart chart most of its run length; a CUSUM suffers even with the true sigma."""
    assert [round(design.ar1_shewhart_arl(phi, 3.0, "moving_range"), 1) for phi in (0.4, 0.6, 0.8)] == [53.5, 22.4, 10.1]
    assert [round(design.ar1_shewhart_arl(phi, 3.0)) for phi in (0.4, 0.6, 0.8)] == [383, 419, 555]
    assert [round(design.ar1_cusum_arl(phi, 0.5, 5.0), 1) for phi in (0.25, 0.5, 0.75)] == [118.7, 51.6, 31.5]


def test_correlation_of_either_sign_is_one_in_control():
    """A Shewhart chart with symmetric limits cannot tell phi from -phi."""
    for phi in (0.5, 0.99):
        assert design.ar1_shewhart_arl(phi, 3.0) == pytest.approx(design.ar1_shewhart_arl(-phi, 3.0), rel=1e-10)


@pytest.mark.parametrize(("phi", "shift"), [(0.6, 0.0), (-0.4, 0.6), (0.9, 1.0)])
def test_ewma_agrees_with_simulation(phi, shift):
    """Within four standard errors of 20,000 runs."""
    lam, limit, runs = 0.2, 2.4, 20000
    z = np.zeros(runs)

    def step(y):
        z[:] = (1.0 - lam) * z + lam * y
        return np.abs(z) > limit * math.sqrt(lam / (2.0 - lam))

    mean, error = _simulated(_series(phi, shift, runs, 1), step, runs)

    assert design.ar1_ewma_arl(phi, lam, limit, shift) == pytest.approx(mean, abs=4.0 * error)


@pytest.mark.parametrize(
    ("phi", "k", "h", "shift"), [(0.6, 0.5, 5.0, 0.0), (0.6, 0.25, 6.0, 0.2), (-0.4, 0.3, 2.5, 0.1), (0.9, 0.0, 9.0, 0.1)]
)
def test_cusum_agrees_with_simulation(phi, k, h, shift):
    """Both sides together, within four standard errors of 20,000 runs."""
    runs = 20000
    up, down = np.zeros(runs), np.zeros(runs)

    def step(y):
        up[:], down[:] = np.maximum(0.0, up + y - k), np.maximum(0.0, down - y - k)
        return np.maximum(up, down) > h

    mean, error = _simulated(_series(phi, shift, runs, 2), step, runs)

    assert design.ar1_cusum_arl(phi, k, h, shift) == pytest.approx(mean, abs=4.0 * error)


@pytest.mark.parametrize(("phi", "h", "shift"), [(0.5, 5.0, 0.0), (0.5, 5.0, 0.5), (0.8, 8.0, 0.2), (-0.5, 3.0, 0.0)])
def test_more_nodes_change_nothing(phi, h, shift, monkeypatch):
    """The quadrature has converged to 1e-8."""
    before = design.ar1_cusum_arl(phi, 0.45, h, shift)
    monkeypatch.setattr("streamspc.design.ar1_cusum_side.NODES", (2.0, 20))
    monkeypatch.setattr("streamspc.design.ar1_cusum_side.SMOOTH", (3.0, 20))

    assert before == pytest.approx(ar1_cusum._arl.__wrapped__(phi, 0.45, h, shift), rel=1e-8)


def test_a_side_conserves_probability():
    """From each state that occurs all steps and signals sum to one; beyond eight sigma there are no points."""
    side = Side(0.5, 0.5, 4.0, 0.3)
    there = side.number >= 0
    points = np.concatenate((side.x[there], side.rest))
    total = side.steps.sum(axis=1) + side.signals.sum(axis=1)

    np.testing.assert_allclose(total[np.abs(points) < 5.0], 1.0, atol=1e-9)
    assert side.first.sum() + side.first_signal.sum() == pytest.approx(1.0, abs=1e-9)


def test_limits_give_back_the_average_that_was_wished():
    """Shewhart with either sigma, EWMA and CUSUM."""
    for arl0 in (50.0, 2000.0):
        limit = design.ar1_shewhart_limit(0.7, arl0, "moving_range")

        assert design.ar1_shewhart_arl(0.7, limit, "moving_range") == pytest.approx(arl0, rel=1e-9)
        assert design.ar1_ewma_arl(0.5, 0.2, design.ar1_ewma_limit(0.5, 0.2, arl0)) == pytest.approx(arl0, rel=2e-7)
        assert design.ar1_cusum_arl(0.4, 0.5, design.ar1_cusum_limit(0.4, 0.5, arl0)) == pytest.approx(arl0, rel=2e-7)


@pytest.mark.parametrize("phi", [-0.7, 0.2, 0.9])
def test_limits_from_next_to_none_to_far_ones(phi):
    """The first guess may be off by far, the limit may not."""
    for k, above in ((0.0, 1.001), (0.3, 1.5), (1.2, 3.0), (0.25, 30.0)):
        arl0 = above * design.ar1_cusum_arl(phi, k, 1e-6)
        assert design.ar1_cusum_arl(phi, k, design.ar1_cusum_limit(phi, k, arl0)) == pytest.approx(arl0, rel=2e-7)
    for lam, arl0 in ((0.9, 1.2), (0.05, 2.0), (0.3, 1e6)):
        assert design.ar1_ewma_arl(phi, lam, design.ar1_ewma_limit(phi, lam, arl0)) == pytest.approx(arl0, rel=2e-7)


def test_a_strongly_correlated_ewma_has_the_average_of_finer_nodes():
    """Steps of a twentieth of the limits' width, and an average beyond what rows that fail to sum to one would allow."""
    assert design.ar1_ewma_arl(0.95, 0.03, 15.27) == pytest.approx(10025.69786883, rel=1e-9)  # with 2 nodes a standard deviation
    assert design.ar1_ewma_arl(0.99, 0.05, 8.33) == pytest.approx(369.86247327, rel=1e-9)


def test_a_strongly_correlated_limit_takes_a_second():
    """The quadrature's even nodes, the steps of its equations and the first guess, all together: it took ten seconds without."""
    start = time.process_time()

    assert design.ar1_cusum_limit(0.98, 0.5, 370.4) == pytest.approx(60.92865241690858, rel=1e-7)
    assert time.process_time() - start < 5.0


def test_a_strongly_correlated_cusum_has_the_average_of_finer_nodes_and_a_limit():
    """An average that the quadrature may refuse must not pass for an infinite one in the search of a limit."""
    assert design.ar1_cusum_arl(0.9, 0.75, 20.0) == pytest.approx(319.5051183163, rel=1e-9)  # with 2.1 nodes a standard deviation
    assert design.ar1_cusum_arl(0.9, 0.25, 30.0) == pytest.approx(139.9478457764, rel=1e-9)
    assert design.ar1_cusum_arl(0.8, 0.75, design.ar1_cusum_limit(0.8, 0.75, 2000.0)) == pytest.approx(2000.0, rel=1e-9)


@pytest.mark.parametrize(("phi", "h"), [(-0.25, 5.0), (-0.5, 5.0), (0.3, 6.0)])
def test_the_long_run_gives_the_same_average_as_the_equations(phi, h):
    """Where both can be had; beyond, a rare signal has an average all the same."""
    side = Side(phi, 0.5, h, 0.0)

    assert ar1_cusum._rare(side) == pytest.approx(design.ar1_cusum_arl(phi, 0.5, h), rel=1e-8)
    assert 1e12 < design.ar1_cusum_arl(-0.5, 0.66, 7.8) < design.ar1_cusum_arl(-0.5, 0.66, 7.9) < 1e13


@pytest.mark.parametrize(("phi", "k", "h", "shift"), [(0.95, 0.5, 60.0, 0.5), (-0.4, 0.6, 4.4, 0.05), (0.2, 0.75, 10.0, 0.02)])
def test_long_averages_under_a_shift_are_not_refused(phi, k, h, shift):
    """Rows are divided by their sums, so a quadrature that is a little off does no harm; a fifth more nodes change nothing."""
    average = design.ar1_cusum_arl(phi, k, h, shift)
    finer = [Side(phi, k, h, sign * shift, 1.2) for sign in (1.0, -1.0)]

    assert average == pytest.approx(ar1_cusum._tied(*finer), rel=2e-8)


def test_a_cusum_that_forgets_over_thousands_of_steps_is_what_a_general_solver_makes_of_it():
    """A small k beside strong correlation: the sides wander for long, and signals are not rare enough to be told from their rate."""
    side = Side(0.8, 0.02, 450.0, 0.0)
    signals = hstack((csr_array((side.states, side.pairs)), side.signals))
    u = spsolve((eye_array(side.states) - side.steps + signals).tocsc(), np.full(side.states, 0.5))
    expected = 1.0 + 2.0 * (side.first @ u - side.first_signal @ u[side.pairs :])

    assert design.ar1_cusum_arl(0.8, 0.02, 450.0) == pytest.approx(expected, rel=1e-8)


def test_rare_signals_and_far_shifts():
    """Negative correlation makes the EWMA's signal very rare; a far shift is seen at once."""
    assert design.ar1_shewhart_arl(0.5, 12.0) > 1e31
    assert design.ar1_ewma_arl(-0.9, 0.2, 2.86) == pytest.approx(7.427e11, rel=1e-3)
    assert design.ar1_ewma_arl(0.5, 0.2, 2.86, 60.0) == pytest.approx(1.0)
    assert design.ar1_cusum_arl(0.5, 0.5, 5.0, 60.0) == pytest.approx(1.0)
    assert design.ar1_cusum_arl(0.5, 9.0, 5.0) == math.inf


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: design.ar1_shewhart_arl(1.0, 3.0), "phi"), (lambda: design.ar1_shewhart_arl(0.5, 0.0), "L"),
        (lambda: design.ar1_shewhart_arl(0.5, 3.0, "other"), "sigma"), (lambda: design.ar1_shewhart_limit(0.5, 0.5), "arl0"),
        (lambda: design.ar1_ewma_arl(-1.0, 0.1, 3.0), "phi"), (lambda: design.ar1_ewma_arl(0.5, 0.0, 3.0), "lam"),
        (lambda: design.ar1_ewma_limit(0.5, 0.1, math.inf), "arl0"), (lambda: design.ar1_cusum_arl(0.5, -0.1, 3.0), "k"),
        (lambda: design.ar1_cusum_arl(0.5, 0.5, 0.0), "h"), (lambda: design.ar1_cusum_limit(2.0, 0.5, 100.0), "phi"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(call, name):
    """With a ValueError that names the argument."""
    with pytest.raises(ValueError, match=f"^{name} "):
        call()
