"""Record batches (format 2) into columns, without an object per record.

The length of a record says where the next one begins. Where the records of a topic are alike, a scan for the bytes between two of them
finds all beginnings at once, and their lengths prove it; else lengths are followed one by one, the only loop over records. The
numbers in front of key and value are then decoded for all records at once; keys and values stay where they lie.
Several batches go through together, since a small one costs as much as a hundred records.
"""

from __future__ import annotations

import itertools
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
from kafka.errors import CorruptRecordError

from streamspc.kafka_io.header_names import decoded
from streamspc.model import Pack, Stored, Texts
from streamspc.model.texts import Piece

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamspc.kafka_io.unpack import BoundedBatch
    from streamspc.model import Headers
    from streamspc.model.columns import Ints

    Bytes = npt.NDArray[np.uint8]

_FIELDS = attrgetter("offset", "timestamp", "key", "value", "headers")


class Framed(NamedTuple):
    """What one batch says for all its records, of which there is one at least, and their bytes, unpacked."""

    records: int
    base_offset: int
    next_offset: int  # after the last record, also after those that compaction took away
    base_time: int  # milliseconds: of the first record, or of all when the broker set the time
    own_times: bool  # whether records add to `base_time`
    leader_epoch: int
    data: memoryview | bytes
    packed: memoryview | bytes  # as they came
    codec: int
    max_time: int

    @staticmethod
    def of(batch: BoundedBatch) -> Framed:
        """Frame a batch. Raises CorruptRecordError, Fatal when it cannot be unpacked."""
        own = batch.timestamp_type == batch.CREATE_TIME
        time = batch.first_timestamp if own else batch.max_timestamp
        return Framed(
            batch.records_count,
            batch.base_offset,
            batch.next_offset,
            time,
            own,
            batch.leader_epoch,
            batch.unpacked(),
            batch.packed(),
            batch.compression_type,
            batch.max_timestamp,
        )

    def pack(self, first: int) -> Pack:
        """The batch as it came, its first record in row `first`."""
        return Pack(first, self.records, self.packed, self.codec, self.base_time, self.max_time, len(self.data))

    @property
    def whole(self) -> bool:
        """Whether it can go on as it came: no record was taken out by compaction, and no time set by the broker."""
        return self.own_times and self.next_offset - self.base_offset == self.records


class Columns(NamedTuple):
    """Records of one partition, in order, as columns of equal length."""

    offsets: Ints  # [n]
    timestamps: Ints  # [n] milliseconds
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    headers: Sequence[Headers] | None  # None: no record has headers
    stored: Stored | None

    def part(self, begin: int, end: int) -> Columns:
        """The records from `begin` up to `end`."""
        if begin <= 0 and end >= len(self.values):
            return self
        cut = slice(begin, end)
        headers = self.headers and self.headers[cut]
        some = headers if headers and any(headers) else None
        stored = self.stored and self.stored.part(max(begin, 0), end)
        return Columns(self.offsets[cut], self.timestamps[cut], self.keys[cut], self.values[cut], some, stored)


def joined(parts: Sequence[Columns]) -> Columns:
    """Columns that `decode` made, at least one, one after the other."""
    if len(parts) == 1:
        return parts[0]
    headers: list[Headers] | None = None
    if any(part.headers for part in parts):
        headers = list(itertools.chain.from_iterable(part.headers or [[] for _ in part.values] for part in parts))
    return Columns(
        np.concatenate([part.offsets for part in parts]),
        np.concatenate([part.timestamps for part in parts]),
        Texts.joined(cast(Texts, part.keys) for part in parts),
        Texts.joined(cast(Texts, part.values) for part in parts),
        headers,
        Stored.joined([part.stored for part in parts if part.stored]),
    )


def of_records(records: Sequence[Any]) -> Columns:
    """The library's records, at least one, as columns."""
    offsets, timestamps, keys, values, headers = zip(*map(_FIELDS, records), strict=True)
    some = list(headers) if any(headers) else None
    return Columns(np.array(offsets, np.int64), np.array(timestamps, np.int64), list(keys), list(values), some, None)


def decode(batches: Sequence[Framed]) -> Columns:
    """The records of the batches. Raises CorruptRecordError, for all of them, when one is not made as the format says."""
    only = batches[0].data
    text = only if len(batches) == 1 and isinstance(only, bytes) else b"".join(it.data for it in batches)
    try:
        return _decode(text, batches)
    except (IndexError, ValueError) as error:
        raise CorruptRecordError(f"the records from offset {batches[0].base_offset} on cannot be read: {error!r}") from error


def _decode(text: bytes, batches: Sequence[Framed]) -> Columns:
    # Record: length, attributes (one byte), time delta, offset delta, key length, key, value length, value, headers.
    counts = [it.records for it in batches]
    data = np.frombuffer(text, np.uint8)
    marks = _scan(data, sum(counts))
    if marks is None:
        marks = _walk(text, sum(counts))
    lengths, at = _varints(data, marks[:-1])
    times, at = _varints(data, at + 1)
    offsets, at = _varints(data, at)
    bodies = Texts([Piece(text, at, marks[1:] - at)])
    keys, at = _texts(text, data, at)
    values, at = _texts(text, data, at)
    count, at = _varints(data, at)
    headers = None
    if count.any():
        headers, at = _headers(text, count, at)
    firsts = np.cumsum([0, *counts])
    whole = marks[firsts[1:]] == np.cumsum([len(it.data) for it in batches])
    if not whole.all() or (at != marks[1:]).any() or lengths.min() < 0:
        raise ValueError("a record is longer or shorter than it says")
    offsets += np.repeat([it.base_offset for it in batches], counts)
    times *= np.repeat([it.own_times for it in batches], counts)
    times += np.repeat([it.base_time for it in batches], counts)
    packs = tuple(it.pack(first) for it, first in zip(batches, firsts.tolist(), strict=False) if it.whole)
    return Columns(offsets, times, keys, values, headers, Stored(bodies, packs))


def _scan(data: Bytes, count: int) -> Ints | None:
    """Where each record begins, and where the last one ends: found at once and proved, or None.

    A record without headers ends in a zero, their number; the next one begins with its length, here of two bytes, and a zero, its
    attributes. Whatever else looks like that, the chain of lengths from the first byte to the last has no room for it.
    """
    zeros = np.flatnonzero(data == 0)
    found = zeros[1:][np.diff(zeros) == 3]
    found = found[(data[found - 2] >= 0x80) & (data[found - 1] < 0x80)]
    if len(found) != count - 1 or len(data) < 3 or not (data[0] >= 0x80 and data[1] < 0x80):
        return None
    begins = np.concatenate([[0], found - 2, [len(data)]])
    length = (data[begins[:-1]] & 0x7F) | (data[begins[:-1] + 1].astype(np.int64) << 7)
    return begins if ((length >> 1) + 2 == np.diff(begins)).all() else None


def _walk(text: bytes, count: int) -> Ints:
    """Where each record begins, and where the last one ends. Raises IndexError, ValueError."""
    marks = [0]
    add, at = marks.append, 0
    for _ in itertools.repeat(None, count):
        low = text[at]
        if low < 0x80:
            at += 1 + (low >> 1)
        elif (high := text[at + 1]) < 0x80:
            at += 2 + ((low & 0x7F) >> 1 | high << 6)
        else:
            length, at = _varint(text, at)
            at += max(length, 0)
        add(at)
    return np.array(marks, np.int64)


def _varints(data: Bytes, at: Ints) -> tuple[Ints, Ints]:
    """The numbers at these positions, and the positions after them. Raises IndexError, ValueError."""
    byte = data[at]
    number = byte.astype(np.uint64)
    at = at + 1
    more = np.flatnonzero(byte & 0x80)
    shift = 7
    while more.size:
        if shift > 63:
            raise ValueError("number of more than ten bytes")
        if more.size == at.size:  # all go on: nothing has to be picked
            byte = data[at]
            number += (byte.astype(np.uint64) << np.uint64(shift)) - (np.uint64(0x80) << np.uint64(shift - 7))
            at += 1
            more = np.flatnonzero(byte & 0x80)
        else:
            byte = data[at[more]]
            number[more] += (byte.astype(np.uint64) << np.uint64(shift)) - (np.uint64(0x80) << np.uint64(shift - 7))
            at[more] += 1
            more = more[byte >= 0x80]
        shift += 7
    sign = (number & np.uint64(1)).view(np.int64)
    return (number >> np.uint64(1)).view(np.int64) ^ -sign, at


def _texts(text: bytes, data: Bytes, at: Ints) -> tuple[Texts, Ints]:
    """The texts whose lengths are at these positions, null where the length is negative, and the positions after them."""
    sizes, begins = _varints(data, at)
    if sizes.max() > len(text):
        raise ValueError("a text longer than its batch")
    return Texts([Piece(text, begins, sizes)]), begins + np.maximum(sizes, 0)


class _Names(dict[bytes, str]):
    """Names of headers as text; a topic has few."""

    def __missing__(self, name: bytes) -> str:
        self[name] = text = decoded(name)
        return text


def _headers(text: bytes, counts: Ints, at: Ints) -> tuple[list[Headers], Ints]:
    """The headers of each record, and where they end. Raises IndexError, ValueError."""
    found, ends, names = [], [], _Names()
    if counts.min() < 0:
        raise ValueError("fewer than no headers")
    for count, start in zip(counts.tolist(), at.tolist(), strict=True):
        headers: Headers = []
        pos = start
        for _ in range(count):
            size = text[pos]
            size, pos = _varint(text, pos) if size & 0x81 else (size >> 1, pos + 1)
            if size < 0:
                raise ValueError("a header without a name")
            name = names[text[pos : pos + size]]
            pos += size
            size = text[pos]
            size, pos = _varint(text, pos) if size & 0x81 else (size >> 1, pos + 1)
            if size < 0:
                headers.append((name, None))
            else:
                headers.append((name, text[pos : pos + size]))
                pos += size
        found.append(headers)
        ends.append(pos)
    return found, np.array(ends, np.int64)


def _varint(text: bytes, at: int) -> tuple[int, int]:
    """The number at this position, and the position after it. Raises IndexError, ValueError."""
    number = shift = 0
    while (byte := text[at]) >= 0x80:
        number |= (byte & 0x7F) << shift
        shift += 7
        at += 1
        if shift > 28:
            raise ValueError("length of more than five bytes")
    number |= byte << shift
    return (number >> 1) ^ -(number & 1), at + 1
