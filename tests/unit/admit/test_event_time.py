import math
import re
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamspc.admit import iso8601
from streamspc.admit.event_time import FIRST, LAST, SCALE, from_field, kafka_time
from streamspc.errors import Reason

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOW = 1_700_000_000
zones = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(timezones=zones)


def micros(moment):
    return (moment - EPOCH) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (NOW, "s", NOW * 10**6),
        (NOW + 0.5, "s", NOW * 10**6 + 500_000),
        (1_700_000_000.123457, "s", 1_700_000_000_123_457),
        (-0.0000015, "s", -2),
        (-1, "ms", -1000),
        (1.5, "us", 1),
        (NOW * 1000, "ms", NOW * 10**6),
        (LAST, "us", LAST),
        (FIRST, "us", FIRST),
        (253_402_300_799, "s", LAST - 999_999),
    ],
)
def test_units(value, unit, expected):
    """Integers are exact, fractions are floored to microseconds, up to the ends of the years 1 and 9999."""
    times, faults = from_field([value], unit)

    assert (times.tolist(), faults) == ([expected], {})


@given(
    st.lists(st.one_of(st.none(), st.integers(), st.floats(allow_nan=False, allow_infinity=False)), max_size=8),
    st.sampled_from(list(SCALE)),
)
def test_numbers_equal_plain_arithmetic(raw, unit):
    """Numbers of any size, beside any neighbours, give the exact integer, or are outside of the calendar."""
    times, faults = from_field(raw, unit)

    for at, value in enumerate(raw):
        scaled = None if value is None else value * SCALE[unit]
        if scaled is None:
            assert faults[at].reason is Reason.NO_EVENT_TIME
        elif math.isinf(scaled) or not FIRST <= math.floor(scaled) <= LAST:
            assert faults[at].reason is Reason.BAD_EVENT_TIME
        else:
            assert at not in faults
            assert times[at] == math.floor(scaled)


@given(
    st.lists(st.tuples(moments, st.sampled_from(["auto", "seconds", "milliseconds", "microseconds"]), st.sampled_from("T ")), max_size=8)
)
def test_texts_equal_the_standard_library(written):
    """Every way in which Python writes a time with a zone gives that time."""
    texts = [moment.isoformat(sep, spec).replace("+00:00", "Z") for moment, spec, sep in written]
    times, read = iso8601.parse(texts)

    assert read.all()
    assert times.tolist() == [micros(datetime.fromisoformat(text)) for text in texts]


shapes = st.from_regex(
    re.compile(
        r"[0-9]{4}-[01][0-9]-[0-3][0-9][T tx][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{0,10})?(Z|[+-][0-2][0-9]:?[0-6][0-9])?", re.ASCII
    ),
    fullmatch=True,
)


@given(st.lists(shapes, min_size=1, max_size=6))
def test_the_fast_way_reads_what_the_slow_way_reads(texts):
    """Whether a text is read, and as what, does not depend on the way that it takes or on its neighbours."""
    times, read = iso8601.parse(texts)

    for text, time, good in zip(texts, times, read, strict=True):
        assert (int(time), bool(good)) == iso8601._one(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2013-02-08T05:15:00Z", "2013-02-08T05:15:00+00:00"),
        ("2013-02-08 00:15:00-05:00", "2013-02-08T05:15:00+00:00"),
        ("2013-02-08T05:15:00.123456789Z", "2013-02-08T05:15:00.123456+00:00"),
        ("2013-02-08T05:15:00.1234567+00:00", "2013-02-08T05:15:00.123456+00:00"),
        ("20130208T051500Z", "2013-02-08T05:15:00+00:00"),
        ("2013-02-08T05Z", "2013-02-08T05:00:00+00:00"),
        ("2012-02-29T23:59:59.9+23:59", "2012-02-29T00:00:59.9+00:00"),
        ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999+00:00"),
    ],
)
def test_texts_that_are_read(text, expected):
    """Extended and basic forms, offsets, and fractions, of which digits beyond microseconds are cut."""
    assert from_field([text], "iso8601")[0].tolist() == [micros(datetime.fromisoformat(expected))]


@pytest.mark.parametrize(
    "text",
    [
        "", "soon", "2013-02-08", "2013-02-08T05:15:00", "2013-02-29T05:15:00Z", "2013-13-01T00:00:00Z", "2013-02-08T24:00:00Z",
        "2013-02-08T23:59:60Z", "2013-02-08T05:15:00+24:00", "2013-02-08T05:15:00.Z", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01", "\uff12\uff10\uff11\uff13-02-08T05:15:00Z", "2013-W06-5T05:15:00Z", "2013-02-08T05:15:00Z ",
        "2013/02/08T05:15:00Z",
    ],
)  # fmt: skip
def test_texts_that_are_not_read(text):
    """No zone, no such date, and what not every Python reads alike: refused, with the text in the detail."""
    faults = from_field([text, "2013-02-08T05:15:00Z"], "iso8601")[1]

    assert [fault.reason for fault in faults.values()] == [Reason.BAD_EVENT_TIME]
    assert list(faults) == [0]


def test_texts_may_be_missing():
    """A null among texts is a missing event time, not an unreadable one."""
    assert [fault.reason for fault in from_field([None], "iso8601")[1].values()] == [Reason.NO_EVENT_TIME]


def test_kafka_times_stay_in_bounds():
    """Milliseconds become microseconds; none is -1, and what no calendar has ends beyond the last year."""
    times = kafka_time(np.array([-1, -5, 0, 1_700_000_000_123, 2**62]))

    assert times[:4].tolist() == [-1, -1, 0, 1_700_000_000_123_000]
    assert times[4] > LAST
