"""Equations of walks on lattices, against a closed form."""

from __future__ import annotations

from fractions import Fraction

import pytest

from streamspc.design import toeplitz
from streamspc.design.counts import Binomial
from streamspc.design.walk import Walk, rational


@pytest.mark.parametrize("p", [0.05, 0.2, 0.5, 0.7])
@pytest.mark.parametrize("states", [1, 2, 7, 60])
def test_a_walk_by_single_steps_has_a_closed_form(p, states):
    """The gambler's ruin with a reflecting end; average run lengths up to 1e77 keep their digits."""
    up, down = Fraction(p), 1 - Fraction(p)
    climb = total = Fraction(0)
    for _ in range(states):  # the mean time from s to s + 1 is (1 + down * the one from s - 1 to s) / up, from 0 onwards
        climb = (1 + down * climb) / up
        total += climb

    assert toeplitz.arl(Walk(Binomial(1, p), rational(0.5), upper=True), states) == pytest.approx(float(total), rel=1e-12)
