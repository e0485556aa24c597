"""Columns into the bytes of record batches (format 2), without an object a record where a record goes on as it came.

A record is a head (length, attributes, time and offset less those of its batch) and a body (key, value, headers). Bodies of records
that were polled are re-used byte for byte; heads are made for all records at once. A whole batch that goes on as it came keeps its
packed bytes: only its head, with producer, epoch and sequence, is ours.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
import numpy.typing as npt
from crc32c import crc32c
from kafka.codec import lz4_encode
from kafka.record.default_records import DefaultRecordBatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamspc.model import Headers, Pack
    from streamspc.model.columns import Ints

_HEAD = DefaultRecordBatch.HEADER_STRUCT
_AFTER_LENGTH, _CRC, _ATTRIBUTES = 12, 17, 21  # places in it
_MAGIC, _LZ4, _TRANSACTIONAL = 2, 3, 0x10
_SHORT = 256  # bytes of a header that is worth remembering
_NULL = b"\x01"  # a length of -1
LONGEST = 21  # bytes of a record's head, at most


class Records(NamedTuple):
    """The packed records of one batch, and what its head says of them. Times are milliseconds."""

    n: int
    data: bytes | memoryview
    codec: int
    base_time: int
    max_time: int


class Built:
    """What the library's sender asks of a batch's records: it says who sends them, and takes the bytes."""

    def __init__(self, records: Records) -> None:
        """The batch is complete but for its sender."""
        self._records = records
        self._buffer: bytearray | None = None
        self.producer_id, self.producer_epoch, self.base_sequence = -1, -1, -1
        self._transactional = False

    def set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int, is_transactional: bool) -> None:  # noqa: FBT001
        """Once, before the bytes are asked for."""
        self.producer_id, self.producer_epoch, self.base_sequence = producer_id, producer_epoch, base_sequence
        self._transactional = is_transactional

    def close(self) -> None:
        """Make the bytes; a batch that is sent again stays as it is."""
        if self._buffer is not None:
            return
        count, data, codec, base, most = self._records
        attributes = codec | (_TRANSACTIONAL if self._transactional else 0)
        self._buffer = bytearray(_HEAD.size + len(data))
        place = (0, len(self._buffer) - _AFTER_LENGTH, 0, _MAGIC, 0)  # offset and leader epoch are the broker's, the checksum comes last
        sender = (self.producer_id, self.producer_epoch, self.base_sequence)
        _HEAD.pack_into(self._buffer, 0, *place, attributes, count - 1, base, most, *sender, count)
        self._buffer[_HEAD.size :] = data
        checksum = crc32c(memoryview(self._buffer)[_ATTRIBUTES:])
        self._buffer[_CRC:_ATTRIBUTES] = checksum.to_bytes(4, "big")

    def buffer(self) -> bytearray:
        """The bytes of a closed batch."""
        return cast(bytearray, self._buffer)

    def next_offset(self) -> int:
        """How many records there are."""
        return self._records.n

    def size_in_bytes(self) -> int:
        """Of the whole batch."""
        return int(_HEAD.size + len(self._records.data))

    def is_full(self) -> bool:
        """Nothing is added."""
        return True


def as_it_came(pack: Pack) -> Records:
    """A whole batch, packed as it is."""
    return Records(pack.records, pack.data, pack.codec, pack.base_time, pack.max_time)


def framed(bodies: Sequence[bytes], times: Ints) -> Records:
    """Records of these bodies, at least one, and times; packed with LZ4 where that makes them smaller."""
    after, length = _after(bodies, times)
    heads, ends = _rows(np.hstack([_varints(length), after.digits]), np.hstack([_used(length), after.used]))
    text = heads.tobytes()
    parts: list[bytes] = [b""] * (2 * len(bodies))
    parts[::2] = [text[begin:end] for begin, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True)]
    parts[1::2] = bodies
    data = b"".join(parts)
    packed = lz4_encode(data)
    smaller = len(packed) < len(data)
    return Records(len(bodies), packed if smaller else data, _LZ4 if smaller else 0, int(times[0]), int(times.max()))


Digits = npt.NDArray[np.uint8]
Used = npt.NDArray[np.bool_]


class _After(NamedTuple):
    """What stands between the length of a record and its body."""

    digits: Digits  # [n, w]
    used: Used  # [n, w]


def _after(bodies: Sequence[bytes], times: Ints) -> tuple[_After, Ints]:
    """That, and the length of each record, as zigzag numbers."""
    count = len(bodies)
    later, offsets = _zigzag(times - times[0]), _zigzag(np.arange(count))
    digits = np.hstack([np.zeros((count, 1), np.uint8), _varints(later), _varints(offsets)])
    used = np.hstack([np.ones((count, 1), bool), _used(later), _used(offsets)])
    return _After(digits, used), _zigzag(np.fromiter(map(len, bodies), np.int64, count) + used.sum(axis=1))


def _rows(digits: Digits, used: Used) -> tuple[Digits, Ints]:
    """The bytes in use, row after row, and where each row ends."""
    return digits[used], np.cumsum(used.sum(axis=1))


def _zigzag(numbers: Ints) -> Ints:
    return (numbers << 1) ^ (numbers >> 63)


def _shifts(numbers: Ints) -> npt.NDArray[np.uint64]:
    """Each number without its lowest 0, 7, 14 ... bits, as far as any has digits. [n, w]."""
    unsigned = numbers.view(np.uint64)
    width = max(1, -(-int(unsigned.max()).bit_length() // 7))
    return unsigned[:, None] >> (np.uint64(7) * np.arange(width, dtype=np.uint64))


def _varints(numbers: Ints) -> Digits:
    """The bytes of each zigzag number, lowest first; all but the last in use say that more follow."""
    shifted = _shifts(numbers)
    digits = (shifted & np.uint64(0x7F)).astype(np.uint8)
    digits[shifted >= np.uint64(0x80)] |= 0x80
    return digits


def _used(numbers: Ints) -> Used:
    """Which of those bytes a number needs: its lowest, and all that are not beyond its highest."""
    used = _shifts(numbers) > 0
    used[:, 0] = True
    return used


def body(key: bytes | None, value: bytes | None, headers: Headers) -> bytes:
    """Key, value and headers as they lie in a record."""
    return b"".join([*_text(key), *_text(value), _number(len(headers)), *(header(name, text) for name, text in headers)])


def header(name: str, text: bytes | None) -> bytes:
    """A header as it lies in a record. The many records of one rejection have the same ones: short headers are remembered."""
    return _known(name, text) if text is None or len(text) <= _SHORT else _header(name, text)


def _header(name: str, text: bytes | None) -> bytes:
    return b"".join([*_text(name.encode()), *_text(text)])


_known = lru_cache(maxsize=4096)(_header)


def _text(text: bytes | None) -> tuple[bytes, bytes]:
    return (_NULL, b"") if text is None else (_number(len(text)), text)


def _number(size: int) -> bytes:
    """A varint of a number that is not negative."""
    size <<= 1
    out = bytearray()
    while size > 0x7F:
        out.append(size & 0x7F | 0x80)
        size >>= 7
    out.append(size)
    return bytes(out)
