"""Laws of banks: each series is what one series alone would be, whatever its neighbours, order, and restarts."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charting import Plain, metric, step, stream
from streamspc.chart import Bank
from streamspc.model import RUN_RULES, BaselineSpec, Effect, MetricKind

NUMBERS = ("centre", "sigma", "lcl", "ucl", "z", "cusum_up", "cusum_down", "ewma", "ewma_limit")
FACTS = ("phase", "version", "broken", "side", "onset_lag", "rules")
METRICS = (
    metric("mean", rules=RUN_RULES),
    metric("rate", MetricKind.PROPORTION, direction="up", min_effect=Effect(amount=0.02)),
    metric("count", MetricKind.COUNT, min_effect=Effect(amount=0.1, unit="relative")),
    metric("p90", MetricKind.QUANTILE, q=0.9, direction="down", min_effect=Effect(amount=1.5, unit="sigma"), rules=RUN_RULES),
)
SPEC = stream(*METRICS, baseline=BaselineSpec(windows=12))


def world(seed, windows, segments):
    """Statistics [windows, M, S]: overdispersed, unequal n, gaps, and a shift on the way."""
    rng = np.random.default_rng(seed)
    shape = (windows, len(METRICS), segments)
    n = rng.integers(2, 400, shape)
    late = (np.arange(windows) > windows * 0.6)[:, None, None] * rng.normal(0, 1.5, shape[1:])
    wobble = rng.normal(0, 1, shape) + late + rng.standard_cauchy(shape) * (rng.random(shape) < 0.05)
    value = 10 + 0.3 * wobble + rng.normal(0, 2, shape) / np.sqrt(n)
    value[:, 1] = rng.binomial(n[:, 1], np.clip(0.1 + 0.02 * wobble[:, 1], 0, 1)) / n[:, 1]
    value[:, 2] = n[:, 2]
    value[rng.random(shape) < 0.1] = np.nan
    return value, n, 4 * rng.random(shape), 0.001 * rng.random(shape)


def chart(columns, numbers, bank=None, start=0):
    """Points of all windows for these segments."""
    if bank is None:
        bank = Bank.empty(SPEC)
        bank.grow([f"s{column}" for column in columns])
    value, n, unit, extra = (array[..., columns] for array in numbers)
    rows = zip(value, n, unit, extra, strict=True)
    points = [step(SPEC, bank, start + i, x, n=k, unit=u, extra=e) for i, (x, k, u, e) in enumerate(rows)]
    return bank, points


def numbers_of(point, name):
    """An array of a point; no rules at all are none anywhere."""
    array = getattr(point, name)
    return np.zeros(point.value.shape, np.uint16) if array is None else array


def same(left, right, columns=slice(None)):
    """Are the points the same bits, in these columns of the left ones?"""
    for a, b in zip(left, right, strict=True):
        for name in (*NUMBERS, *FACTS, "value", "n"):
            assert numbers_of(a, name)[:, columns].tobytes() == np.ascontiguousarray(numbers_of(b, name)).tobytes(), name


@given(st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_every_series_is_what_plain_numbers_make_of_it(seed):
    """Limits, statistics, phases, signals, sides and onsets are those of one series told from the definitions alone."""
    numbers = world(seed, 70, 3)
    _, points = chart([0, 1, 2], numbers)
    for m, of in enumerate(METRICS):
        for s in range(3):
            plain = Plain(of, SPEC.baseline.windows, SPEC.baseline.screen)
            for i, point in enumerate(points):
                expected = plain.point(*(array[i, m, s].item() for array in numbers))
                facts = {name: numbers_of(point, name)[m, s].item() for name in FACTS}
                assert facts == {name: expected[name] for name in FACTS}
                got = {name: getattr(point, name)[m, s].item() for name in NUMBERS if name in expected}
                assert got == {name: pytest.approx(expected[name], rel=1e-9, abs=1e-9) for name in got}


@given(st.integers(0, 2**32), st.sets(st.integers(0, 8), min_size=1))
@settings(max_examples=20, deadline=None)
def test_neighbours_leave_no_trace(seed, chosen):
    """A series has the same bits alone, among few, or among many."""
    numbers = world(seed, 40, 9)
    columns = sorted(chosen)
    _, among_many = chart(range(9), numbers)
    _, among_few = chart(columns, numbers)
    same(among_many, among_few, columns)


@given(st.integers(0, 2**32), st.integers(0, 39), st.permutations(range(6)), st.integers(1, 5))
@settings(max_examples=20, deadline=None)
def test_restoring_what_was_saved_goes_on_with_the_same_bits(seed, stop, order, cut):
    """At any window, in any split over shards: the points after a restart are those of a run without one."""
    numbers = world(seed, 40, 6)
    _, whole = chart(range(6), numbers)
    bank, before = chart(range(6), [array[:stop] for array in numbers])
    parts = [([bank.segments[c] for c in part], bank.save(part)) for part in (order[:cut], order[cut:])]
    restored, after = chart(range(6), [array[stop:] for array in numbers], Bank.load(SPEC, parts), stop)
    same(whole, before + after)
    assert restored.segments == bank.segments


@given(st.integers(0, 2**32), st.integers(0, 30))
@settings(max_examples=15, deadline=None)
def test_growing_moves_columns_and_nothing_else(seed, late):
    """A segment that comes later begins its own Phase I; those that were there go on with the same bits."""
    numbers = world(seed, 40, 3)
    _, alone = chart([0, 2], numbers)
    bank, points = chart([0, 2], [array[:late] for array in numbers])
    bank.grow(["s1", "s0"])
    _, grown = chart([0, 1, 2], [array[late:] for array in numbers], bank, late)
    _, newcomer = chart([1], [array[late:] for array in numbers])
    same(alone[:late], points)
    same(grown, alone[late:], [0, 2])
    same(grown, newcomer, [1])


def test_saving_takes_copies():
    """What was saved does not change when the bank goes on."""
    numbers = world(1, 40, 2)
    bank, _ = chart([0, 1], [array[:5] for array in numbers])
    saved = bank.save([0, 1])
    copies = {name: array.copy() for name, array in saved.items()}
    chart([0, 1], [array[5:] for array in numbers], bank, 5)
    assert all(saved[name].tobytes() == copies[name].tobytes() for name in saved)


def test_published_points_are_never_written_again():
    """Points keep their numbers while the bank goes on."""
    numbers = world(2, 40, 2)
    bank, points = chart([0, 1], [array[:20] for array in numbers])
    copies = [
        {f.name: np.copy(getattr(p, f.name)) for f in dataclasses.fields(p) if isinstance(getattr(p, f.name), np.ndarray)} for p in points
    ]
    chart([0, 1], [array[20:] for array in numbers], bank, 20)
    for point, copy in zip(points, copies, strict=True):
        assert all(getattr(point, name).tobytes() == array.tobytes() for name, array in copy.items())
