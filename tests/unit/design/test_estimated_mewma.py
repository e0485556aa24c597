"""Limits of charts of several metrics that allow for an estimated centre and covariance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from streamspc.chart.classic import hotelling
from streamspc.design import expected_rate_mewma_limit, mewma_limit


@pytest.mark.parametrize(("p", "m"), [(2, 10), (5, 50), (8, 25)])
def test_without_memory_it_is_the_law_of_phase_two(p, m):
    """The F law, as `chart.classic` has it; at a rate so small that its complement would have lost the digits, too."""
    assert expected_rate_mewma_limit(p, 1.0, m, 1000.0) == pytest.approx(hotelling.phase_two_limit(p, m, confidence=0.999), rel=1e-12)
    far = p * (m + 1) * (m - 1) / (m * (m - p)) * stats.f(p, m - p).isf(1e-11)
    assert expected_rate_mewma_limit(p, 1.0, m, 1e11) == pytest.approx(far, rel=1e-6)  # the quantile of scipy has some digits less


def test_many_vectors_leave_the_limit_of_known_parameters():
    """To within what a million vectors leave unknown."""
    for lam in (1.0, 0.2):
        assert expected_rate_mewma_limit(3, lam, 1_000_000) == pytest.approx(mewma_limit(3, lam, 370.4), rel=1e-4)


@pytest.mark.parametrize(("p", "lam", "m"), [(2, 0.2, 50), (3, 0.1, 60)])
def test_the_realised_rate_is_the_wished_one(p, lam, m):
    """Averaged over simulated Phase I: between the wished rate and 15 % less."""
    rng, series, steps, arl0 = np.random.default_rng(1), 1500, 600, 60.0
    limit = expected_rate_mewma_limit(p, lam, m, arl0)
    x = rng.standard_normal((series, m, p))
    centre = x.mean(axis=1)
    apart = x - centre[:, None]
    precision = np.linalg.inv(np.einsum("smi,smj->sij", apart, apart) / (m - 1)) * (2 - lam) / lam
    z, alarms = np.zeros((series, p)), 0
    for _ in range(steps):
        z = (1 - lam) * z + lam * (rng.standard_normal((series, p)) - centre)
        over = np.einsum("si,sij,sj->s", z, precision, z) > limit
        alarms += over.sum()
        z[over] = 0

    assert 0.85 < alarms / (series * steps) * arl0 < 1.02


@pytest.mark.parametrize("arguments", [(3, 0.1, 3), (0, 0.1, 50), (3, 0.0, 50), (3, 0.1, 50, 1.0)])
def test_impossible_arguments_are_refused(arguments):
    """By name."""
    with pytest.raises(ValueError, match=r"^(m|p|lam|arl0) is"):
        expected_rate_mewma_limit(*arguments)
