"""MEWMA charts against charts of one metric, Markov chains, simulation, and themselves without a shift."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from streamspc.design import ewma_arl, ewma_limit, mewma_arl, mewma_limit, t2_arl
from streamspc.design.mewma_shifted import shifted_arl
from streamspc.design.noncentral_chi import length_density, noncentral_above


@pytest.mark.parametrize(("lam", "limit", "shift"), [(0.1, 2.7, 0.0), (0.1, 2.7, 0.7), (0.5, 3.0, 1.5), (0.03, 2.4, 0.25), (1.0, 3.0, 1.0)])
def test_one_metric_is_a_two_sided_ewma(lam, limit, shift):
    """T2 > L^2 is |Z| > L sigma_Z."""
    expected = pytest.approx(ewma_arl(lam, limit, shift), rel=1e-7)

    assert mewma_arl(1, lam, limit**2, shift) == expected
    if shift and lam < 1.0:
        assert shifted_arl(1, lam, limit**2, shift) == expected


def test_limits_of_one_metric_are_squares():
    """h4 = L^2."""
    assert mewma_limit(1, 0.2, 370.4) == pytest.approx(ewma_limit(0.2, 370.4) ** 2, rel=1e-8)


@pytest.mark.parametrize("p", [2, 3, 7, 20])
@pytest.mark.parametrize("lam", [0.05, 0.4])
def test_two_dimensions_without_a_shift_are_one(p, lam):
    """The plane equation with a shift of nothing gives the average in control."""
    h4 = mewma_limit(p, lam, 150.0)

    assert mewma_arl(p, lam, h4, 1e-9) == pytest.approx(150.0, rel=1e-7)


def _chain(p, lam, h4, cells):
    """Runger & Prabhu's Markov chain in control: rings of the length of Z, by the noncentral chi-square law of the next length."""
    radius = math.sqrt(h4 * lam / (2.0 - lam))
    width = 2.0 * radius / (2 * cells - 1)
    edges = (np.arange(cells) + 0.5) * width
    middle = np.arange(cells) * width
    below = stats.ncx2(p, ((1.0 - lam) * middle[:, None] / lam) ** 2 + 1e-300).cdf((edges / lam) ** 2)
    return np.linalg.solve(np.eye(cells) - np.diff(below, axis=1, prepend=0.0), np.ones(cells))[0]


@pytest.mark.parametrize(("p", "lam", "h4"), [(2, 0.2, 9.65), (5, 0.1, 14.0)])
def test_the_average_in_control_is_the_limit_of_markov_chains(p, lam, h4):
    """Richardson's extrapolation over the width of the rings."""
    widths = [1.0 / (2 * cells - 1) ** 2 for cells in (30, 60, 120)]
    chains = [_chain(p, lam, h4, cells) for cells in (30, 60, 120)]
    extrapolated = np.linalg.solve(np.vander(widths, 3, increasing=True), chains)[0]

    assert mewma_arl(p, lam, h4) == pytest.approx(extrapolated, rel=2e-5)


def test_a_shift_agrees_with_simulation():
    """Three metrics, within four standard errors."""
    rng, lam, h4, delta, runs = np.random.default_rng(4), 0.1, 10.0, 1.0, 20000
    z, length, alive = np.zeros((runs, 3)), np.zeros(runs), np.ones(runs, np.bool_)
    while alive.any():
        x = rng.standard_normal((runs, 3))
        x[:, 0] += delta
        z = (1.0 - lam) * z + lam * x
        length += alive
        alive &= (z**2).sum(axis=1) * (2.0 - lam) / lam <= h4

    assert mewma_arl(3, lam, h4, delta) == pytest.approx(length.mean(), abs=4.0 * length.std() / math.sqrt(runs))


def test_full_weight_is_hotellings_chart():
    """A weight of 1 has no memory; large weights come near it."""
    assert mewma_arl(4, 1.0, 15.0, 1.5) == t2_arl(4, 15.0, 1.5)
    assert mewma_arl(4, 0.99999, 15.0, 1.5) == pytest.approx(t2_arl(4, 15.0, 1.5), rel=1e-4)
    assert mewma_limit(4, 1.0, 1000.0) == pytest.approx(stats.chi2(4).isf(1e-3), rel=1e-12)


def test_rare_signals_keep_their_digits():
    """An average of 1e12 is as exact as one of 100: the limit that gives it is found again."""
    for arl0 in (1.5, 20.0, 1e5, 1e12):
        assert mewma_arl(6, 0.1, mewma_limit(6, 0.1, arl0)) == pytest.approx(arl0, rel=1e-10)


@pytest.mark.parametrize("p", [1, 2, 5, 20])
def test_lengths_have_the_noncentral_chi_law(p):
    """Density and tail against scipy's, which squares them."""
    r = np.array([0.1, 1.0, 4.0, 12.0])
    for ahead in (1e-12, 0.5, 6.0):
        law = stats.ncx2(p, ahead**2 + 1e-300)

        np.testing.assert_allclose(length_density(p, np.array([ahead]), r)[0], 2.0 * r * law.pdf(r**2), rtol=1e-8)
        assert noncentral_above(p, 9.0, ahead) == pytest.approx(law.sf(9.0), rel=1e-9)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: mewma_arl(0, 0.1, 9.0), "p"), (lambda: mewma_arl(2, 0.0, 9.0), "lam"), (lambda: mewma_arl(2, 1.1, 9.0), "lam"),
        (lambda: mewma_arl(2, 0.1, 0.0), "h4"), (lambda: mewma_arl(2, 0.1, math.inf), "h4"),
        (lambda: mewma_arl(2, 0.1, 9.0, -1.0), "delta"),
        (lambda: mewma_limit(2, 0.1, 1.0), "arl0"), (lambda: mewma_limit(2, math.nan, 100.0), "lam"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(call, name):
    """With a ValueError that names the argument."""
    with pytest.raises(ValueError, match=f"^{name} "):
        call()


def test_a_large_average_gets_the_nodes_it_needs():
    """Small weights, wide limits, a small shift: with the nodes that serve small averages the error would be 4e-5."""
    assert mewma_arl(2, 0.01, 30.0, 0.1) == pytest.approx(179898.902, rel=1e-7)


def test_an_average_beyond_the_digits_is_refused():
    """Under a shift the plane equation is solved with rounding; what it cannot tell is not guessed."""
    with pytest.raises(ValueError, match="too large"):
        mewma_arl(2, 0.1, 80.0, 0.1)
