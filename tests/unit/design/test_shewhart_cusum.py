"""CUSUM with Shewhart limits, against its two parts, simulation and finer panels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from streamspc.design import clipped_side, collocation, cusum_arl, shewhart_arl, shewhart_cusum, shewhart_cusum_arl, shewhart_cusum_limit


@pytest.mark.parametrize(
    ("k", "h", "shift", "headstart"), [(0.5, 5, 0, 0), (0.5, 5, 1, 2.5), (0.25, 4, -0.4, 3.9), (0, 3, 0.5, 2.5), (0.5, 0, 1, 0)]
)
def test_wide_shewhart_limits_leave_a_cusum(k, h, shift, headstart):
    """At 12 sigma, and at infinity, the Shewhart limits do nothing."""
    alone = cusum_arl(k, h, shift, headstart=headstart)

    assert shewhart_cusum_arl(k, h, 12.0, shift, headstart) == pytest.approx(alone, rel=1e-11)
    assert shewhart_cusum_arl(k, h, math.inf, shift, headstart) == pytest.approx(alone, rel=1e-14)


@pytest.mark.parametrize("shift", [0.0, 0.7, -2.0])
def test_a_wide_cusum_leaves_a_shewhart_chart(shift):
    """A CUSUM that hardly ever signals, or cannot rise as c is below k, does nothing."""
    assert shewhart_cusum_arl(4.0, 30, 3.0, shift) == pytest.approx(shewhart_arl(3.0, shift), rel=1e-11)
    assert shewhart_cusum_arl(2.0, 1.0, 1.5, shift) == pytest.approx(shewhart_arl(1.5, shift), rel=1e-11)
    assert shewhart_cusum_arl(0.5, 0.0, 1.5, shift) == pytest.approx(shewhart_arl(0.5, shift), rel=1e-11)
    assert shewhart_cusum_arl(0.5, 5.0, 0.0, shift) == pytest.approx(1.0, rel=1e-12)


def _simulated(chart, runs, seed):
    """Mean run length and its standard error."""
    k, h, c, shift, headstart = chart
    rng = np.random.default_rng(seed)
    upper = np.full(runs, headstart)
    lower, length, t = upper.copy(), np.zeros(0), 0
    while len(upper):
        t += 1
        x = rng.standard_normal(len(upper)) + shift
        upper, lower = np.maximum(0.0, upper + x - k), np.maximum(0.0, lower - x - k)
        on = (upper <= h) & (lower <= h) & (np.abs(x) <= c)
        length = np.append(length, np.full((~on).sum(), t))
        upper, lower = upper[on], lower[on]
    return length.mean(), length.std() / math.sqrt(runs)


@pytest.mark.parametrize(
    "chart",
    [
        (0.5, 3, 2.0, 0.3, 0),
        (0.2, 3, 1.5, -0.3, 1),
        (0.5, 5, 3.5, 0.5, 4.0),
        (0.05, 3, 2.5, 0.3, 3.0),
        (0, 3, 2.0, 0.3, 2.5),
        (0.3, 4, 0.8, 0.6, 0),
    ],
    ids=str,
)
def test_as_simulated(chart):
    """Within four standard errors, for head starts below and above half of h, and Shewhart limits within reach of the CUSUM."""
    mean, error = _simulated(chart, 200_000, 5)

    assert abs(shewhart_cusum_arl(*chart) - mean) < 4.0 * error


def test_more_panels_change_nothing(monkeypatch):
    """Twice the panels, and panels of a higher degree: the same to 1e-10."""
    charts = [(0.5, 5, 3.5, 0, 0), (0.5, 5, 2.0, 0.7, 2.5), (0.3, 8, 0.8, 0.6, 0), (0.5, 5, 3.5, 0.5, 4.0), (0.1, 20, 2.5, 0.1, 0)]
    before = [shewhart_cusum_arl(*chart) for chart in charts]
    clipped_side.clipped.cache_clear()
    for module, name, value in ((collocation, "DEGREE", 20), (collocation, "QUADRATURE", 34), (clipped_side, "_WIDEST", 1.5)):
        monkeypatch.setattr(module, name, value)
    after = [shewhart_cusum._arl.__wrapped__(chart[:3], "two", float(chart[3]), float(chart[4])) for chart in charts]
    clipped_side.clipped.cache_clear()

    np.testing.assert_allclose(before, after, rtol=1e-10)


def _one_sided_chain(chart, states):
    """Average run length of the upper side by a chain of equal cells, each seen from its middle (Brook & Evans)."""
    k, h, c, shift, headstart = chart
    width = 2.0 * h / (2 * states - 1)
    middle = width * np.arange(states)
    edges = np.append(-np.inf, middle + 0.5 * width)
    start = np.append(headstart, middle)
    below = norm.cdf(np.minimum(edges - start[:, None] + k, c) - shift)
    steps = np.diff(below, axis=1)
    mean = np.linalg.solve(np.eye(states) - steps[1:], np.ones(states))
    return 1.0 + steps[0] @ mean


@pytest.mark.parametrize(
    "chart", [(0.5, 4, 3.0, 0, 0), (0.3, 3, 2.0, 0.5, 1.5), (0.5, 5, 3.5, -0.3, 5.0), (0.0, 4, 2.5, 0.2, 3.0)], ids=str
)
def test_one_side_by_a_chain_of_cells(chart):
    """A signal at S+ > h or x > c, whatever x is below; the lower side mirrors it."""
    k, h, c, shift, headstart = chart
    arl = shewhart_cusum_arl(k, h, c, shift, headstart, "upper")
    coarse, fine = (_one_sided_chain(chart, states) for states in (400, 800))

    assert arl == pytest.approx(fine, rel=max(2.0 * abs(fine / coarse - 1.0), 1e-5))
    assert shewhart_cusum_arl(k, h, c, -shift, headstart, "lower") == arl


@pytest.mark.parametrize("sided", ["upper", "lower"])
def test_one_side_between_its_parts(sided):
    """Without its CUSUM one side is half a Shewhart chart; with c out of reach, from h + k on, a CUSUM."""
    assert shewhart_cusum_arl(0.5, 4, 4.5, 0.3, 1.0, sided) == pytest.approx(cusum_arl(0.5, 4, 0.3, sided, 1.0), rel=1e-11)
    assert shewhart_cusum_arl(0.5, 4, math.inf, 0.3, 1.0, sided) == cusum_arl(0.5, 4, 0.3, sided, 1.0)
    assert shewhart_cusum_arl(4.0, 30, 3.0, sided=sided) == pytest.approx(1.0 / norm.sf(3.0), rel=1e-11)
    assert shewhart_cusum_arl(2.0, 9, 1.5, sided=sided) == pytest.approx(1.0 / norm.sf(1.5), rel=1e-12)
    assert shewhart_cusum_arl(0.5, 0, 1.5, sided=sided) == pytest.approx(1.0 / norm.sf(0.5), rel=1e-12)


@pytest.mark.parametrize("sided", ["upper", "lower"])
@pytest.mark.parametrize(("k", "arl0", "split", "headstart"), [(0.5, 370.4, 0.5, 0.0), (0.4371, 5e4, 0.2, 2.0)])
def test_joint_limits_of_one_side(k, arl0, split, headstart, sided):
    """The joint run length is the wished one, and x is beyond c at its share of false alarms."""
    h, c = shewhart_cusum_limit(k, arl0, split, headstart, sided)

    assert shewhart_cusum_arl(k, h, c, 0.0, headstart, sided) == pytest.approx(arl0, rel=1e-9)
    assert norm.sf(c) * arl0 == pytest.approx(split, rel=1e-9)


def test_the_customary_design():
    """With k = 0.5, h = 5, c = 3.5: 397.7 +- 1.0 by simulation; published tables are 1 to 3 % low."""
    assert shewhart_cusum_arl(0.5, 5, 3.5) == pytest.approx(397.7, abs=2.0)


@pytest.mark.parametrize("headstart", [0.0, 2.5])
@pytest.mark.parametrize(("k", "arl0", "split"), [(0.5, 370.4, 0.5), (0.25, 1000, 0.1), (1.0, 1e6, 0.9), (0.5, 370.4, 0.0)])
def test_joint_limits(k, arl0, split, headstart):
    """The joint run length is the wished one, and the Shewhart limits give their share of false alarms."""
    h, c = shewhart_cusum_limit(k, arl0, split, headstart)

    assert shewhart_cusum_arl(k, h, c, headstart=headstart) == pytest.approx(arl0, rel=1e-9)
    assert 2.0 * norm.sf(c) * arl0 == pytest.approx(split, rel=1e-9)


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: shewhart_cusum_arl(0.5, 5, -1), "c is"),
        (lambda: shewhart_cusum_arl(0.5, 5, math.nan), "c is"),
        (lambda: shewhart_cusum_arl(0.5, 5, 3, headstart=5.5), "above its limit"),
        (lambda: shewhart_cusum_limit(0.5, 370.4, 1.0), "split is 1"),
        (lambda: shewhart_cusum_limit(0.5, 370.4, -0.1), "split is"),
        (lambda: shewhart_cusum_limit(0.5, 1.2), "at least"),
        (lambda: shewhart_cusum_arl(0.5, 5, 3, sided="both"), "sided is"),
    ],
)
def test_what_cannot_be_is_refused(call, reason):
    """With a reason."""
    with pytest.raises(ValueError, match=reason):
        call()


@pytest.mark.parametrize("sided", ["two", "upper", "lower"])
@pytest.mark.parametrize(("k", "h", "shift"), [(0.5, 5.0, 0.7), (0.2, 3.0, 0.0), (0.0, 3.0, 0.4)])
def test_the_steady_state_without_shewhart_limits_is_that_of_a_cusum(k, h, shift, sided):
    """At 12 sigma and at infinity, by other equations."""
    alone = cusum_arl(k, h, shift, sided, state="steady")
    for c in (12.0, math.inf):
        assert shewhart_cusum_arl(k, h, c, shift, sided=sided, state="steady") == pytest.approx(alone, rel=1e-9)


@pytest.mark.parametrize("sided", ["two", "upper"])
@pytest.mark.parametrize(("k", "h", "c", "shift"), [(0.3, 4.0, 2.4, 0.5), (0.5, 3.0, 2.6, -0.4), (0.2, 3.0, 2.5, 0.0)])
def test_the_steady_state_agrees_with_simulation(k, h, c, shift, sided):
    """Survivors of 40 points in control, then the shift: within four standard errors."""
    rng, late, two = np.random.default_rng(8), 40, sided == "two"
    upper = np.zeros(400_000)
    lower, lengths, t = upper.copy(), [], 0
    while len(upper):
        t += 1
        x = rng.standard_normal(len(upper)) + (shift if t > late else 0.0)
        upper, lower = np.maximum(0.0, upper + x - k), np.maximum(0.0, lower - x - k)
        on = (upper <= h) & (x <= c) & (~np.bool_(two) | ((lower <= h) & (x >= -c)))
        lengths += [t - late] * int((~on).sum() if t > late else 0)
        upper, lower = upper[on][: 30_000 if t == late else None], lower[on][: 30_000 if t == late else None]

    error = float(np.std(lengths)) / math.sqrt(len(lengths))
    assert shewhart_cusum_arl(k, h, c, shift, sided=sided, state="steady") == pytest.approx(np.mean(lengths), abs=4.0 * error)
