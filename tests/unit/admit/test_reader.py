import json
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamspc.admit import Reader
from streamspc.errors import ConfigError, Reason
from streamspc.model import Batch, EventTime, FieldKind, StreamSpec

NUMBER, TEXT, FLAG, ANY = FieldKind.NUMBER, FieldKind.TEXT, FieldKind.FLAG, FieldKind.ANY
NOW = 1_700_000_000_000  # milliseconds


def batch_of(values, timestamps=None):
    n = len(values)
    times = np.array(timestamps if timestamps is not None else [NOW] * n, dtype=np.int64)
    return Batch("t", 0, np.arange(n), times, [None] * n, values, None, n)


def spec_of(**options):
    return StreamSpec(name="s", topic="t", metrics=(), **options)


def read(values, fields=None, timestamps=None, **options):
    return Reader(spec_of(**options), fields or {})(batch_of(values, timestamps))


def told(columns):
    """Everything in columns as plain values, one tuple a record, that can be compared and joined."""
    segment = [columns.names[code] if code >= 0 else None for code in columns.segment]
    fields = [
        [None if null else value for value, null in zip(column.values.tolist(), column.null, strict=True)]
        for column in columns.fields.values()
    ]
    good = zip(columns.rows.tolist(), columns.event_time.tolist(), columns.kafka_time.tolist(), segment, *fields, strict=True)
    bad = zip(columns.bad_rows.tolist(), columns.bad_reasons, columns.bad_details, strict=True)
    return sorted([*map(repr, good), *map(repr, bad)], key=lambda row: int(row[1:].split(",")[0]))


def test_records_become_columns():
    """Wanted fields, nested ones too, become columns with nulls; the others are not looked at."""
    columns = read(
        [
            b'{"at": 1700000000000, "delay": 3, "flight": {"on": true, "no": "UA1"}, "x": [1], "other": [1e999, "x"]}',
            b'{"at": 1700000000001, "delay": null, "flight": null, "x": null}',
            b'{"at": 1700000000002.5, "delay": -2.5, "flight": {}, "x": {}}',
        ],
        {"delay": NUMBER, "flight.on": FLAG, "flight.no": TEXT, "x": ANY},
        event_time=EventTime(field="at", unit="ms"),
    )

    assert columns.rows.tolist() == [0, 1, 2]
    assert columns.event_time.tolist() == [NOW * 1000, NOW * 1000 + 1000, NOW * 1000 + 2500]
    assert columns.kafka_time.tolist() == [NOW * 1000] * 3
    assert columns.fields["delay"].values.tolist() == [3.0, 0.0, -2.5]
    assert columns.fields["delay"].null.tolist() == [False, True, False]
    assert columns.fields["flight.on"].values.tolist() == [True, None, None]
    assert columns.fields["flight.no"].values.tolist() == ["UA1", None, None]
    assert columns.fields["x"].null.tolist() == [False, True, False]
    assert list(columns.fields) == ["delay", "flight.on", "flight.no", "x"]
    assert (columns.segment.tolist(), columns.names, columns.bad_reasons) == ([-1, -1, -1], (), ())


DEEP = sys.getrecursionlimit() * 10


@pytest.mark.parametrize(
    ("value", "reason", "detail"),
    [
        (None, Reason.TOMBSTONE, ""),
        (b"", Reason.UNDECODABLE, "truncated"),
        (b"{", Reason.UNDECODABLE, "truncated"),
        (b"[]", Reason.UNDECODABLE, "Expected `object`, got `array`"),
        (b"null", Reason.UNDECODABLE, "got `null`"),
        (b'{"n":1},{"n":2}', Reason.UNDECODABLE, "trailing characters"),
        (b'{"n":1}{"n":2}', Reason.UNDECODABLE, "trailing characters"),
        (b"1],[2", Reason.UNDECODABLE, "Expected `object`, got `int`"),
        (b'{"n":NaN}', Reason.UNDECODABLE, "malformed"),
        (b'{"other":"\xff"}', Reason.UNDECODABLE, "utf-8"),
        (b'{"other":"\xed\xa0\x80"}', Reason.UNDECODABLE, "utf-8"),
        (b'{"t":"\\ud800"}', Reason.UNDECODABLE, "truncated"),
        (b'{"other":"\\udc00"}', Reason.UNDECODABLE, "surrogate"),
        (b'\xef\xbb\xbf{"n":1}', Reason.UNDECODABLE, "malformed"),
        (b'{"other":' + b"[" * DEEP, Reason.UNDECODABLE, "nested deeper than 256"),
        (b'{"any":' + b"[" * 256 + b"]" * 256 + b"}", Reason.UNDECODABLE, "nested deeper than 256"),
        (b'{"n":"1"}', Reason.WRONG_TYPE, "`\\$.n`"),
        (b'{"n":true}', Reason.WRONG_TYPE, "`\\$.n`"),
        (b'{"t":1}', Reason.WRONG_TYPE, "`\\$.t`"),
        (b'{"f":0}', Reason.WRONG_TYPE, "`\\$.f`"),
        (b'{"o":{"n":[]}}', Reason.WRONG_TYPE, "`\\$.o.n`"),
        (b'{"o":1}', Reason.WRONG_TYPE, "`\\$.o`"),
        (b'{"seg":{}}', Reason.WRONG_TYPE, "`\\$.seg`"),
        (b'{"n":1e400}', Reason.NUMBER_OUT_OF_RANGE, "`\\$.n`"),
        (b'{"n":-1e151}', Reason.NUMBER_OUT_OF_RANGE, "n is -1e\\+151"),
        (b'{"seg":' + b"9" * 5000 + b"}", Reason.NUMBER_OUT_OF_RANGE, "`\\$.seg`"),
    ],
)
def test_a_bad_record_has_its_reason_and_leaves_its_neighbours_alone(value, reason, detail):
    """A record that cannot be read is set aside with the reason and what was found; those beside it are read."""
    fields = {"n": NUMBER, "t": TEXT, "f": FLAG, "o.n": NUMBER, "any": ANY}
    columns = read([b'{"n":1}', value, b'{"n":2}'], fields, segment_by=("seg",))

    assert columns.rows.tolist() == [0, 2]
    assert columns.fields["n"].values.tolist() == [1.0, 2.0]
    assert columns.bad_rows.tolist() == [1]
    assert columns.bad_reasons == (reason,)
    with pytest.raises(ValueError, match=f"(?i){detail}"):
        raise ValueError(columns.bad_details[0])


def test_records_that_only_fit_together_are_bad_one_by_one():
    """The pieces of one object in two records, and two objects in one, never add up to other records."""
    columns = read([b'{"n":1', b'"m":2}', b'{"n":3},{"n":4}', b'{"n":5}'], {"n": NUMBER})

    assert columns.rows.tolist() == [3]
    assert columns.fields["n"].values.tolist() == [5.0]


@pytest.mark.parametrize(
    "value",
    [
        b'{"any":' + b"[" * 255 + b"]" * 255 + b"}",
        b'{"n":1,"other":"' + b"[" * DEEP + b'"}',
        b'{"n":1,"other":"\\"' + b"[{" * DEEP + b'"}',
        b'{"n":1,"other":[' + b"{}," * DEEP + b"{}]}",
    ],
)
def test_depth_is_of_nesting_not_of_brackets(value):
    """Many brackets beside each other, or in texts, are no reason to refuse a record; nor is the depth of the caller's stack."""

    def below(frames):
        return below(frames - 1) if frames else read([value], {"n": NUMBER, "any": ANY}).rows.tolist()

    assert below(0) == below(sys.getrecursionlimit() // 3) == [0]


def test_unclosed_texts_are_refused_in_linear_time():
    """A record of a megabyte of quotes that never close takes no longer than its size asks."""
    columns = read([b'{"other":' + b'[\\"' * 350_000])

    assert columns.bad_reasons == (Reason.UNDECODABLE,)


def test_the_last_of_two_equal_keys_counts():
    """A key that comes twice has its last value."""
    assert read([b'{"n":1,"n":2}'], {"n": NUMBER}).fields["n"].values.tolist() == [2.0]


def test_odd_names_are_fields_too():
    """Backquotes make any key a field; two spellings of one path are one field."""
    columns = read([b'{"a.b": {"c": 1}, "": 2, "a": {"b": 3}}'], {"`a.b`.c": NUMBER, "a.b": NUMBER, "`a`.b": ANY})

    assert {name: column.values.tolist() for name, column in columns.fields.items()} == {"`a.b`.c": [1.0], "a.b": [3.0], "`a`.b": [3.0]}


def test_an_object_that_is_only_asked_for_null_may_have_fields():
    """A path may be tested for null and read through at once."""
    columns = read([b'{"a":{"b":1}}', b'{"a":null}', b"{}"], {"a": ANY, "a.b": NUMBER})

    assert columns.fields["a"].null.tolist() == [False, True, True]
    assert columns.fields["a.b"].null.tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        ({"a": NUMBER, "a.b": NUMBER}, {}),
        ({"a": TEXT}, {"event_time": EventTime(field="a", unit="s")}),
        ({"a": NUMBER}, {"event_time": EventTime(field="a", unit="iso8601")}),
        ({"a.b": NUMBER}, {"segment_by": ("a",)}),
        ({"a..b": NUMBER}, {}),
        ({"`a": NUMBER}, {}),
    ],
)
def test_uses_that_disagree_are_refused(fields, options):
    """No stream starts with a field that has to be two things at once, or with a path that is none."""
    with pytest.raises(ConfigError, match=r"field .*a"):
        Reader(spec_of(**options), fields)


def test_a_field_may_serve_event_time_metric_and_segment():
    """Integers stay exact for event time and segments where a metric reads the same field as a double."""
    big = 1_700_000_000_000_001
    columns = read(
        [b'{"at": %d}' % big, b'{"at": 1e400}', b'{"at": 1%s}' % (b"0" * 400)],
        {"at": NUMBER},
        event_time=EventTime(field="at", unit="us"),
        segment_by=("at",),
    )

    assert columns.event_time.tolist() == [big]
    assert columns.names == (str(big),)
    assert columns.bad_reasons == (Reason.NUMBER_OUT_OF_RANGE, Reason.NUMBER_OUT_OF_RANGE)


@pytest.mark.parametrize(
    ("value", "timestamp", "reason"),
    [
        (b'{"at": 1700000060000}', NOW, None),
        (b'{"at": 1700000060001}', NOW, Reason.FUTURE),
        (b'{"at": 1700000060001}', -1, None),
        (b'{"at": null}', NOW, Reason.NO_EVENT_TIME),
        (b"{}", NOW, Reason.NO_EVENT_TIME),
        (b'{"at": 1e300}', NOW, Reason.BAD_EVENT_TIME),
        (b'{"at": "soon"}', NOW, Reason.WRONG_TYPE),
        (b'{"at": 1e300, "n": 1e200}', NOW, Reason.NUMBER_OUT_OF_RANGE),
    ],
)
def test_event_times_that_do_not_pass(value, timestamp, reason):
    """Event time is there, is a time, and is not beyond what the Kafka timestamp allows, where there is one."""
    columns = read([value], {"n": NUMBER}, [timestamp], event_time=EventTime(field="at", unit="ms"), max_future_us=60_000_000)

    assert columns.bad_reasons == (() if reason is None else (reason,))


def test_event_time_from_kafka():
    """The Kafka timestamp serves as event time where there is one and it is a time."""
    columns = read([b"{}"] * 4, timestamps=[NOW, -1, 2**62, 0])

    assert columns.event_time.tolist() == [NOW * 1000, 0]
    assert columns.bad_reasons == (Reason.NO_EVENT_TIME, Reason.BAD_EVENT_TIME)


def test_no_records_are_no_columns():
    """An empty batch, and one of tombstones alone, give empty columns of the right kinds."""
    for values in ([], [None, None]):
        columns = read(values, {"n": NUMBER, "t": TEXT}, segment_by=("t",), event_time=EventTime(field="at", unit="iso8601"))

        assert len(columns.rows) == len(columns.event_time) == len(columns.segment) == 0
        assert columns.fields["n"].values.dtype == np.float64
        assert len(columns.bad_rows) == len(values)


# --- the law: what becomes of a record is a function of the record alone ---------------------------------------------------------

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=5)
)
times = st.one_of(scalars, st.integers(NOW - 10**6, NOW + 10**6), st.floats(NOW - 10**6, NOW + 10**6))
objects = st.fixed_dictionaries(
    {}, optional={"at": times, "n": scalars, "t": scalars, "o": st.one_of(scalars, st.fixed_dictionaries({"f": scalars})), "any": scalars}
)
well_formed = st.fixed_dictionaries(
    {"at": st.integers(NOW - 10**6, NOW)}, optional={"n": st.floats(-1e9, 1e9), "t": st.sampled_from("ab*|")}
)
pieces = st.sampled_from([None, b"", b"{", b"}", b"{}", b"{},{}", b"1],[2", b'{"n":[{}', b"{}]}", b'{"t":"', b'"}', b"\xff", b"[[", b"]]"])
values = st.lists(
    st.one_of(
        st.one_of(objects, well_formed).map(lambda record: json.dumps(record, ensure_ascii=False).encode()), pieces, st.binary(max_size=6)
    ),
    max_size=12,
)


@given(values=values, cuts=st.lists(st.integers(0, 12), max_size=3), stamps=st.sampled_from([NOW, NOW + 10**7, -1]))
@settings(deadline=None)
def test_any_cut_of_a_batch_gives_the_same_columns(values, cuts, stamps):
    """Columns of the parts, one after the other, are those of the whole, with the same reasons and details."""
    spec = spec_of(event_time=EventTime(field="at", unit="ms"), segment_by=("t", "any"))
    fields = {"n": NUMBER, "t": TEXT, "o.f": FLAG, "any": ANY}
    reader = Reader(spec, fields)
    whole = told(reader(batch_of(values, [stamps] * len(values))))
    bounds = sorted({0, len(values), *(min(cut, len(values)) for cut in cuts)})
    parts = []
    for low, high in pairwise(bounds):
        for row in told(Reader(spec, fields)(batch_of(values[low:high], [stamps] * (high - low)))):
            index, rest = row[1:].split(",", 1)
            parts.append(f"({int(index) + low},{rest}")

    assert parts == whole
