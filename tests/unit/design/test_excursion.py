"""Cycles followed point by point, against the equations of the same lattice."""

from __future__ import annotations

import pytest

from streamspc.design import excursion, toeplitz
from streamspc.design.counts import Binomial, NegativeBinomial, Poisson
from streamspc.design.walk import Walk, rational, steps_to_signal

CASES = [
    (Poisson(2.0), 2.5, 5.0, True),
    (Poisson(2.0), 1.5, 5.0, False),
    (Poisson(0.1), 0.25, 10.0, False),
    (Poisson(2.0), 2.47, 20.0, True),
    (Poisson(2.0), 2.012, 20.0, True),
    (Poisson(2.0), 2.0, 50.0, True),
    (Poisson(2.0), 1.5, 50.0, True),
    (Poisson(2.0), 2.5, 100.0, True),
    (Poisson(1000.0), 1010.25, 500.0, True),
    (Poisson(1000.0), 1030.0, 1500.0, True),
    (Poisson(1000.0), 970.0, 1500.0, False),
    (Binomial(10, 0.3), 3.7, 4.1, False),
    (Binomial(1, 0.01), 0.02, 5.0, True),
    (NegativeBinomial(10.0, 30.0), 13.0, 40.0, True),
    (Poisson(0.0), 0.5, 5.0, False),
    (Poisson(0.0), 0.5, 5.0, True),
]


@pytest.mark.parametrize(("law", "k", "h", "upper"), CASES, ids=str)
def test_two_methods_agree(law, k, h, upper):
    """Direct and transformed convolutions, falling, level and rising walks, certain and impossible signals; up to 1e70 points."""
    walk = Walk(law, rational(k), upper)
    states = steps_to_signal(rational(h), walk.k.denominator, touching=True)

    assert excursion.arl(walk, states) == pytest.approx(toeplitz.arl(walk, states), rel=2e-8)


@pytest.mark.parametrize(("k", "h"), [(2.012, 20.0), (2.0125, 60.0), (2.303, 8.0), (1.997, 8.0)])
def test_stretches_that_do_not_fit_the_lattice_do_little_harm(k, h, monkeypatch):
    """As happens where q is larger than any stretch can be."""
    walk = Walk(Poisson(2.0), rational(k), upper=True)
    states = steps_to_signal(rational(h), walk.k.denominator, touching=True)
    monkeypatch.setattr(excursion, "_STRETCH", 7)

    assert excursion.arl(walk, states) == pytest.approx(toeplitz.arl(walk, states), rel=2e-8)


def test_a_limit_of_nothing_signals_at_once():
    """Whatever the count is."""
    walk = Walk(Poisson(2.0), rational(2.5), upper=True)

    assert excursion.arl(walk, 0) == toeplitz.arl(walk, 0) == 1.0
