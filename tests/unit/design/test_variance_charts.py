"""CUSUM and EWMA of variances, against product integration with straight lines, published numbers and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import gammainc, gammaincc
from scipy.stats import chi2

from streamspc.design import cusum_variance_arl, cusum_variance_limit, ewma_variance_arl, ewma_variance_limit
from streamspc.design.absorbing import Absorbing
from streamspc.design.collocation import Noise, Panels, operator, panel_edges


def _straight(origin, scale, chart, n):
    """Steps between n + 1 equal nodes with straight lines in between, and probabilities of a signal: masses and first moments exactly."""
    upper, df, ratio = chart
    shape, unit = df / 2.0, 2.0 * ratio**2 / df * scale
    nodes = np.linspace(0.0, upper, n + 1)
    x = nodes[None, :] - origin(nodes)[:, None]
    inside = np.maximum(x, 0.0) / unit
    late = inside[:, :-1] > shape  # from the nearer tail
    mass = np.where(late, -np.diff(gammaincc(shape, inside)), np.diff(gammainc(shape, inside)))
    moment = shape * unit * np.where(late, -np.diff(gammaincc(shape + 1, inside)), np.diff(gammainc(shape + 1, inside)))
    steps = np.zeros((n + 1, n + 1))
    steps[:, :-1] += (x[:, 1:] * mass - moment) / (upper / n)
    steps[:, 1:] += (moment - x[:, :-1] * mass) / (upper / n)
    return nodes, np.maximum(steps, 0.0), gammaincc(shape, np.maximum(upper - origin(nodes), 0.0) / unit), shape, unit


def _cusum(k, h, df, ratio, n):
    nodes, steps, leave, shape, unit = _straight(lambda s: s - k, 1.0, (h, df, ratio), n)
    steps[:, 0] += gammainc(shape, np.maximum(k - nodes, 0.0) / unit)
    return Absorbing(steps, leave).mean[0]


def _ewma(lam, upper, df, ratio, n):
    nodes, steps, leave, _, _ = _straight(lambda z: (1.0 - lam) * z, lam, (upper, df, ratio), n)
    return np.interp(1.0, nodes, Absorbing(steps, leave).mean)


def _extrapolated(arl, *chart):
    coarse, fine = arl(*chart, 400), arl(*chart, 800)
    return fine + (fine - coarse) / 3.0


@pytest.mark.parametrize(
    "chart",
    [
        (1.46, 10, 1, 1.0),
        (1.2, 3, 4, 1.0),
        (1.3, 5, 3, 1.2),
        (1.1, 2, 9, 0.9),
        (0, 5, 3, 1.0),
        (1.2, 3, 5, 0.5),
        (1.2, 3, 4, 0.3),
        (1.2, 3, 1.7, 1.0),
    ],
    ids=str,
)
def test_cusum_equals_product_integration(chart):
    """To 1e-6 with 400 and 800 nodes extrapolated, up to average run lengths of 1e38."""
    assert cusum_variance_arl(*chart) == pytest.approx(_extrapolated(_cusum, *chart), rel=1e-6)


@pytest.mark.parametrize(
    "chart", [(0.1, 1.6, 4, 1.0), (0.2, 2.0, 2, 1.2), (0.3, 2.0, 3, 0.8), (0.5, 3, 5, 2.0), (0.2, 4.0, 5, 0.7)], ids=str
)
def test_ewma_equals_product_integration(chart):
    """To 1e-4: the value at 1 is interpolated."""
    assert ewma_variance_arl(*chart) == pytest.approx(_extrapolated(_ewma, *chart), rel=1e-4)


def test_published_numbers():
    """Knoth (2006), table 1, the column of collocation: k = 1.46, h = 10, one degree of freedom."""
    table = {1.0: 260.7369, 1.1: 90.1319, 1.2: 43.6867, 1.3: 26.2916, 1.4: 18.1231, 1.5: 13.6268, 2.0: 5.9904}

    for ratio, arl in table.items():
        assert cusum_variance_arl(1.46, 10, 1, ratio) == pytest.approx(arl, abs=6e-5)


@pytest.mark.parametrize("df", [1, 2, 3, 5, 10.5, 200])
def test_closed_forms(df):
    """A limit of 0, a weight of 1, and limits that one point decides."""
    assert cusum_variance_arl(1.3, 0.0, df, 1.2) == pytest.approx(1.0 / chi2.sf(1.3 * df / 1.44, df), rel=1e-12)
    assert ewma_variance_arl(1.0, 1.5, df, 1.2) == pytest.approx(1.0 / chi2.sf(1.5 * df / 1.44, df), rel=1e-12)
    assert ewma_variance_arl(0.999999, 1.5, df) == pytest.approx(ewma_variance_arl(1.0, 1.5, df), rel=1e-4)
    assert ewma_variance_arl(0.1, 0.89, df) == 1.0  # 0.9 of the start alone is above


@pytest.mark.parametrize("df", [1, 2, 4, 30])
@pytest.mark.parametrize("arl0", [20.0, 370.4, 1e7])
def test_limits_have_the_run_length(df, arl0):
    """The root is exact to 1e-9."""
    assert cusum_variance_arl(1.2, cusum_variance_limit(1.2, arl0, df), df) == pytest.approx(arl0, rel=1e-9)
    assert ewma_variance_arl(0.1, ewma_variance_limit(0.1, arl0, df), df) == pytest.approx(arl0, rel=1e-9)


def test_a_larger_sigma_is_found_sooner():
    """Monotone in the ratio, down to 1 at once."""
    arls = [cusum_variance_arl(1.3, 4.0, 3, ratio) for ratio in (0.7, 1.0, 1.3, 2.0, 5.0, 1e6)]

    assert arls == sorted(arls, reverse=True)
    assert arls[-1] == pytest.approx(1.0, abs=1e-6)


def test_the_operator_integrates_what_is_infinite_at_an_edge():
    """x^-1/2 on panels with square-root ends: masses are exact wherever the edge falls."""
    noise = Noise(lambda x: 0.5 / np.sqrt(x), (0.0, *(6.0**-j for j in range(9)), 1.0), 0.0, 1.0, (2, 1))
    panels = Panels(panel_edges(0.0, 2.0, (0.5, 0.9), 0.4), power=2)
    origins = np.array([0.0, 0.3, 0.5 - 1e-4, 0.7, 1.0])

    np.testing.assert_allclose(operator(panels, noise, origins, 1.0).sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(operator(panels, noise, origins, 1.0) @ panels.nodes, origins + 1.0 / 3.0, rtol=1e-12)


def test_panels_end_where_they_should():
    """Breaks that almost coincide are one; no panel is wider than asked."""
    edges = panel_edges(0.0, 3.0, [1.0, 1.0 + 1e-12, 2.9999999999, 5.0], 1.2)

    assert edges == pytest.approx([0.0, 1.0, 2.0, 3.0])
    assert panel_edges(0.0, 1.0, [], 10.0) == [0.0, 1.0]


def test_an_ewma_with_a_small_weight_and_many_degrees_of_freedom():
    """Where only a hundredth of the way down to 0 is ever seen: the number is of an equation on all of it."""
    assert ewma_variance_limit(0.01, 370.4, 50) == pytest.approx(1.018223655709522, rel=1e-10)
    assert ewma_variance_arl(0.02, 1.02852, 100) == pytest.approx(618.6107603351, rel=1e-9)
    assert ewma_variance_arl(0.01, 0.8, 50) == 1.0


@pytest.mark.parametrize(("k", "arl0", "df"), [(0.9, 50.0, 3), (1.0, 5000.0, 14), (1.06, 1e4, 1), (2.0, 40.0, 2)])
def test_a_limit_has_its_average_on_either_side_of_a_drift_of_0(k, arl0, df):
    """From a guess that allows for the drift."""
    assert cusum_variance_arl(k, cusum_variance_limit(k, arl0, df), df) == pytest.approx(arl0, rel=1e-9)


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: cusum_variance_arl(-1, 3, 4), "k is"),
        (lambda: cusum_variance_arl(1, math.inf, 4), "h is"),
        (lambda: cusum_variance_arl(1, 3, 0), "df is"),
        (lambda: cusum_variance_arl(1, 3, 4, 0), "ratio is"),
        (lambda: cusum_variance_arl(1, 1e6, 4), "too far"),
        (lambda: ewma_variance_arl(0, 2, 4), "lam is"),
        (lambda: ewma_variance_arl(0.1, 0, 4), "upper is"),
        (lambda: cusum_variance_limit(1.2, 2, 4), "at least"),
        (lambda: ewma_variance_limit(0.1, 1, 4), "arl0 is"),
    ],
)
def test_what_cannot_be_is_refused(call, reason):
    """With a reason."""
    with pytest.raises(ValueError, match=reason):
        call()
