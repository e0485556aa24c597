from __future__ import annotations

import numpy as np
import pytest

from streamspc.bucket import exact
from streamspc.bucket.merge import merge, scatter, split, window
from streamspc.bucket.tally import empty, plan, tabulate
from streamspc.errors import ConfigError
from streamspc.model import WHOLE, FieldKind, MetricKind, MetricSpec, Moments, Quantiles, Ratio, shard
from tallying import METRICS, WINDOW, Row, bits, columns, stream, table

ROWS = [
    Row(1, 2.0, "ok", "b", lag=500_000),
    Row(2, None, "error", "a", lag=1_500_000),
    Row(WINDOW + 5, 150.0, "error", "b"),
    Row(3, 300.0, "error", "a"),
    Row(4, 0.5, None, "a", late=True),
    Row(WINDOW + 6, -7.0, "ok", "c"),
]


def cells(held):
    """Records by (window number, segment), in the table's order."""
    keys = zip((held.start // WINDOW).tolist(), (held.names[code] for code in held.segment), strict=True)
    return dict(zip(keys, held.records.tolist(), strict=True))


def tally_of(held, name, segmented=True):
    spec = stream(segmented)
    index = [metric.name for metric in spec.metrics].index(name)
    return held.tallies[plan(spec).of_metric[index]]


def test_metrics_share_tallies():
    """Mean, sum, sd, min and max of one field and filter are one tally, as are all quantiles of it."""
    of = dict(zip((metric.name for metric in METRICS), plan(stream()).of_metric, strict=True))

    assert of["sum"] == of["mean"] == of["sd"] == of["min"] == of["max"]
    assert of["median"] == of["p90"]
    assert len(set(of.values())) == len(plan(stream()).tallies) == 8


def test_fields_are_merged_from_all_uses():
    """A field is what its uses ask for together; a null rate asks for nothing."""
    assert plan(stream()).fields == {"price": FieldKind.NUMBER, "status": FieldKind.TEXT}
    free = [MetricSpec(name="n", kind=MetricKind.NULL_RATE, field="x")]
    assert plan(stream(metrics=free)).fields == {"x": FieldKind.ANY}


def test_a_conflict_names_both_uses():
    """A field that is a number here and a text there is refused, and the message says where."""
    metrics = [
        MetricSpec(name="nulls", kind=MetricKind.NULL_RATE, field="price"),
        MetricSpec(name="mean", kind=MetricKind.MEAN, field="price"),
        MetricSpec(name="free", kind=MetricKind.COUNT, where="price == 'free'"),
    ]
    with pytest.raises(ConfigError, match=r"price is a number to metric mean but a text to `price == 'free'` of metric free"):
        plan(stream(metrics=metrics))


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ({"kind": MetricKind.MEAN}, "needs `field`"),
        ({"kind": MetricKind.COUNT, "field": "price"}, "no use for `field`"),
        ({"kind": MetricKind.QUANTILE, "field": "price"}, "needs `q`"),
        ({"kind": MetricKind.QUANTILE, "field": "price", "q": 1.0}, "between 0 and 1"),
        ({"kind": MetricKind.MEAN, "field": "price", "of": "price > 1"}, "no use for `of`"),
        ({"kind": MetricKind.PROPORTION}, "needs `where`"),
    ],
)
def test_metrics_that_lack_something_are_refused(wrong, fault):
    """The plan of a metric that cannot be computed is refused with what it lacks."""
    with pytest.raises(ConfigError, match=fault):
        plan(stream(metrics=[MetricSpec(name="m", **wrong)]))


def test_cells_are_windows_and_segments_and_the_whole():
    """There is a cell for each window and segment that occur, and one for the whole stream; late records are in none."""
    held = table(ROWS)

    assert cells(held) == {(0, WHOLE): 3, (0, "a"): 2, (0, "b"): 1, (1, WHOLE): 2, (1, "b"): 1, (1, "c"): 1}
    assert list(cells(held)) == sorted(cells(held))
    assert held.names == ("*", "a", "b", "c")
    assert (held.end - held.start == WINDOW).all()


def test_a_stream_without_segments_has_the_whole_only():
    """Without segments the whole stream is the only segment."""
    assert cells(table(ROWS, segmented=False)) == {(0, WHOLE): 3, (1, WHOLE): 2}


def test_the_whole_is_the_same_with_and_without_segments():
    """The whole stream made of segments equals the one made of records, bit for bit."""
    parts = scatter(table(ROWS), "s", 256)

    assert bits(parts[shard("s", WHOLE)]) == bits(table(ROWS, segmented=False))


def test_names_of_late_records_are_not_kept():
    """A segment whose records are all late leaves no name behind."""
    assert table([Row(1, segment="a", late=True), Row(2, segment="b")]).names == ("*", "b")


def test_tallies_hold_what_their_filters_let_through():
    """Nulls do not count in moments, filters bind each tally, a proportion has a denominator of its own."""
    held = table(ROWS, segmented=False)

    assert tally_of(held, "dear", False).n.tolist() == [1, 1]
    mean = tally_of(held, "mean", False)
    assert isinstance(mean, Moments)
    assert mean.n.tolist() == [2, 2]
    assert exact.value(mean.total).tolist() == [302.0, 143.0]
    assert exact.value(mean.squares).tolist() == [90004.0, 22549.0]
    assert (mean.least.tolist(), mean.most.tolist()) == ([2.0, -7.0], [300.0, 150.0])
    assert tally_of(held, "mean_ok", False).n.tolist() == [1, 1]
    assert bits(tally_of(held, "errors", False)) == bits(Ratio(np.array([2, 1]), np.array([1, 1])))
    assert bits(tally_of(held, "nulls", False)) == bits(Ratio(np.array([3, 2]), np.array([1, 0])))
    assert exact.value(tally_of(held, "lag", False).total).tolist() == [2.0, 0.0]
    median = tally_of(held, "median", False)
    assert isinstance(median, Quantiles)
    assert median.raw_value.tolist() == [2.0, 300.0, -7.0, 150.0]


def test_an_empty_cell_of_moments_has_infinite_bounds():
    """Where all values are null, least and most are the identities of their merging."""
    mean = tally_of(table([Row(1, None)]), "mean")

    assert (mean.least.tolist(), mean.most.tolist(), mean.n.tolist()) == ([np.inf] * 2, [-np.inf] * 2, [0] * 2)


def test_signs_of_zero_do_not_matter():
    """Minus zero is zero: the order in which they come changes no bit."""
    assert bits(table([Row(1, 0.0), Row(2, -0.0)])) == bits(table([Row(1, -0.0), Row(2, 0.0)]))


def test_sources_tell_the_offsets_of_each_window():
    """Sources hold first and last offset and the count of the records kept, gaps included."""
    admitted, keep, start, end, batch = columns(ROWS, partition=3, first=100)
    held = tabulate(plan(stream()), admitted, keep, start, end, batch)

    rows = [tuple(column.tolist()) for column in held.sources]
    assert rows == [(0, WINDOW), (3, 3), (100, 102), (103, 105), (3, 2)]


def test_many_sparse_windows_are_counted_alike():
    """Cells numbered by sorting equal those numbered through a dense array."""
    rows = [Row(i * WINDOW, float(i), "ok", f"s{i:03d}") for i in range(200)]

    assert bits(table(rows)) == bits(merge([table([row], first=i) for i, row in enumerate(rows)]))


def test_nothing_kept_is_the_empty_table():
    """A batch of late records, or none, has the tallies of nothing."""
    for rows in ([], [Row(1, late=True)]):
        assert bits(table(rows)) == bits(empty(plan(stream())))


def test_splitting_keeps_windows_whole():
    """Windows that start before the bound go one way, the others the other way, with their sources; merged they are the table again."""
    held = table(ROWS)
    for bound, before in ((0, 0), (1, 3), (WINDOW, 3), (WINDOW + 1, 6)):
        done, rest = split(held, bound)

        assert (len(done), len(rest)) == (before, 6 - before)
        assert set(done.sources.start.tolist()) == set(done.start.tolist())
        assert bits(merge([done, rest])) == bits(held)


def test_a_window_has_its_cells_and_sources_only():
    """One window of a table is what its records make alone, sources apart from cells."""
    second = [row for row in ROWS if row.time >= WINDOW]
    expected = table(second)

    got = window(table(ROWS), WINDOW)
    assert bits(got.tallies) == bits(expected.tallies)
    assert got.names == ("*", "b", "c")
    assert got.sources.start.tolist() == [WINDOW]
    assert len(window(table(ROWS), 2 * WINDOW)) == 0


def test_sources_without_cells_split_with_their_window():
    """Where other chart partitions have the cells of a window, its sources go where the window goes."""
    bare = next(part for part in scatter(table([Row(WINDOW + 1, segment="a")]), "s", 64) if not len(part))

    assert [len(part.sources.start) for part in split(bare, WINDOW)] == [0, 1]
    assert [len(part.sources.start) for part in split(bare, WINDOW + 1)] == [1, 0]


@pytest.mark.parametrize("partitions", [1, 3, 256])
def test_scattering_sends_each_segment_home(partitions):
    """Each chart partition gets the segments of its shards, all sources, and nothing else."""
    held = table(ROWS)
    parts = scatter(held, "s", partitions)

    assert len(parts) == partitions
    for home, part in enumerate(parts):
        assert all(shard("s", name) % partitions == home for name in part.names)
        assert bits(part.sources) == bits(held.sources)
    assert sum(map(len, parts)) == len(held)


def test_merging_of_none_is_an_identity():
    """Merging no tables gives a table that merging ignores."""
    assert len(merge([])) == 0
    assert bits(merge([merge([]), table(ROWS), empty(plan(stream()))])) == bits(table(ROWS))
    assert bits(merge([merge([]), empty(plan(stream()))])) == bits(empty(plan(stream())))
