"""Lattices of CUSUMs of counts."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from streamspc.design.counts import Poisson
from streamspc.design.walk import Walk, limit_of, rational, steps_to_signal


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        (2.5, Fraction(5, 2)),
        (0.1 + 0.2, Fraction(3, 10)),
        (5.1 - 5.0, Fraction(1, 10)),
        (1 / 3, Fraction(1, 3)),
        (1000050.37, Fraction(100005037, 100)),
        (2.466303, Fraction(2466303, 1000000)),
        (0.0, Fraction(0)),
    ],
)
def test_a_float_is_the_simplest_fraction_that_it_can_mean(value, meant):
    """Rounding is undone."""
    assert rational(value) == meant


def test_a_float_that_means_no_fraction_is_itself():
    """But for less than a float can tell, so that nothing is refused and whole numbers of 64 bits do."""
    assert float(rational(math.pi)) == math.pi
    assert rational(math.pi).denominator <= 2**40


@pytest.mark.parametrize(("h", "touching", "steps"), [(5, True, 10), (5, False, 11), (5.25, True, 11), (5.25, False, 11), (0, True, 0)])
def test_steps_to_a_signal(h, touching, steps):
    """On a limit or beyond it; limits between two states count as the one above."""
    assert steps_to_signal(Fraction(h), 2, touching=touching) == steps


@pytest.mark.parametrize("q", [1, 3, 7, 1000, 2**51 + 1])
@pytest.mark.parametrize("touching", [True, False])
def test_a_limit_gives_its_steps_back(q, touching):
    """However the float is rounded, no limit is short of a step."""
    for steps in (q + 1, 2 * q, 10 * q + 3):
        limit = limit_of(steps, q, touching=touching)

        assert steps_to_signal(rational(limit), q, touching=touching) >= steps
        assert limit == pytest.approx((steps - (not touching)) / q, rel=3e-14)


def test_both_sides_have_opposite_steps():
    """The lower side is the upper side of the negative count."""
    law = Poisson(3.0)
    up, down = Walk(law, Fraction(5, 2), upper=True), Walk(law, Fraction(5, 2), upper=False)
    y = np.arange(-9.0, 10.0)

    assert up.at(y).tolist() == down.at(-y).tolist()
    assert up.from_(y) == pytest.approx(np.cumsum(up.at(np.arange(-9.0, 60.0))[::-1])[::-1][: len(y)], rel=1e-12)
    assert down.from_(y) == pytest.approx(law.up_to(-y))
    assert (up.fall, down.fall) == (Fraction(5, 2), Fraction(-5, 2))
