from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder

from streamspc.kafka_io import batches
from streamspc.kafka_io.building import Built, body, framed
from streamspc.kafka_io.framing import Framed, decode
from streamspc.kafka_io.port import Place, Send
from streamspc.kafka_io.unpack import BoundedBatch

_TEXT = st.one_of(st.none(), st.binary(max_size=70), st.integers(60, 9000).map(bytes))
_HEADERS = st.lists(st.tuples(st.text(max_size=5), st.one_of(st.none(), st.binary(max_size=5), st.just(bytes(100)))), max_size=3)
_TIMES = st.one_of(st.integers(-1, 2**61), st.integers(1_700_000_000_000, 1_700_000_100_000))
_ROWS = st.lists(st.tuples(_TIMES, _TEXT, _TEXT, _HEADERS), min_size=1, max_size=80)


def built(rows):
    """Our batch of these rows, sent by someone."""
    ours = Built(framed([body(*row[1:]) for row in rows], np.array([row[0] for row in rows], np.int64)))
    ours.set_producer_state(7, 3, 11, True)
    ours.close()
    return ours


@given(_ROWS)
def test_a_batch_is_the_librarys_to_the_byte(rows):
    """Any times, keys, values and headers; producer, epoch, sequence, and the checksum."""
    theirs = MemoryRecordsBuilder(2, 3, 10**8)
    for row in rows:
        theirs.append(*row)
    theirs.set_producer_state(7, 3, 11, True)
    theirs.close()
    ours = built(rows)

    assert bytes(ours.buffer()) == bytes(theirs.buffer())
    assert ours.next_offset() == theirs.next_offset()
    assert ours.size_in_bytes() == theirs.size_in_bytes()
    assert (ours.producer_id, ours.producer_epoch, ours.base_sequence) == (7, 3, 11)


def test_many_records():
    """Offsets of one, two and three bytes."""
    rows: list[Any] = [(5, None, b"%d" % number, []) for number in range(20_000)]
    (batch,) = MemoryRecords(built(rows).buffer())

    assert [(record.offset, record.value) for record in batch] == [(number, row[2]) for number, row in enumerate(rows)]


def test_a_batch_that_is_sent_again_stays_as_it_is():
    """The broker knows it by its sequence."""
    ours = built([(1, None, b"x", [])])
    before = bytes(ours.buffer())
    ours.set_producer_state(8, 0, 0, True)
    ours.close()

    assert bytes(ours.buffer()) == before


def polled(rows, *cuts):
    """What a poll of these rows hands over, of batches that are cut there."""
    data = []
    for begin, end in pairwise([0, *cuts, len(rows)]):
        batch = bytearray(built(rows[begin:end]).buffer())
        batch[:8] = begin.to_bytes(8, "big")
        data.append(Framed.of(BoundedBatch(memoryview(batch), 10**8)))
    return decode(data)


def sent(send):
    """What the batches of a send hold, and how each is packed."""
    rows, packed = [], []
    for batch in batches.build(send, 10**8):
        assert isinstance(batch.records, Built)
        batch.records.close()
        (whole,) = MemoryRecords(batch.records.buffer())
        assert whole.validate_crc()
        found = [(record.timestamp, record.key, record.value, record.headers) for record in whole]
        assert batch.record_count == len(found) == len(batch._record_futures)
        rows += found
        packed.append(bytes(batch.records.buffer())[61:])
    return rows, packed


def send_of(columns, stored, headers=None):
    """All of what was polled, to go on."""
    return Send(Place("t", 0), columns.keys, columns.values, headers or columns.headers, columns.timestamps, stored)


@given(_ROWS, st.integers(0, 80), st.sets(st.integers(0, 79)), st.sets(st.integers(0, 79)), st.sampled_from([0, 10**9]))
def test_what_was_polled_goes_on_byte_for_byte(rows, cut, left_out, changed, whole_from):
    """Whichever records are left out or get other headers, batches whole or not: the others keep time, key, value and headers."""
    columns = polled(rows, *({min(cut, len(rows))} - {0, len(rows)}))
    kept = np.array([row for row in range(len(rows)) if row not in left_out], np.int64)
    fresh = np.array([at for at, row in enumerate(kept.tolist()) if row in changed], np.int64)
    more = [[*rows[row][3], ("streamspc.late", b"true")] if row in changed else rows[row][3] for row in kept.tolist()]
    send = Send(
        Place("t", 0),
        columns.keys.take(kept),
        columns.values.take(kept),
        more,
        columns.timestamps[kept],
        columns.stored.take(kept).without(fresh),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "WHOLE_BYTES", whole_from)
        found, _ = sent(send)

    assert found == [(*rows[row][:3], headers) for row, headers in zip(kept.tolist(), more, strict=True)]


def test_whole_batches_keep_their_packed_bytes(monkeypatch):
    """Large ones do, small ones are joined; one that lost a record is packed anew."""
    rows: list[Any] = [(5, None, b'{"number":%d}' % number, []) for number in range(300)]
    columns = polled(rows, 100, 110, 120)
    monkeypatch.setattr(batches, "WHOLE_BYTES", 1000)
    _, packed = sent(send_of(columns, columns.stored))
    packs = [bytes(pack.data) for pack in columns.stored.packs]

    assert [text in packs for text in packed] == [True, False, True]
    assert packed[0] == packs[0]
    _, packed = sent(send_of(columns, columns.stored.without(np.array([7])), [[]] * 300))
    assert [text in packs for text in packed] == [False, True]


def test_batches_are_cut_at_their_size(monkeypatch):
    """No batch is larger, unpacked, but for one record that is alone in it."""
    monkeypatch.setattr(batches, "BATCH_BYTES", 1000)
    values = [bytes(400)] * 5 + [bytes(5000)] + [bytes(10)] * 50
    send = Send(Place("t", 0), [None] * len(values), values, None, [1] * len(values))
    counts = [batch.record_count for batch in batches.build(send, 10**8)]

    assert counts[:4] == [2, 2, 1, 1]
    assert sum(counts) == len(values)
    assert max(counts) > 20
