from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.errors import CorruptRecordError
from kafka.record.memory_records import MemoryRecordsBuilder

from streamspc.kafka_io import framing
from streamspc.kafka_io.framing import Framed, decode, joined, of_records
from streamspc.kafka_io.unpack import BoundedBatch

_TEXTS = st.one_of(st.none(), st.binary(max_size=80), st.integers(60, 9000).map(bytes))
_HEADERS = st.lists(st.tuples(st.text(max_size=5), st.one_of(st.none(), st.binary(max_size=5), st.just(bytes(100)))), max_size=3)
_TIMES = st.one_of(st.integers(0, 2**62), st.integers(1_700_000_000_000, 1_700_000_100_000))
_RECORDS = st.lists(st.tuples(_TIMES, _TEXTS, _TEXTS, _HEADERS), min_size=1, max_size=8)


def _bytes(records, offset=0, gaps=()):
    builder = MemoryRecordsBuilder(2, 0, 10**7)
    for row, (time, key, value, headers) in enumerate(records):
        builder.skip(row in gaps)
        builder.append(time, key, value, headers)
    builder.close()
    return offset.to_bytes(8, "big") + bytes(builder.buffer())[8:]


def _batch(data):
    return BoundedBatch(memoryview(data), 10**7)


def assert_equal(ours, theirs):
    """Every column is the same, in values and in types."""
    for column in (0, 1):
        assert ours[column].dtype == theirs[column].dtype == np.int64
        assert ours[column].tolist() == theirs[column].tolist()
    assert list(ours.keys) == list(theirs.keys)
    assert list(ours.values) == list(theirs.values)
    assert ours.headers == theirs.headers
    assert all(type(text) in {bytes, type(None)} for text in [*ours.keys, *ours.values])


@given(st.lists(_RECORDS, min_size=1, max_size=4), st.integers(0, 2**62), st.sets(st.integers(0, 7)))
def test_columns_are_those_of_the_librarys_records(batches, offset, gaps):
    """Any records in any number of batches, with compaction's gaps: what the library reads, bit for bit."""
    built = [_bytes(records, offset + 100 * row, gaps) for row, records in enumerate(batches)]
    theirs = [record for data in built for record in _batch(data)]

    assert_equal(decode([Framed.of(_batch(data)) for data in built]), of_records(theirs))


_MIXED = [
    (1_700_000_000_000, b"key", b"value" * 20, []),
    (1_700_000_000_700, None, b"", [("a", b"1"), ("é", None)]),
    (1_700_000_000_100, b"", None, [("", bytes(70))]),
    (1_700_000_090_000, None, b"x" * 9000, []),
]


def _columns(data):
    """What the library makes of a batch, None where it refuses it."""
    try:
        return of_records(list(_batch(data)))
    except CorruptRecordError:
        return None


@pytest.mark.parametrize("put", [0, 1, 2, 7, 0x7F, 0x80, 0xFF])
def test_damage_is_refused_as_the_library_refuses_it(put):
    """Each byte in front of, between and behind the texts in turn: the same columns as the library's, or CorruptRecordError."""
    whole = _bytes(_MIXED)
    refused = 0
    for at in [*range(61, 300), *range(len(whole) - 20, len(whole))]:
        data = whole[:at] + bytes([put]) + whole[at + 1 :]
        theirs = _columns(data)
        try:
            ours = decode([Framed.of(_batch(data))])
        except CorruptRecordError:
            refused += 1
            assert theirs is None
        else:
            # Attributes of a record are one byte that nobody uses; the library takes them for a number of any length.
            assert theirs is not None or whole[at] == 0
            assert theirs is None or assert_equal(ours, theirs) is None

    assert refused > 20


@pytest.mark.parametrize("cut", [1, 5, 9000, 9100, 9300])
def test_a_cut_batch_is_refused(cut):
    """Bytes that are missing at the end, or too many, are damage."""
    framed = Framed.of(_batch(_bytes(_MIXED)))
    for data in (framed.data[: max(0, len(framed.data) - cut)], bytes(framed.data) + bytes(cut)):
        with pytest.raises(CorruptRecordError):
            decode([framed._replace(data=data)])


@pytest.mark.parametrize("records", [1, 3, 5, 2**31 - 1])
def test_a_wrong_number_of_records_is_refused(records):
    """Too few or too many, alone and between whole batches."""
    whole = Framed.of(_batch(_bytes(_MIXED)))
    for batches in ([whole._replace(records=records)], [whole, whole._replace(records=records), whole]):
        with pytest.raises(CorruptRecordError):
            decode(batches)


def test_one_time_for_all_where_the_broker_set_it():
    """The times of the records are passed over; a batch with times of its own beside it keeps them."""
    framed = Framed.of(_batch(_bytes(_MIXED)))
    columns = decode([framed._replace(own_times=False, base_time=5), framed])

    assert columns.timestamps.tolist() == [5, 5, 5, 5, *(row[0] for row in _MIXED)]


def test_headers_are_none_where_no_record_has_any():
    """In one batch, joined, and cut."""
    none, some = (decode([Framed.of(_batch(_bytes([row])))]) for row in _MIXED[:2])

    assert none.headers is None
    assert joined([none, none]).headers is None
    assert joined([none, some]).headers == [[], [("a", b"1"), ("é", None)]]
    assert joined([none, some]).part(0, 1).headers is None


def test_a_name_that_is_not_utf_8_goes_on_byte_for_byte():
    """Both ways of reading give the same text, and a batch made of what was read is the batch that was read."""
    names = [b"\xff\xfeid", "é".encode(), b"\xed\xa0\x80", b"plain"]
    stand_in = [str(row) * len(name) for row, name in enumerate(names)]
    data = _bytes([(5, b"k", b"v", [(text, b"x")]) for text in stand_in] + [(6, None, None, [])])
    for text, name in zip(stand_in, names, strict=True):
        data = data.replace(text.encode(), name)
    one_by_one = list(_batch(data))
    ours = decode([Framed.of(_batch(data))])
    rows = zip(ours.timestamps.tolist(), ours.keys, ours.values, ours.headers or [], strict=True)

    assert_equal(ours, of_records(one_by_one))
    assert _bytes(rows)[61:] == data[61:]
    assert _bytes([(it.timestamp, it.key, it.value, it.headers) for it in one_by_one])[61:] == data[61:]
    assert [name.encode("utf-8") for found in ours.headers or [] for name, _ in found] == names


def test_parts_joined_are_the_whole():
    """Cut anywhere and joined again nothing is lost; the whole is not copied."""
    whole = decode([Framed.of(_batch(_bytes(_MIXED)))])

    assert whole.part(0, 4) is whole
    assert joined([whole]) is whole
    for cut in range(1, 4):
        assert_equal(joined([whole.part(0, cut), whole.part(cut, 4)]), whole)


def _found(records):
    """What the scan finds in a batch, and what following the lengths finds."""
    data = bytes(Framed.of(_batch(_bytes(records))).data)
    scanned = framing._scan(np.frombuffer(data, np.uint8), len(records))
    return scanned if scanned is None else scanned.tolist(), framing._walk(data, len(records)).tolist()


@given(_RECORDS)
def test_the_scan_finds_what_following_the_lengths_finds_or_nothing(records):
    """Whatever the records hold: zeros, texts that look like lengths."""
    scanned, walked = _found(records)

    assert scanned in (None, walked)


def test_the_scan_finds_records_that_are_alike():
    """Texts without headers, with and without keys, and zeros within that lie as those between records do."""
    rows = [(1_700_000_000_000 + row * 997 % 10_000, b'{"a":%d}' % row * 20) for row in range(300)]
    alike: list[Any] = [(at, key, value, []) for at, value in rows for key in (None, b"k")]
    alike[7] = (1_700_000_000_000, b"\0\x80\x01\0" * 20, b"x" * 100, [])
    for records in (alike[:7], [*alike[:7], *alike[8:]]):
        scanned, walked = _found(records)
        assert scanned == walked

    assert _found(alike)[0] is None
