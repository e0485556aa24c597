"""Walks that rise, in closed form, against the equations of all states and cycles followed point by point; heights that matter."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from streamspc.design import count_cusum, excursion, poisson_cusum_arl, poisson_cusum_limit, rising, toeplitz
from streamspc.design.count_sums import density, growth, log_moment, moments_from, moments_up_to
from streamspc.design.counts import Binomial, NegativeBinomial, Poisson
from streamspc.design.lattice_heights import heights
from streamspc.design.lundberg import exponent
from streamspc.design.walk import Walk, places, rational

RISING = [
    (Poisson(2.0), "2.5", False), (Poisson(2.0), "3", False), (Poisson(4.0), "3.2", True), (Poisson(14.0), "13.25", True),
    (Binomial(50, 0.1), "6.1", False), (Binomial(20, 0.3), "5.3", True),
    (NegativeBinomial(2.0, 3.0), "2.6", False), (NegativeBinomial(10.0, 30.0), "8.5", True), (Poisson(0.3), "0.5", False),
]  # fmt: skip


@pytest.mark.parametrize("far", [12.5, 25.0, 60.0])
@pytest.mark.parametrize(("law", "k", "upper"), RISING, ids=str)
def test_the_equations_of_all_states_say_the_same(law, k, upper, far):
    """At limits from which a way back is unlikely, wherever on the lattice; or nothing is said at all."""
    walk = Walk(law, Fraction(k), upper)
    q = walk.k.denominator
    base = math.ceil(far * law.spread**2 / walk.drift * q)
    for states in range(base, base + min(q, 4)):
        value = rising.arl(walk, states)

        assert value is None or value == pytest.approx(toeplitz.arl(walk, states), rel=3e-7)
    assert far < 30.0 or value is not None


@pytest.mark.parametrize(("law", "k", "upper", "h"), [
    (Poisson(2.0), "2.512345", False, (260.1, 400.7)),
    (Binomial(200, 0.02), "4.6543217", False, (200.3, 350.9)),
    (NegativeBinomial(5.0, 9.0), "4.2000137", True, (300.5, 480.25)),
    (Poisson(10.0), "12.3456", False, (1200.0, 1512.5)),
])  # fmt: skip
def test_a_lattice_too_fine_for_equations(law, k, upper, h):
    """Cycles followed point by point, without any closed form."""
    walk = Walk(law, Fraction(k), upper)
    for height in h:
        states = round(Fraction(height) * walk.k.denominator)

        assert rising.arl(walk, states) == pytest.approx(excursion.arl(walk, states), rel=2e-7)


@pytest.mark.parametrize("sided", ["upper", "lower"])
def test_walks_that_fall_are_not_its_business(sided):
    """Nor limits from which a walk comes back."""
    walk = Walk(Poisson(2.0), Fraction(2), sided == "upper")

    assert rising.arl(walk, 10**6) is None
    assert rising.arl(Walk(Poisson(2.0), Fraction("2.5"), upper=True), 10**6) is None
    assert rising.arl(Walk(Poisson(2.0), Fraction("2.5"), upper=False), 20) is None


@pytest.mark.parametrize(
    ("mean", "k", "arl0"),
    [(2.0, 2.512345, 370.0), (10.0, 12.3456, 1e4), (4.0, 5.123456, 1e5), (3.0, 2.9, 500.0), (2.0, 1 / math.log(1.5), 740.0)],
)
def test_limits_of_two_sides_of_which_one_rises(mean, k, arl0):
    """The smallest on the lattice: a step less is too little."""
    h = poisson_cusum_limit(mean, k, arl0, sided="two")
    step = max(1.0 / rational(k).denominator, 3e-10 * h)

    assert poisson_cusum_arl(mean, k, h, sided="two") >= arl0 * (1.0 - 1e-9)
    assert poisson_cusum_arl(mean, k, h - step, sided="two") < arl0
    assert poisson_cusum_arl(mean, k, h, sided="two") == pytest.approx(arl0, rel=2.0 / arl0)


def test_far_limits_are_computed_and_not_refused():
    """A rise of a hundred thousand points, and a falling side that signals never; in the slope of Wald."""
    near, far = (poisson_cusum_arl(4.0, 5.123456, h, sided="two") for h in (112345.0, 212345.0))

    assert far - near == pytest.approx(1e5 / 1.123456, rel=1e-6)
    assert poisson_cusum_arl(2.0, 2.5, 1e9) == math.inf


def test_only_heights_that_matter_are_listed():
    """Between two of them the average run length is the same, and at each of them it is not."""
    walk = Walk(Poisson(2.0), Fraction("2.2501"), upper=True)
    low = 60_000
    listed = heights([walk], low, low + 300)
    values = {n: excursion.arl(walk, n) for n in range(low, low + 301, 1)}
    grown = [n for n in range(low + 1, low + 301) if values[n] > values[n - 1] * (1.0 + 1e-9)]

    assert listed is not None
    assert set(grown) <= set(listed)
    assert len(listed) < 100


def test_a_chance_that_never_matters_costs_nothing():
    """Lundberg's exponent: E e^(theta X) = 1; a side too rare to count is not computed, and the bound is one."""
    for law in (Poisson(2.0), Binomial(20, 0.1), NegativeBinomial(2.0, 3.0)):
        for k, upper in (("2.4", True), ("1.7", False)):
            walk = Walk(law, Fraction(k), upper)
            theta, sign = exponent(walk), 1.0 if upper else -1.0

            assert log_moment(law, sign * theta) == pytest.approx(sign * theta * float(walk.k), rel=1e-9)
            assert count_cusum._side(walk, 12 * walk.k.denominator) > math.exp(12 * theta)
    assert exponent(Walk(Binomial(5, 0.5), Fraction(6), upper=True)) == math.inf
    assert exponent(Walk(Poisson(2.0), Fraction(1), upper=True)) == 0.0


@pytest.mark.parametrize("law", [Poisson(2.3), Binomial(7, 0.3), NegativeBinomial(2.0, 3.5)], ids=str)
def test_sums_of_counts(law):
    """Their densities at whole numbers by convolution, their moments over a tail by addition."""
    one = law.at(np.arange(200.0))
    many = np.convolve(np.convolve(one, one), one)[:200]
    x = np.arange(1.0, 20.0)
    c, n = np.array(8.0), np.array(3.0)
    j = np.arange(200.0)

    assert density(law, np.full(19, 3.0), x) == pytest.approx(many[1:20], rel=1e-10)
    assert growth(law, np.full(18, 3.0), x[:-1]) == pytest.approx(many[2:20] / many[1:19], rel=1e-10)
    for i, (above, below) in enumerate(zip(moments_from(law, n, c), moments_up_to(law, n, c), strict=True)):
        assert above == pytest.approx((j**i * many)[8:].sum(), rel=1e-10)
        assert below == pytest.approx((j**i * many)[:9].sum(), rel=1e-10)


def test_places_are_exact():
    """For a denominator near 2^40 and a hundred thousand points."""
    k = rational(math.pi)
    whole, rest = places(k, 10**6, 7, 1000)
    exact = [divmod(t * k + Fraction(7, k.denominator), 1) for t in range(10**6, 10**6 + 1000)]

    assert whole.tolist() == [w for w, _ in exact]
    assert rest.tolist() == [float(r) for _, r in exact]
