from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamspc.bucket import sketch
from streamspc.bucket.sketch import RAW
from streamspc.model import Quantiles
from tallying import bits

ERROR = 1 / 128
values = st.floats(-(2.0**500), 2.0**500, allow_nan=False).filter(lambda x: x == 0 or abs(x) > 1e-300)


def one(numbers) -> Quantiles:
    numbers = np.array(numbers, np.float64) + 0.0
    return sketch.sketch(numbers, np.zeros(len(numbers), np.int64), 1)


@given(st.lists(values, min_size=RAW + 1, max_size=4 * RAW), st.floats(0.001, 0.999))
def test_binned_quantiles_are_within_one_per_cent(numbers, q):
    """The quantile of bins is within 1/128 of numpy's, by the size of the values beside it, whatever the values are."""
    got = sketch.quantile(one(numbers), q)[0]
    below = int(np.floor((len(numbers) - 1) * q))
    beside = sorted(numbers)[below : below + 2]

    assert abs(got - np.quantile(numbers, q)) <= 1.001 * ERROR * max(map(abs, beside))


def test_a_quantile_between_far_bins_is_between_them():
    """A rank between the last value of a bin and the first of a far one is interpolated, as it is between raw values."""
    numbers = [1.0] * (RAW // 2 + 1) + [1000.0] * (RAW // 2)

    assert sketch.quantile(one(numbers), 0.514)[0] == pytest.approx(np.quantile(numbers, 0.514), rel=ERROR)


@given(st.lists(values, min_size=1, max_size=RAW), st.floats(0.001, 0.999))
def test_few_values_have_exact_quantiles(numbers, q):
    """With few values the quantile is that of numpy."""
    expected = np.quantile(numbers, q)

    assert sketch.quantile(one(numbers), q)[0] == pytest.approx(expected, rel=1e-12, abs=1e-12 * max(map(abs, numbers)))


@given(st.lists(st.tuples(values, st.integers(0, 2)), max_size=5 * RAW), st.integers(0, 5 * RAW), st.randoms(use_true_random=False))
def test_form_depends_on_the_count_alone(pairs, cut, random):
    """Merging raw with raw, raw with bins or bins with bins ends in the arrays that the whole has, in any order."""
    shuffled = random.sample(pairs, len(pairs))

    def of(some):
        return sketch.sketch(np.array([x for x, _ in some]) + 0.0, np.array([c for _, c in some], np.int64), 3)

    each = np.arange(3)
    assert bits(sketch.add([(of(shuffled[:cut]), each), (of(shuffled[cut:]), each)], 3)) == bits(of(pairs))


@pytest.mark.parametrize("count", [RAW, RAW + 1])
def test_values_travel_raw_up_to_a_limit(count):
    """Up to RAW values a cell has raw values only, beyond it bins only; counts tell of each value."""
    held = one(range(count))

    assert (len(held.raw_value), held.bin_count.sum()) == ((count, 0) if count == RAW else (0, count))


@given(st.lists(values, min_size=RAW + 1, max_size=3 * RAW))
def test_keys_sort_like_values(numbers):
    """A greater value never has a lesser key, zero has its own, and a value lies within the edges of its bin."""
    numbers = np.sort(np.array(numbers) + 0.0)
    keys = sketch._keys(numbers)
    low, high = sketch._edges(keys.astype(np.int32))

    assert (np.diff(keys) >= 0).all()
    assert ((keys == 0) == (numbers == 0)).all()
    assert ((low <= numbers) & (numbers <= high)).all()


def test_sparse_and_dense_counting_agree():
    """Bins that are counted in a dense array equal those that are sorted."""
    numbers = np.tile(np.geomspace(1, 2, 100), 3)
    dense = one(numbers)
    sparse = one(np.append(numbers, 1e300))

    assert bits(sparse.bin_count[:-1]) == bits(dense.bin_count)
    assert bits(sparse.bin_key[:-1]) == bits(dense.bin_key)


def test_taking_cells_renumbers_them():
    """The sketches of some cells are those that these cells have alone."""
    cell = np.repeat([0, 1, 2, 3], [5, RAW + 9, 3, RAW + 1])
    numbers = np.linspace(-3, 9, len(cell)) + 0.0
    held = sketch.sketch(numbers, cell, 4)
    kept = np.isin(cell, [1, 2])

    assert bits(sketch.take(held, np.array([1, 2]))) == bits(sketch.sketch(numbers[kept], cell[kept] - 1, 2))


def test_an_empty_cell_has_no_quantile():
    """Nothing has no quantile, and no variance that could hurt."""
    nothing = one([])

    assert np.isnan(sketch.quantile(nothing, 0.5)).all()
    assert sketch.density_variance(nothing, 0.5).tolist() == [0]
    assert sketch.grid_variance(nothing, 0.5).tolist() == [0]


@pytest.mark.parametrize("q", [0.5, 0.9, 0.95])
def test_density_variance_is_that_of_the_quantile(q):
    """Over many cells the mean of the estimates is near the variance that the quantiles have, times n."""
    cells, n = 800, 400
    numbers = np.random.default_rng(7).exponential(10, cells * n)
    held = sketch.sketch(numbers, np.repeat(np.arange(cells), n), cells)
    true = n * sketch.quantile(held, q).var()

    assert sketch.density_variance(held, q).mean() == pytest.approx(true, rel=0.25)


@pytest.mark.parametrize("count", [RAW // 2, 10 * RAW])
def test_an_atom_does_not_vary(count):
    """Where all values are equal the quantile's variance is 0 but for the width of a bin."""
    held = one([3.0] * count)
    width = 2 * ERROR if count > RAW else 0.0

    assert 0 <= sketch.density_variance(held, 0.5)[0] <= count * width**2
    assert sketch.grid_variance(held, 0.5)[0] == pytest.approx((width / 2) ** 2 / 3)
