from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamspc.bucket import exact
from streamspc.errors import Fatal
from streamspc.model import ExactSum
from tallying import bits

LARGE = 2.0**500
numbers = st.floats(-LARGE, LARGE, allow_nan=False).filter(lambda x: x == 0 or abs(x) > 2.0**-200)
prices = st.integers(-(10**9), 10**9).map(lambda cents: cents / 100)


def fraction(total: ExactSum, row: int = 0) -> Fraction:
    return sum((int(d) * Fraction(2) ** (26 * (total.low + j)) for j, d in enumerate(total.bins[row])), Fraction(0))


def one(values: list[float] | np.ndarray, of: Callable[..., ExactSum] = exact.sums) -> ExactSum:
    return of(np.array(values, np.float64), np.zeros(len(values), np.int64), 1)


@given(st.lists(st.one_of(numbers, prices)))
def test_sums_are_exact(values):
    """A sum equals that of fractions, whatever the sizes of its terms."""
    assert fraction(one(values)) == sum(map(Fraction, values))


@given(st.lists(st.one_of(numbers, prices)))
def test_squares_are_exact(values):
    """A sum of squares equals that of fractions, too."""
    assert fraction(one(values, exact.squares)) == sum(Fraction(x) ** 2 for x in values)


@given(st.lists(st.one_of(numbers, prices), min_size=1), st.randoms(use_true_random=False), st.data())
def test_sums_forget_order_and_cuts(values, random, data):
    """Any order and any cut end in the same digits."""
    shuffled = random.sample(values, len(values))
    cut = data.draw(st.integers(0, len(values)))
    for of in (exact.sums, exact.squares):
        parts = [one(shuffled[:cut], of), one(shuffled[cut:], of)]

        assert bits(exact.add([(part, np.zeros(1, np.int64)) for part in parts], 1)) == bits(one(values, of))


@given(st.lists(st.tuples(prices, st.integers(0, 4)), min_size=1))
def test_cells_are_apart(pairs):
    """Each cell holds the sum of its own values, and taking cells out keeps their sums."""
    values, cell = np.array([x for x, _ in pairs]), np.array([c for _, c in pairs], np.int64)
    total = exact.sums(values, cell, 5)
    for i in range(5):
        assert fraction(total, i) == sum(Fraction(x) for x, c in pairs if c == i)
        assert bits(exact.take(total, np.array([i]))) == bits(one([x for x, c in pairs if c == i]))


def test_long_columns_are_cut_into_chunks_that_stay_exact():
    """Values that would overflow 2**53 units in one go are added in chunks."""
    values = np.full(5 * exact.CHUNK + 7, 2.0**30 * 0.9999999)

    assert fraction(one(values)) == len(values) * Fraction(values[0])


def test_digits_are_balanced_and_trimmed():
    """Each digit lies in [-2**25, 2**25), and no outer weight is unused; a sum of nothing has no digits at all."""
    total = one([2.0**70, -(2.0**26), 2.0**-40])

    assert total.bins.min() >= -(2**25)
    assert total.bins.max() < 2**25
    assert total.bins[0, 0] != 0 != total.bins[0, -1]
    assert bits(one([1e300, -1e300, -0.0])) == bits(one([])) == bits(ExactSum(0, np.zeros((1, 0), np.int64)))


def test_below_the_grid_values_are_rounded_one_by_one():
    """What is below 2**-520 is rounded in each value alone, so that neighbours do not change it."""
    tiny = 2.0**-521 * 1.5

    assert fraction(one([tiny] * 4)) == 4 * Fraction(2) ** -520
    assert bits(one([tiny, 1e100, -1e100])) == bits(one([tiny]))
    assert bits(one([5e-324, 2.0**-521])) == bits(one([]))


@given(st.lists(numbers, min_size=1))
def test_value_is_within_one_unit_in_the_last_place(values):
    """A sum becomes a double once, and nearly correctly rounded."""
    true = sum(map(Fraction, values))
    got = float(exact.value(one(values))[0])

    assert abs(Fraction(got) - true) <= Fraction(math.ulp(got))


def test_variance_does_not_cancel():
    """With mean 1e9 and standard deviation 1e-3, the variance has full precision."""
    values = 1e9 + np.arange(-500, 500) * 3.5e-6
    true = [Fraction(x) for x in values.tolist()]
    mean = sum(true, Fraction(0)) / len(true)
    expected = float(sum((x - mean) ** 2 for x in true) / (len(true) - 1))
    n = np.array([len(values)])

    assert exact.variance(n, one(values), one(values, exact.squares))[0] == pytest.approx(expected, rel=4e-16, abs=0)


@given(st.lists(st.one_of(numbers, prices), min_size=2, max_size=40))
def test_variance_equals_that_of_fractions(values):
    """The variance of anything that admission lets through is right to the last bits, and finite."""
    true = [Fraction(x) for x in values]
    mean = sum(true, Fraction(0)) / len(true)
    expected = sum(((x - mean) ** 2 for x in true), Fraction(0)) / (len(true) - 1)
    got = exact.variance(np.array([len(values)]), one(values), one(values, exact.squares))[0]

    assert abs(Fraction(float(got)) - expected) <= 4 * Fraction(math.ulp(got))


def test_variance_of_fewer_than_two_values_is_not_a_number():
    """One value has no variance, none has none either, and two equal ones have 0."""
    cell = np.array([1, 2, 2])
    values = np.array([7.0, 0.1, 0.1])
    variance = exact.variance(np.array([0, 1, 2]), exact.sums(values, cell, 3), exact.squares(values, cell, 3))

    assert np.isnan(variance[:2]).all()
    assert variance[2] == 0


def test_variance_of_the_largest_numbers_is_finite():
    """Squares of sums leave the range of doubles; their variance does not."""
    values = np.tile([LARGE, -LARGE], 4 * exact.CHUNK)
    n = np.array([len(values)])

    assert exact.variance(n, one(values), one(values, exact.squares))[0] == pytest.approx(LARGE**2, rel=1e-4)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 1e308])
def test_numbers_that_admission_refuses_stop_the_process(value):
    """A number that cannot be added exactly is refused: never a silent nan."""
    with pytest.raises(Fatal, match="admission"):
        one([1.0, value])
