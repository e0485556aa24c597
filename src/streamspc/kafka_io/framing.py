"""Record batches (format 2) into columns, without an object per record.

The length of a record says where the next one begins, so lengths are followed one by one; that is the only loop over bytes.
The numbers in front of key and value are then decoded for all records at once, and keys and values are cut out of the bytes.
Several batches go through together, since a small one costs as much as a hundred records.
"""

from __future__ import annotations

import itertools
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from kafka.errors import CorruptRecordError

from streamspc.kafka_io.header_names import decoded

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

    @staticmethod
    def of(batch: BoundedBatch) -> Framed:
        """Frame a batch. Raises CorruptRecordError, Fatal when it cannot be unpacked."""
        own = batch.timestamp_type == batch.CREATE_TIME
        time = batch.first_timestamp if own else batch.max_timestamp
        return Framed(batch.records_count, batch.base_offset, batch.next_offset, time, own, batch.leader_epoch, batch.unpacked())


class Columns(NamedTuple):
    """Records of one partition, in order, as columns of equal length."""

    offsets: Ints  # [n]
    timestamps: Ints  # [n] milliseconds
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    headers: Sequence[Headers] | None  # None: no record has headers

    def part(self, begin: int, end: int) -> Columns:
        """The records from `begin` up to `end`."""
        if begin <= 0 and end >= len(self.values):
            return self
        cut = slice(begin, end)
        headers = self.headers and self.headers[cut]
        some = headers if headers and any(headers) else None
        return Columns(self.offsets[cut], self.timestamps[cut], self.keys[cut], self.values[cut], some)


def joined(parts: Sequence[Columns]) -> Columns:
    """The parts, at least one, one after the other."""
    if len(parts) == 1:
        return parts[0]
    chain = itertools.chain.from_iterable
    headers: list[Headers] | None = None
    if any(part.headers for part in parts):
        headers = list(chain(part.headers or [[] for _ in part.values] for part in parts))
    return Columns(
        np.concatenate([part.offsets for part in parts]),
        np.concatenate([part.timestamps for part in parts]),
        list(chain(part.keys for part in parts)),
        list(chain(part.values for part in parts)),
        headers,
    )


def of_records(records: Sequence[Any]) -> Columns:
    """The library's records, at least one, as columns."""
    offsets, timestamps, keys, values, headers = zip(*map(_FIELDS, records), strict=True)
    some = list(headers) if any(headers) else None
    return Columns(np.array(offsets, np.int64), np.array(timestamps, np.int64), list(keys), list(values), some)


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
    marks = _walk(text, sum(counts))
    data = np.frombuffer(text, np.uint8)
    lengths, at = _varints(data, marks[:-1])
    times, at = _varints(data, at + 1)
    offsets, at = _varints(data, at)
    keys, at = _texts(text, data, at)
    values, at = _texts(text, data, at)
    count, at = _varints(data, at)
    headers = None
    if count.any():
        headers, at = _headers(text, count, at)
    whole = marks[np.cumsum(counts)] == np.cumsum([len(it.data) for it in batches])
    if not whole.all() or (at != marks[1:]).any() or lengths.min() < 0:
        raise ValueError("a record is longer or shorter than it says")
    offsets += np.repeat([it.base_offset for it in batches], counts)
    times *= np.repeat([it.own_times for it in batches], counts)
    times += np.repeat([it.base_time for it in batches], counts)
    return Columns(offsets, times, keys, values, headers)


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
    number = (byte & 0x7F).astype(np.uint64)
    at = at + 1
    more = np.flatnonzero(byte & 0x80)
    shift = 7
    while more.size:
        if shift > 63:
            raise ValueError("number of more than ten bytes")
        byte = data[at[more]]
        number[more] |= (byte & 0x7F).astype(np.uint64) << np.uint64(shift)
        at[more] += 1
        more = more[byte >= 0x80]
        shift += 7
    sign = (number & np.uint64(1)).view(np.int64)
    return (number >> np.uint64(1)).view(np.int64) ^ -sign, at


def _texts(text: bytes, data: Bytes, at: Ints) -> tuple[list[bytes | None], Ints]:
    """The texts whose lengths are at these positions, None where the length is negative, and the positions after them."""
    lengths, begins = _varints(data, at)
    null = lengths < 0
    if null.all():
        return [None] * len(at), begins
    if lengths.max() > len(text):
        raise ValueError("a text longer than its batch")
    ends = begins + np.maximum(lengths, 0)
    found: list[bytes | None] = [text[begin:end] for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)]
    for row in np.flatnonzero(null).tolist():
        found[row] = None
    return found, ends


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
