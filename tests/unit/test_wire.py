from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from streamspc import wire
from streamspc.bucket.merge import scatter
from streamspc.bucket.tally import empty, plan
from streamspc.errors import Fatal
from streamspc.model import END, Block, Learnt, Points, Progress, Sources
from streamspc.wire.container import RELEASES
from tallying import WINDOW, Row, bits, stream, table

GOLDEN = Path(__file__).parents[1] / "golden"

ROWS = [Row(i * 7919, (i * i % 1013) / 8 - 20, ("ok", "error", None)[i % 3], "xyz∅"[i % 4 * (i % 5 > 0)], lag=i * 1000) for i in range(900)]
ROWS += [Row(WINDOW + i, None if i % 2 else 1e100 * i, "ok", "x") for i in range(9)]
BLOCK = Block(
    stream="s",
    config="0123456789abcdef",
    source_partitions=3,
    progress=(Progress(0, 17, 926, 12_345_678, None, {"late": 2, "future": 1}), Progress(2, 5, 5, -(2**63), 60_000_000)),
    table=table(ROWS, first=17),
)


LIMITS = ("shewhart_limit", "cusum_limit", "ewma_width")


def points(metrics: int = 2, segments: int = 3) -> Points:
    grid = np.arange(metrics * segments, dtype=np.float64).reshape(metrics, segments)
    codes = np.arange(metrics * segments).reshape(metrics, segments)
    floats: dict[str, Any] = {
        name: grid / (i + 1) - i
        for i, name in enumerate(("value", "centre", "sigma", "lcl", "ucl", "z", "cusum_up", "cusum_down", "ewma", "ewma_limit", *LIMITS))
    }
    floats["value"][:, 0] = np.nan
    return Points(
        stream="s",
        config="0123456789abcdef",
        start=1_700_000_000_000_000,
        end=END,
        metrics=tuple(f"metric{i}" for i in range(metrics)),
        segments=tuple(f"ünïcode{i}" for i in range(segments)),
        records=np.arange(segments) * 100_000,
        n=codes * 70_000,
        **floats,
        phase=np.full((metrics, segments), 255, np.uint8),
        broken=(codes % 7).astype(np.uint8),
        side=(codes % 3 - 1).astype(np.int8),
        onset_lag=codes.astype(np.int32),
        version=(codes % 2).astype(np.int32),
        sources=Sources(np.array([5]), np.array([2], np.int32), np.array([2**40]), np.array([2**40 + 9]), np.array([8])),
        counts={"segment_limit": 3, "late_after_close": 2},
        gap=4,
    )


CASES: dict[str, tuple[Callable[[Any], bytes], Callable[[bytes], Any], Any]] = {
    "block": (wire.encode_block, wire.decode_block, BLOCK),
    "points": (wire.encode_points, wire.decode_points, points()),
    "table": (wire.encode_table, wire.decode_table, table(ROWS, segmented=False)),
}
every = pytest.mark.parametrize("kind", CASES)


def arrays(value):
    """Every array inside a value."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, tuple):
        for part in value:
            yield from arrays(part)
    elif hasattr(value, "__dataclass_fields__"):
        for name in value.__dataclass_fields__:
            yield from arrays(getattr(value, name))


@every
def test_what_is_read_is_what_was_written(kind):
    """A value comes back with every bit, dtype and shape."""
    encode, decode, value = CASES[kind]

    assert bits(decode(encode(value))) == bits(value)


@every
def test_the_first_format_stays_readable(kind):
    """Bytes that the first release wrote mean what they meant, and are still what it writes."""
    encode, decode, value = CASES[kind]
    golden = (GOLDEN / f"{kind}-1.bin").read_bytes()

    assert bits(decode(golden)) == bits(value)
    assert encode(value) == golden


def test_points_of_charts_of_several_metrics_name_who_adds_what():
    """Rows of contributions are those that `contributors` names; where none signals there are none."""
    whose = (("both", "metric0"), ("both", "metric1"), ("drift", "metric1"))
    told = np.array([[np.nan, 1.5, 2.5], [np.nan, 0.5, 0.0], [4.0, np.nan, np.nan]])
    for one in (replace(points(), contributors=whose, contributions=told), replace(points(), contributors=whose)):
        found = wire.decode_points(wire.encode_points(one))
        assert bits(found) == bits(one)
        assert found.contributors == whose

    with pytest.raises(Fatal, match="of shape"):
        wire.decode_points(wire.encode_points(replace(points(), contributors=whose[:2], contributions=told)))


def test_points_say_which_baselines_were_estimated():
    """Columns of their own length, there only where there are some; those that do not belong together are refused."""
    metric, segment, version, windows, kept = (np.array(numbers, np.int32) for numbers in ((0, 1), (2, 0), (1, 2), (50, 50), (49, 48)))
    of, dropped = np.array([0, 1, 1], np.int32), np.array([8, 10, 11])
    learnt = Learnt(metric, segment, version, windows, kept, np.array([7, 9]), np.array([0, 2], np.uint8), of, dropped)
    found = wire.decode_points(wire.encode_points(replace(points(), learnt=learnt)))
    assert found.learnt is not None
    assert [(a.dtype, a.tolist()) for a in found.learnt] == [(a.dtype, a.tolist()) for a in learnt]
    assert wire.decode_points(wire.encode_points(points())).learnt is None

    for broken in (learnt._replace(kept=kept[:1]), learnt._replace(dropped=np.array([8]))):
        with pytest.raises(Fatal, match="of shape"):
            wire.decode_points(wire.encode_points(replace(points(), learnt=broken)))


def test_points_from_before_the_limits_of_charts_stay_readable():
    """Bytes without those columns mean what they meant; what they did not say is nan."""
    found = wire.decode_points((GOLDEN / "points-1-without-limits.bin").read_bytes())

    none = np.full((2, 3), np.nan)
    assert bits(found) == bits(replace(points(), shewhart_limit=none, cusum_limit=none, ewma_width=none))


@every
def test_arrays_that_were_read_are_read_only(kind):
    """Nobody can write to what came from the log."""
    encode, decode, value = CASES[kind]

    assert not any(array.flags.writeable for array in arrays(decode(encode(value))))


@every
def test_cut_off_bytes_are_refused(kind):
    """Any beginning of a message is refused, as is one with something after it."""
    encode, decode, value = CASES[kind]
    data = encode(value)
    for end in range(0, len(data), max(1, len(data) // 200)):
        with pytest.raises(Fatal, match=f"a {kind} was expected"):
            decode(data[:end])
    with pytest.raises(Fatal, match="cut off or of another writer"):
        decode(data + b"\0")


@every
def test_a_newer_version_is_refused_with_the_release_that_reads_it(kind):
    """The message says up to which version this release reads, and which release to install."""
    encode, decode, value = CASES[kind]
    message = msgspec.msgpack.decode(encode(value))
    newer = msgspec.msgpack.encode({**message, "v": 2, "r": "7.1.0"})

    with pytest.raises(Fatal, match=r"version 2; this release reads up to version 1: install streamspc 7\.1\.0 or newer"):
        decode(newer)


@every
def test_another_format_is_refused(kind):
    """A message of one format is not read as another."""
    encode, _, value = CASES[kind]
    for other, (_, decode, _) in CASES.items():
        if other != kind:
            with pytest.raises(Fatal, match=f"a {other} was expected .* format '{kind}'"):
                decode(encode(value))


@every
def test_parts_that_do_not_fit_are_refused(kind):
    """A message that lacks a column, or has one of another length or type, is refused: never a wrong value later."""
    encode, decode, value = CASES[kind]
    message = msgspec.msgpack.decode(encode(value))
    for name, (dtype, narrow, shape, data) in message["c"].items():
        broken = [[dtype, "<f4", shape, data], ["|O", "|O", shape, data], [dtype, narrow, [*shape, 2], data + b"?"]]
        broken += [[dtype, narrow, [-1], data], [dtype, narrow, [77], bytes(77 * np.dtype(narrow).itemsize)]]
        columns = [{**message["c"], name: column} for column in broken]
        for wrong in [*columns, {other: column for other, column in message["c"].items() if other != name}]:
            with pytest.raises(Fatal, match=f"a {kind} was expected"):
                decode(msgspec.msgpack.encode({**message, "c": wrong}))


def test_a_foreign_reader_needs_msgpack_alone():
    """A column can be read without this code: dtype, what it is packed as, shape, little-endian bytes."""
    message = msgspec.msgpack.decode(wire.encode_block(BLOCK))
    dtype, narrow, shape, data = message["c"]["records"]

    assert dtype == "<i8"
    assert np.frombuffer(data, narrow).reshape(shape).tolist() == BLOCK.table.records.tolist()


@pytest.mark.parametrize(
    ("values", "narrow"),
    [
        (np.array([0, 127]), "|i1"),
        (np.array([0, 255]), "|u1"),
        (np.array([-1, 255]), "<i2"),
        (np.array([65_535]), "<u2"),
        (np.array([2**32 - 1]), "<u4"),
        (np.array([2**32 - 1, -1]), "<i8"),
        (np.array([-(2**63), 2**63 - 1]), "<i8"),
        (np.array([2**31 - 1], np.int32), "<i4"),
        (np.array([300], np.uint16), "<u2"),
        (np.array([2**64 - 1], np.uint64), "<u8"),
        (np.array([True, False]), "|b1"),
        (np.array([1.5]), "<f8"),
        (np.zeros((0, 3), np.int32), "|i1"),
        (np.array([[1, 2], [3, 4]], ">i4").T, "|i1"),
    ],
)
def test_integers_travel_in_the_narrowest_type(values, narrow):
    """Columns are packed as narrow as they fit and come back as what they were."""
    data = wire.pack("table", 1, {}, {"x": values})
    _, _, columns = wire.unpack(data, "table")

    assert msgspec.msgpack.decode(data)["c"]["x"][1] == narrow
    assert columns["x"].dtype == values.dtype.newbyteorder("<")
    np.testing.assert_array_equal(columns["x"], values)


def test_columns_of_other_types_are_not_packed():
    """Objects and texts have no place in a column."""
    with pytest.raises(TypeError, match="dtype object"):
        wire.pack("table", 1, {}, {"x": np.array([None])})


def test_empty_tables_travel():
    """The identity of merging, with sources or without, has a form of its own."""
    nothing = empty(plan(stream()))
    bare = scatter(table(ROWS), "s", 256)[1]

    assert len(bare) == 0 < len(bare.sources.start)
    for value in (nothing, bare):
        assert bits(wire.decode_table(wire.encode_table(value))) == bits(value)


def test_a_block_costs_a_few_bytes_a_record():
    """Ten thousand records of fifty segments make a block of less than four bytes a record."""
    random = np.random.default_rng(3)
    prices = random.lognormal(4, 1, 10_000).round(2).tolist()
    segments = random.integers(0, 50, 10_000).tolist()
    rows = [
        Row(i * 100, price, "ok", f"segment-{code:02d}", lag=int(price * 1000))
        for i, (price, code) in enumerate(zip(prices, segments, strict=True))
    ]

    assert len(wire.encode_table(table(rows))) < 40_000


def test_every_format_says_which_release_reads_it():
    """Each version of each format has a release."""
    assert all(releases and all(release.count(".") == 2 for release in releases) for releases in RELEASES.values())


@pytest.mark.parametrize("same", [np.nan, 0.0, -0.0, 7.5])
def test_points_of_which_much_is_the_same_are_small(same):
    """A window in which nothing came says so in a few bytes an array, and comes back with every bit, dtype and shape."""
    one = points(3, 2000)
    arrays = {name: np.full_like(getattr(one, name), same) for name in ("value", "z", "lcl")}
    arrays |= {name: np.zeros_like(getattr(one, name)) for name in ("n", "broken", "side", "records")}
    much = replace(one, **arrays)

    assert bits(wire.decode_points(wire.encode_points(much))) == bits(much)
    assert len(wire.encode_points(one)) - len(wire.encode_points(much)) > 3 * 6000 * 8


def test_equal_numbers_of_different_bits_are_not_the_same():
    """0.0 and -0.0 stay apart."""
    zeros = np.zeros((2, 3))
    zeros[1, 1] = -0.0
    mixed = replace(points(), z=zeros)

    assert bits(wire.decode_points(wire.encode_points(mixed))) == bits(mixed)


def test_an_old_message_with_every_array_in_full_is_read():
    """Who wrote equal values one by one is understood too."""
    message = msgspec.msgpack.decode(wire.encode_points(points()))
    dtype, narrow, shape, data = message["c"]["phase"]
    assert shape == []
    message["c"]["phase"] = [dtype, narrow, [2, 3], data * 6]

    assert bits(wire.decode_points(msgspec.msgpack.encode(message))) == bits(points())
