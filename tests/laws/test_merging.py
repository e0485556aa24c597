from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamspc import wire
from streamspc.bucket.merge import merge, scatter, split
from streamspc.bucket.tally import empty, plan
from streamspc.model import TallyTable
from tallying import WINDOW, Row, bits, stream, table

PLAN = plan(stream())
prices = st.one_of(
    st.none(),
    st.integers(-500, 30_000).map(lambda cents: cents / 100),
    st.floats(-(2.0**500), 2.0**500, allow_nan=False),
    st.sampled_from([0.0, -0.0, 5e-324, 2.0**500, -(2.0**500), 0.1]),
)
rows = st.builds(
    Row,
    time=st.integers(0, 3 * WINDOW),
    price=prices,
    status=st.sampled_from(["ok", "error", None]),
    segment=st.sampled_from(["a", "b", "∅", "!"]),
    lag=st.integers(-(10**7), 10**9),
    late=st.integers(0, 9).map(lambda i: i == 0),
)
many = st.builds(lambda some, times: some * times, st.lists(rows, max_size=40), st.sampled_from([1, 3, 20]))  # raw, on the edge, in bins
logs = st.lists(many, min_size=1, max_size=3)  # one list of rows for each source partition


def cut(log: list[Row], partition: int, sizes: list[int]) -> list[TallyTable]:
    """Tables of consecutive batches of a partition, `sizes` repeated."""
    tables, at, turn = [], 0, 0
    while at < len(log):
        size = sizes[turn % len(sizes)]
        tables.append(table(log[at : at + size], partition=partition, first=at, of=PLAN))
        at, turn = at + size, turn + 1
    return tables


def whole(log: list[list[Row]]) -> TallyTable:
    """Each partition in one batch, merged in order."""
    return merge([empty(PLAN), *(table(part, partition=i, of=PLAN) for i, part in enumerate(log))])


def same(one: TallyTable, other: TallyTable) -> None:
    """Equal arrays, and equal bytes in the log."""
    assert bits(one) == bits(other)
    assert wire.encode_table(one) == wire.encode_table(other)


@settings(max_examples=60, deadline=None)
@given(logs, st.lists(st.integers(1, 60), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_any_batching_and_interleaving_gives_the_same_bits(log, sizes, random):
    """However partitions are cut and in whatever order their tables are merged, by twos or all at once, the result is one."""
    expected = whole(log)
    pile = [held for partition, part in enumerate(log) for held in cut(part, partition, sizes)]
    random.shuffle(pile)

    same(merge([empty(PLAN), *pile]), expected)
    while len(pile) > 1:
        one, other = (pile.pop(random.randrange(len(pile))) for _ in range(2))
        pile.append(merge([one, other]))
    same(merge([empty(PLAN), *pile]), expected)


@settings(max_examples=40, deadline=None)
@given(logs, logs, logs)
def test_merging_is_a_commutative_monoid(one, two, three):
    """Identity, commutativity and associativity hold bit for bit, with empty tables as well."""
    a, b, c = whole(one), whole([[], *two]), whole([[], [], *three])
    nothing = empty(PLAN)

    same(merge([a, nothing]), a)
    same(merge([nothing, a]), a)
    same(merge([a, b]), merge([b, a]))
    same(merge([merge([a, b]), c]), merge([a, merge([b, c])]))
    same(merge([merge([nothing, nothing]), nothing]), nothing)


@settings(max_examples=40, deadline=None)
@given(logs, st.integers(0, 4 * WINDOW), st.integers(1, 5))
def test_splitting_and_scattering_lose_nothing(log, bound, partitions):
    """The parts that a table is split into merge to what it was; sources are counted once for each part that carries them."""
    held = whole(log)
    same(merge(split(held, bound)), held)
    parts = scatter(held, "s", partitions)
    again = merge(parts)

    assert bits(again.tallies) == bits(held.tallies)
    assert again.names == held.names
    np.testing.assert_array_equal(again.sources.records, held.sources.records * partitions)


@settings(max_examples=40, deadline=None)
@given(logs)
def test_what_is_read_is_what_was_written(log):
    """A table that went over the wire has the same bits, and merges like the original."""
    held = whole(log)
    again = wire.decode_table(wire.encode_table(held))

    same(again, held)
    same(merge([again, held]), merge([held, held]))
