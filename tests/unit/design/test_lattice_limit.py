"""Smallest limits on a lattice."""

from __future__ import annotations

import math

import pytest

from streamspc.design.lattice_limit import smallest


@pytest.mark.parametrize("guess", [1, 7, 5000])
@pytest.mark.parametrize("exact", [1, 2, 6, 999, 10**6 + 1])
@pytest.mark.parametrize("shape", [lambda n: 1.0 + n, lambda n: math.exp(n / 1e4), lambda n: 1.0 + float(n) ** 3])
def test_the_smallest_is_found_from_any_guess(exact, guess, shape):
    """Where the average run length reaches the goal exactly, and a little less would do with a step less."""
    assert smallest(shape, shape(exact), lambda _: guess) == exact
    assert smallest(shape, 0.5 * (shape(exact) + shape(exact - 1)), lambda _: guess) == exact


def test_steps_in_the_average_run_length_are_no_matter():
    """Bisection takes turns with the straight line."""
    assert smallest(lambda n: 5.0 if n < 700 else 1e9, 6.0, lambda _: 1) == 700


def test_a_fine_lattice_is_searched_to_ten_digits():
    """Beyond that, a step is nothing that a float of a limit could show."""
    found = smallest(lambda n: 1.0 + n, 1.0 + 2.0**80, lambda _: 2.0**70)

    assert found == pytest.approx(2.0**80, rel=2e-10)


@pytest.mark.parametrize(("level", "reason"), [(2.0, "no limit up to"), (math.inf, "never signal")])
def test_what_no_limit_gives_is_refused(level, reason):
    """A level average run length, or an infinite one."""
    with pytest.raises(ValueError, match=reason):
        smallest(lambda _: level, 3.0, lambda _: 1)
