"""Chances of single counts."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from streamspc.design import saddle_point


@pytest.mark.parametrize("x", [1, 2, 15, 16, 17, 60])
def test_the_binomial_density_is_exact(x):
    """On both sides of where Stirling's series takes over."""
    exact = math.comb(100, x) * Fraction(1, 8) ** x * Fraction(7, 8) ** (100 - x)
    found = saddle_point.binomial(np.array([float(x)]), np.array([100.0 - x]), 0.125, 0.875)

    assert found[0] == pytest.approx(float(exact), rel=1e-13)


@pytest.mark.parametrize("x", [0, 1, 15, 16, 17, 80])
def test_the_poisson_chance_is_exact(x):
    """Zero included."""
    exact = Fraction(25, 2) ** x / math.factorial(x)

    assert saddle_point.poisson(np.array([float(x)]), 12.5)[0] == pytest.approx(float(exact) * math.exp(-12.5), rel=1e-13)
