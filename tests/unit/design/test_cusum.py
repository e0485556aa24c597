"""CUSUMs of normal points, against Markov chains of another kind, direct recursion, simulation and published numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from streamspc.design import cusum_arl, cusum_limit, cusum_quantile
from streamspc.design.cusum_pair import pair, survivors


def _brook_evans(k, h, shift, n):
    """Average run lengths of the upper side at the middles of n + 1 cells (Brook & Evans 1972), 0 first."""
    width = 2.0 * h / (2 * n + 1)
    edges = width * (np.arange(n + 2) - 0.5)
    centres = width * np.arange(n + 1)
    cumulated = norm.cdf(edges[None, :] - centres[:, None] + k - shift)
    steps = np.diff(cumulated, axis=1)
    steps[:, 0] = cumulated[:, 1]
    return np.linalg.solve(np.eye(n + 1) - steps, np.ones(n + 1))[0]


def _richardson(k, h, shift):
    """The same for cells of no width, by three steps of extrapolation in 1 / (2 n + 1)^2."""
    sizes = np.array([40, 80, 160, 320])
    powers = (2.0 * sizes[:, None] + 1.0) ** (-2.0 * np.arange(4))
    return np.linalg.solve(powers, [_brook_evans(k, h, shift, n) for n in sizes])[0]


@pytest.mark.parametrize(
    ("k", "h", "shift"), [(0.5, 5, 0), (0.5, 5, 1.3), (0.25, 8, 0.1), (1, 2.5, -0.3), (0, 6, 0.4), (0.5, 0.3, 0), (2, 1, 3), (0.1, 12, 0)]
)
def test_one_side_equals_the_extrapolated_markov_chain(k, h, shift):
    """Cells of Brook & Evans, extrapolated, agree to 1e-7; the lower side is the mirror image."""
    arl = cusum_arl(k, h, shift, "upper")

    assert arl == pytest.approx(_richardson(k, h, shift), rel=1e-7)
    assert cusum_arl(k, h, -shift, "lower") == arl


@pytest.mark.parametrize(("k", "h"), [(0.5, 30), (0.5, 60), (2, 25)])
def test_huge_run_lengths_have_digits(k, h):
    """They follow the exact exponential law of large limits: a step of h by 1 multiplies by exp(2 k), ever more exactly."""
    ratio = cusum_arl(k, h + 1, sided="upper") / cusum_arl(k, h, sided="upper")

    assert math.log(ratio) == pytest.approx(2.0 * k, rel=1e-6)
    assert cusum_arl(k, h, sided="upper") > 1e9


def test_published_numbers():
    """Head start and no head start at the customary design; Waldmann's one-sided chart, corrected; exact limits."""
    assert cusum_arl(0.5, 5) == pytest.approx(465.4435, abs=5e-5)
    assert cusum_arl(0.5, 4) == pytest.approx(167.6840, abs=5e-4)
    assert cusum_arl(0.5, 3, sided="upper") == pytest.approx(117.5957, abs=5e-5)
    assert cusum_arl(0.5, 5, headstart=2.5) == pytest.approx(430.4, abs=0.05)
    assert cusum_arl(0.5, 5, 1.0, headstart=2.5) == pytest.approx(6.35, abs=0.005)
    assert cusum_limit(0.5, 370.4) == pytest.approx(4.774897, abs=5e-7)
    assert cusum_limit(0.5, 1000) == pytest.approx(5.757350, abs=5e-7)


@pytest.mark.parametrize(("k", "h"), [(0.5, 5.0), (0.3, 2.0), (0.1, 4.0), (1.0, 3.0)])
@pytest.mark.parametrize("shift", [0.0, 0.7])
def test_the_steady_state_is_the_limit_of_late_shifts(k, h, shift):
    """Both marginal laws, carried on point by point in control, settle at the law of the eigenproblem."""
    still, chart = pair(k, h, 0.0), pair(k, h, shift)
    steps, leave = still.upper.chain.steps, still.upper.chain.leave
    law = np.zeros(len(leave))
    law[0] = 1.0
    for _ in range(3000):
        out = law @ leave
        law = law @ steps
        law[0] -= out
        law /= law.sum()
    late = law @ chart.mean(chart.upper.states, chart.lower.states)

    assert cusum_arl(k, h, shift, state="steady") == pytest.approx(late, rel=1e-9)


def test_a_chart_that_forgets_slowly_settles_too():
    """Near k = 0 the iteration gives way to all eigenvalues; the law still solves its equation."""
    law, chain = survivors(1e-3, 15.0), pair(1e-3, 15.0, 0.0).upper.chain
    origin = np.zeros(len(law))
    origin[0] = 0.5
    after, before = law @ chain.steps - origin, law - origin
    rate = after[1:].sum() / before[1:].sum()

    np.testing.assert_allclose(after, rate * before, atol=1e-7)


@pytest.mark.parametrize(("h", "shift"), [(3.0, 0.0), (10.0, 0.2)])
def test_without_a_reference_value_the_range_is_all_in_the_long_run(h, shift):
    """For k = 0 the survivors' S+ + S- has grown to h: S+ has the law of a walk that stays within (0, h), by all eigenvalues."""
    chart = pair(0.0, h, shift)
    states, still = chart.upper.states[1:], pair(0.0, h, 0.0).upper.chain.steps[1:, 1:]
    values, vectors = np.linalg.eig(still.T)
    law = np.abs(vectors[:, values.real.argmax()].real)
    expected = law @ chart.mean(states, h - states) / law.sum()

    assert cusum_arl(0.0, h, shift, state="steady") == pytest.approx(expected, rel=1e-10)


def _run_lengths(chart, runs, seed):
    """Run lengths of a simulated two-sided chart; tau points in control first, of which only survivors count."""
    k, h, shift, headstart, tau = chart
    rng = np.random.default_rng(seed)
    upper = np.full(runs, headstart)
    lower, ends, t = upper.copy(), [], -tau
    while len(upper):
        t += 1
        x = rng.standard_normal(len(upper)) + (shift if t > 0 else 0.0)
        upper, lower = np.maximum(0.0, upper + x - k), np.maximum(0.0, lower - x - k)
        on = (upper <= h) & (lower <= h)
        ends += [t] * int((~on).sum())
        upper, lower = upper[on], lower[on]
    length = np.array(ends)
    return length[length > 0]


@pytest.mark.parametrize(
    "chart",
    [(1.0, 2.0, 0.2, 2.0, 0), (0.2, 3.0, -0.3, 2.5, 0), (0.05, 3.0, 0.5, 3.0, 0), (0.0, 3.0, 0.5, 2.5, 0), (0.5, 2.0, 1.0, 0.0, 40)],
    ids=str,
)
def test_two_sides_as_simulated(chart):
    """Head starts up to the limit, where both sides may be near a signal, and the joint steady state: within four standard errors."""
    k, h, shift, headstart, tau = chart
    length = _run_lengths(chart, 200_000 if tau == 0 else 600_000, 7)
    arl = cusum_arl(k, h, shift, headstart=headstart, state="steady" if tau else "zero")

    assert abs(length.mean() - arl) < 4.0 * length.std() / math.sqrt(len(length))


@pytest.mark.parametrize("headstart", [0.0, 1.0, 2.9, 4.0])
@pytest.mark.parametrize("sided", ["two", "upper", "lower"])
def test_the_law_of_the_run_length_has_the_mean(headstart, sided):
    """The sum of P(RL > n), each from its quantile, is the average run length."""
    arl = cusum_arl(0.4, 4.0, 0.9, sided, headstart)
    if sided == "lower":
        assert cusum_quantile(0.5, 0.4, 4.0, 0.9, sided, headstart) == pytest.approx(math.log(2) * arl, rel=0.2)
        return
    shares = (np.arange(4000) + 0.5) / 4000
    mean = np.mean([cusum_quantile(share, 0.4, 4.0, 0.9, sided, headstart) for share in shares])

    assert mean == pytest.approx(arl, rel=2e-3)


def test_quantiles_of_long_runs_are_geometric():
    """Far out the tail is geometric, whether found by squaring or from the mean."""
    for h in (9.0, 20.0):
        arl = cusum_arl(0.5, h)
        assert cusum_quantile(0.5, 0.5, h, sided="two") == pytest.approx(math.log(2) * arl, rel=20 / arl + 1e-9)
    assert cusum_quantile(0.5, 0.5, 5, -40.0) == math.inf
    assert cusum_quantile(0.5, 0.5, 5, -40.0, "two") == 1.0
    assert cusum_quantile(1e-9, 0.5, 5) == 1.0  # P(x > 5.5) is 2e-8


@pytest.mark.parametrize("sided", ["two", "upper"])
@pytest.mark.parametrize(
    ("k", "arl0", "headstart"), [(0.5, 370.4, 0.0), (0.25, 1e6, 3.0), (1.0, 20.0, 0.5), (0.0, 50.0, 0.0), (0.5, 1e15, 0.0)]
)
def test_limits_have_the_run_length(k, arl0, headstart, sided):
    """The root is exact to 1e-9."""
    h = cusum_limit(k, arl0, sided, headstart)

    assert cusum_arl(k, h, sided=sided, headstart=headstart) == pytest.approx(arl0, rel=1e-9)


def test_limits_at_the_edges():
    """A limit of 0 is a Shewhart chart at k; a large shift signals at once; one against the chart never."""
    assert cusum_arl(0.5, 0, sided="upper") == pytest.approx(1.0 / norm.sf(0.5), rel=1e-14)
    assert cusum_arl(0.5, 0) == pytest.approx(0.5 / norm.sf(0.5), rel=1e-14)
    assert cusum_arl(0.5, 5, 50.0) == cusum_arl(0.5, 5, 50.0, state="steady") == 1.0
    assert cusum_arl(0.5, 5, -50.0, "upper", 2.5) == math.inf
    assert cusum_arl(0.5, 300, 1.0) == pytest.approx(2 * 300, rel=0.01)


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: cusum_arl(-0.1, 5), "k is"),
        (lambda: cusum_arl(0.5, -1), "h is"),
        (lambda: cusum_arl(0.5, math.nan), "h is"),
        (lambda: cusum_arl(0.5, 5, math.inf), "shift is"),
        (lambda: cusum_arl(0.5, 5, headstart=6), "above its limit"),
        (lambda: cusum_arl(0.5, 5, sided="both"), "sided is"),
        (lambda: cusum_arl(0.5, 5, state="cyclic"), "state is"),
        (lambda: cusum_limit(0.5, 1.0), "arl0 is"),
        (lambda: cusum_limit(0.5, 1.5), "at least 1.62"),
        (lambda: cusum_limit(0.5, 370, headstart=8.0), "at least"),
        (lambda: cusum_quantile(1.0, 0.5, 5), "alpha is"),
        (lambda: cusum_quantile(0.5, 0.5, 5, headstart=9), "above its limit"),
    ],
)
def test_what_cannot_be_is_refused(call, reason):
    """With a reason."""
    with pytest.raises(ValueError, match=reason):
        call()
