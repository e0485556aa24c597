import struct
from types import SimpleNamespace

import pytest
from crc32c import crc32c
from hypothesis import given
from hypothesis import strategies as st
from kafka import TopicPartition
from kafka.errors import CorruptRecordError
from kafka.protocol.consumer import IsolationLevel
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder

from streamspc.errors import Fatal
from streamspc.kafka_io import records as module
from streamspc.kafka_io.records import ColumnRecords, PartitionRecords

_TRANSACTIONAL, _CONTROL, _APPEND_TIME = 0x10, 0x20, 0x08
_ABORT, _COMMIT = b"\0\0\0\0", b"\0\0\0\1"


def batch(offset, count=3, codec=0, producer=-1, flags=0, **more):
    """One record batch; `keep` leaves only these records, as compaction does."""
    epoch, keep, key = more.get("epoch", 0), more.get("keep"), more.get("key")
    builder = MemoryRecordsBuilder(2, codec, 10**7)
    for row in range(count):
        if keep is None or row in keep:
            headers = [("h", None)] if row % 3 == 2 else []
            builder.append(1000 + row * 7, key or (b"k" * row or None), b"%d" % (offset + row) if row % 5 else None, headers)
        else:
            builder.skip(1)
    builder.close()
    data = bytearray(builder.buffer())
    attributes = struct.unpack_from(">h", data, 21)[0] | flags
    first = struct.unpack_from(">q", data, 27)[0]
    struct.pack_into(">q", data, 0, offset)
    struct.pack_into(">i", data, 12, epoch)
    struct.pack_into(">hiqqqhi", data, 21, attributes, count - 1, first, 9999, producer, 0, -1)
    return sealed(data)


def sealed(data):
    """The bytes with the checksum that belongs to them."""
    struct.pack_into(">I", data, 17, crc32c(bytes(data[21:])))
    return bytes(data)


def marker(offset, producer, what):
    """The end of a transaction."""
    return batch(offset, 1, producer=producer, flags=_TRANSACTIONAL | _CONTROL, key=what)


def empty(offset, count):
    """What compaction leaves of a batch whose records are all gone."""
    data = bytearray(batch(offset, count)[:61])
    struct.pack_into(">i", data, 8, 61 - 12)
    struct.pack_into(">i", data, 57, 0)
    return sealed(data)


def reader(kind, data, fetch_offset=0, aborted=(), *, bound=10**7, broken=()):
    """Records of a reply as the fetcher makes them; a list of `broken` is shared."""
    made = type("Bound", (kind,), {"bound": bound, "broken": set() if broken == () else broken})
    transactions = [SimpleNamespace(producer_id=producer, first_offset=first) for producer, first in aborted]
    return made(
        fetch_offset,
        TopicPartition("t", 0),
        MemoryRecords(data),
        isolation_level=IsolationLevel.READ_COMMITTED,
        aborted_transactions=transactions,
    )


def read(kind, data, n, fetch_offset=0, aborted=()):
    """All that it hands over by n, then where it stands."""
    found: list[object] = []
    part = reader(kind, data, fetch_offset, aborted)
    while part:
        taken = part.take(n)
        if taken:
            columns = part.columns(taken)
            assert 0 < len(columns.values) <= n
            assert part.next_fetch_offset > columns.offsets[-1]
            rows = zip(columns.offsets.tolist(), columns.timestamps.tolist(), columns.keys, columns.values, strict=True)
            found += zip(rows, columns.headers or [[]] * len(columns.values), strict=True)
    return found, part.next_fetch_offset, part.leader_epoch


def offsets(found):
    """Of what `read` found."""
    return [row[0] for row, _ in found]


_LOG = b"".join(
    [
        batch(0, 4),
        batch(4, 3, producer=7, flags=_TRANSACTIONAL),  # aborted
        batch(7, 3, producer=8, flags=_TRANSACTIONAL),
        marker(10, 7, _ABORT),
        batch(11, 2, producer=7, flags=_TRANSACTIONAL),  # the same producer again, committed
        marker(13, 8, _COMMIT),
        marker(14, 7, _COMMIT),
        batch(15, 6, keep={1, 3}, epoch=2),
        empty(21, 4),
        batch(25, 5, codec=3, epoch=2),
        batch(30, 3, flags=_APPEND_TIME, epoch=3),
        batch(33, 9, codec=1, keep={0, 8}, epoch=3),
        empty(42, 3),
        marker(45, 9, _COMMIT),
    ]
)
_ABORTED = ((7, 4),)


@pytest.mark.parametrize("fetch_offset", range(46))
def test_columns_and_single_records_are_the_same(fetch_offset):
    """From any offset: aborted and committed transactions, markers, compaction's gaps, empty batches, codecs, times of the broker."""
    for n in (1, 2, 5, 1000):
        ours, theirs = (read(kind, _LOG, n, fetch_offset, _ABORTED) for kind in (ColumnRecords, PartitionRecords))

        assert ours == theirs
        assert ours[1] == 46


def test_what_the_log_holds():
    """Neither way shows aborted records or markers; the broker's time is the batch's."""
    found, _, _ = read(ColumnRecords, _LOG, 1000, 0, _ABORTED)

    assert offsets(found) == [0, 1, 2, 3, 7, 8, 9, 11, 12, 16, 18, 25, 26, 27, 28, 29, 30, 31, 32, 33, 41]
    assert {row[1] for row, _ in found if 30 <= row[0] < 33} == {9999}


@given(
    st.lists(st.tuples(st.integers(1, 6), st.sampled_from([0, 1, 3]), st.integers(0, 1)), min_size=1, max_size=12),
    st.integers(1, 20),
    st.integers(1, 9),
    st.integers(0, 30),
)
def test_how_many_are_decoded_together_changes_nothing(batches, n, together, fetch_offset):
    """Any batches, any sizes of runs and polls, any start."""
    data, offset = b"", 0
    for count, codec, epoch in batches:
        data += batch(offset, count, codec, epoch=epoch)
        offset += count
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_RUN_RECORDS", together)
        ours = read(ColumnRecords, data, n, min(fetch_offset, offset - 1))

    assert ours == read(PartitionRecords, data, n, min(fetch_offset, offset - 1))


def test_the_position_follows_what_was_handed_over():
    """In the middle of a run the next offset and leader epoch are those of the records, not of what was decoded."""
    part = reader(ColumnRecords, batch(0, 4, epoch=1) + batch(4, 4, epoch=2))
    seen = []
    for n in (3, 1, 2, 2):
        part.take(n)
        seen.append((part.next_fetch_offset, part.leader_epoch, part.records_read))

    assert seen == [(3, 1, 3), (4, 1, 4), (6, 2, 6), (8, 2, 8)]


def _flipped(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def _torn(data):
    """A length that is too long, under a checksum that is right."""
    torn = bytearray(data)
    torn[61] += 2
    return sealed(torn)


@pytest.mark.parametrize("broken", [_flipped(batch(3), 70), _torn(batch(3))], ids=["checksum", "torn"])
def test_a_broken_batch_is_raised_once_after_those_before_it(broken):
    """Good batches of the reply are handed over first, then the error, then nothing; the position is at the broken one."""
    part = reader(ColumnRecords, batch(0) + broken + batch(6))

    assert part.columns(part.take(100)).offsets.tolist() == [0, 1, 2]
    assert part.next_fetch_offset == 3
    with pytest.raises(CorruptRecordError):
        part.take(100)
    assert not part
    assert part.take(100) == []
    assert part.next_fetch_offset == 3


def test_a_broken_batch_is_raised_once_where_records_come_one_by_one():
    """The ordinary way: an error ends the reply."""
    part = reader(PartitionRecords, batch(0) + _flipped(batch(3), 70))

    assert part.columns(part.take(100)).offsets.tolist() == [0, 1, 2]
    with pytest.raises(CorruptRecordError):
        part.take(100)
    assert not part


@pytest.mark.parametrize("kind", [ColumnRecords, PartitionRecords])
@pytest.mark.parametrize("broken", [_flipped(batch(3), 70), _torn(batch(3))], ids=["checksum", "torn"])
def test_a_batch_that_is_broken_again_is_fatal_with_place_and_cure(kind, broken):
    """Another client that meets the same batch ends the process rather than trying for ever; one at another place does not."""
    seen: set[object] = set()
    for data, offset in ((broken, 3), (_flipped(batch(30), 70), 30)):
        with pytest.raises(CorruptRecordError):
            reader(kind, data, offset, broken=seen).take(100)
    again = reader(kind, broken, 3, broken=seen)
    with pytest.raises(Fatal, match=r"t-0, from offset 3 on: .*kafka-delete-records"):
        again.take(100)

    assert not again


def test_a_bomb_is_fatal_after_those_before_it():
    """A batch that unpacks too far is refused by name; smaller ones pass."""
    part = reader(ColumnRecords, batch(0, 3, codec=1) + batch(3, 300, codec=1), bound=500)

    assert part.columns(part.take(100)).offsets.tolist() == [0, 1, 2]
    with pytest.raises(Fatal, match=r"t-0, from offset 3 on: .*max_batch_bytes"):
        part.take(100)
    assert not part


@pytest.mark.parametrize("kind", [ColumnRecords, PartitionRecords])
@pytest.mark.parametrize("magic", [0, 1])
def test_formats_of_old_are_refused(kind, magic):
    """What Kafka wrote before 0.11 is not read, and the error says so."""
    builder = MemoryRecordsBuilder(magic, 0, 10**6)
    builder.append(1, None, b"x", [])
    builder.close()
    with pytest.raises(Fatal, match=r"0\.11"):
        reader(kind, bytes(builder.buffer())).take(10)


def test_a_reply_that_ends_within_a_batch_ends_before_it():
    """Brokers cut replies at the size that was asked for: the rest comes with the next fetch."""
    found, position, _ = read(ColumnRecords, batch(0) + batch(3)[:-5], 100)

    assert offsets(found) == [0, 1, 2]
    assert position == 3
