"""Record batches that refuse to unpack to more than a bound.

The library unpacks a whole batch into memory, whatever it holds: 0.2 MB of packed zeros become 600 MB. Here each codec
stops at the bound, so that a batch costs at most that much memory.
"""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING, Any

import lz4.frame
import snappy  # type: ignore[import-untyped]
import zstandard
from kafka.errors import CorruptRecordError
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.memory_records import MemoryRecords

from streamspc.errors import Fatal
from streamspc.kafka_io.header_names import Lenient

if TYPE_CHECKING:
    from collections.abc import Callable

_XERIAL = b"\x82SNAPPY\x00"  # the framing that Java's clients put around snappy blocks
_XERIAL_HEADER = 16
_MAGIC = 2  # the format of records since Kafka 0.11
_GZIP = 31  # zlib's window bits for a gzip stream


class TooLarge(Exception):
    """The data unpacks to more than the bound."""


def gunzip(data: bytes, bound: int) -> bytes:
    """Gzip, all members. Raises TooLarge, zlib.error, EOFError."""
    out = bytearray()
    while data:
        stream = zlib.decompressobj(_GZIP)
        out += stream.decompress(data, bound + 1 - len(out))
        if len(out) > bound:
            raise TooLarge
        if not stream.eof:
            raise EOFError("gzip stream is cut short")
        data = stream.unused_data
    return bytes(out)


def unsnappy(data: bytes, bound: int) -> bytes:
    """Snappy, bare or in xerial blocks. Raises TooLarge and the codec's errors."""
    if not data.startswith(_XERIAL):
        return _snappy_block(data, bound)
    out, at = bytearray(), _XERIAL_HEADER
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "big")
        out += _snappy_block(data[at + 4 : end], bound - len(out))
        at = end
    return bytes(out)


def _snappy_block(block: bytes, bound: int) -> bytes:
    # A snappy block begins with its unpacked length as a varint: the bound is checked before anything is unpacked.
    size = shift = 0
    for byte in block[:5]:
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    if size > bound:
        raise TooLarge
    return bytes(snappy.decompress(block))


def unlz4(data: bytes, bound: int) -> bytes:
    """LZ4 frames. Raises TooLarge and the codec's errors."""
    out = bytearray()
    while data:
        stream = lz4.frame.LZ4FrameDecompressor()
        part = stream.decompress(data, bound + 1 - len(out))
        if len(out) + len(part) > bound:
            raise TooLarge
        if not stream.eof:
            raise EOFError("lz4 frame is cut short")
        data = stream.unused_data or b""
        if not (out or data):
            return bytes(part)  # the only frame, and there is nothing to copy
        out += part
    return bytes(out)


def unzstd(data: bytes, bound: int) -> bytes:
    """Zstandard frames. Raises TooLarge and the codec's errors."""
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True) as reader:
        out = reader.read(bound + 1)
    if len(out) > bound:
        raise TooLarge
    return out


_CODECS: dict[int, Callable[[bytes, int], bytes]] = {1: gunzip, 2: unsnappy, 3: unlz4, 4: unzstd}


class BoundedBatch(DefaultRecordBatch):  # type: ignore[misc]  # the library has no types
    """A record batch (format 2) that unpacks to at most `bound` bytes; what cannot be unpacked is corrupt."""

    _buffer: bytearray
    _pos: int
    _decompressed: bool

    def __init__(self, buffer: memoryview, bound: int) -> None:
        """Take the bytes of one batch."""
        super().__init__(buffer)
        self._bound = bound

    def packed(self) -> memoryview:
        """The bytes of the records as they came, before anything was unpacked."""
        return memoryview(self._buffer)[self._pos :]

    def unpacked(self) -> bytes | memoryview:
        """The bytes of the records. Raises CorruptRecordError, Fatal."""
        packed, codec = self.packed(), self.compression_type
        if not codec:
            return packed
        if codec not in _CODECS:
            raise Fatal(f"the batch at offset {self.base_offset} is packed with codec {codec}, which is not known: upgrade streamspc")
        try:
            return _CODECS[codec](bytes(packed), self._bound)
        except TooLarge:
            msg = f"the batch at offset {self.base_offset} unpacks to more than kafka.max_batch_bytes, {self._bound}: trusted? raise it"
            raise Fatal(msg) from None
        except Exception as error:
            raise CorruptRecordError(f"the batch at offset {self.base_offset} cannot be unpacked: {error!r}") from error

    def _maybe_uncompress(self) -> None:
        if not self._decompressed and self.compression_type:
            self._buffer, self._pos, self._decompressed = bytearray(self.unpacked()), 0, True

    def _read_msg(self, *rest: Any) -> Any:
        try:
            return super()._read_msg(*rest)
        except UnicodeDecodeError:  # the position is still that of the record
            self._buffer = Lenient(self._buffer)
            return super()._read_msg(*rest)


class BoundedRecords(MemoryRecords):  # type: ignore[misc]  # the library has no types
    """The batches of one fetched partition, each bounded. Formats before 2 (Kafka 0.11, 2017) are refused."""

    _next_slice: memoryview | None

    def __init__(self, data: bytes, bound: int) -> None:
        """Take the bytes of a fetch reply."""
        super().__init__(data)
        self._bound = bound

    def next_batch(self) -> Any:
        """The next batch, or None. Raises CorruptRecordError, Fatal."""
        piece = self._next_slice
        if piece is None:
            return None
        if len(piece) <= self.MAGIC_OFFSET:
            raise CorruptRecordError("a batch of records is shorter than the head of one")
        self._cache_next()
        if piece[self.MAGIC_OFFSET] < _MAGIC:
            raise Fatal("records of Kafka's format before version 0.11 are not read: rewrite the topic")
        if len(piece) < DefaultRecordBatch.HEADER_STRUCT.size:
            raise CorruptRecordError("a batch of records is shorter than its head")
        return BoundedBatch(piece, self._bound)
