"""The container of all formats: metadata and columns in one msgpack map."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from streamspc.errors import Fatal

Array = npt.NDArray[Any]
Meta = dict[str, Any]
T = TypeVar("T")

RELEASES = {  # the first release that reads version 1, 2 ... of each format
    "block": ("0.1.0",),
    "lesson": ("0.1.0",),
    "points": ("0.1.0",),
    "table": ("0.1.0",),
    "shard-snapshot": ("0.1.0",),
    "partition-snapshot": ("0.1.0",),
    "streams-snapshot": ("0.1.0",),
}
_SIGNED = ("|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8")  # what int64 may be packed as, best first
_UNSIGNED = ("|u1", "<u2", "<u4", "<u8")
_DTYPES = {name: np.dtype(name) for name in (*_SIGNED, *_UNSIGNED, "|b1", "<f8")}
_HOLDS = {
    kind: [(name, int(np.iinfo(name).min), int(np.iinfo(name).max)) for name in names] for kind, names in (("i", _SIGNED), ("u", _UNSIGNED))
}


class _Message(msgspec.Struct, frozen=True):
    f: str
    v: int
    r: str
    m: Meta
    c: dict[str, tuple[str, str, list[int], bytes]]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Message)


def pack(kind: str, version: int, meta: Mapping[str, Any], columns: Mapping[str, Array]) -> bytes:
    """One message of format `kind`, which RELEASES knows. Columns are integers, float64 or bool, of any shape."""
    packed = {name: _packed(column) for name, column in columns.items()}
    return _encoder.encode(_Message(kind, version, RELEASES[kind][version - 1], dict(meta), packed))


def unpack(data: bytes, kind: str) -> tuple[int, Meta, dict[str, Array]]:
    """Version, metadata and columns of a message of format `kind`; lists come back for tuples. Raises Fatal."""
    try:
        message = _decoder.decode(data)
    except msgspec.DecodeError as error:
        refuse(kind, f"{len(data)} bytes that are cut off or of another writer ({error})")
    if message.f != kind:
        refuse(kind, f"a message of format {message.f!r}")
    newest = len(RELEASES[kind])
    if not 1 <= message.v <= newest:
        refuse(kind, f"version {message.v}; this release reads up to version {newest}: install streamspc {message.r} or newer")
    return message.v, message.m, understood(kind, lambda: {name: _column(*column) for name, column in message.c.items()})


def understood(kind: str, read: Callable[[], T]) -> T:
    """What `read` makes of a message; where its parts do not fit each other, Fatal."""
    try:
        return read()
    except (KeyError, IndexError, TypeError, ValueError, OverflowError, msgspec.MsgspecError) as error:
        refuse(kind, f"a message whose parts do not fit each other ({type(error).__name__}: {error})")


def refuse(kind: str, found: str) -> NoReturn:
    """Stop at a message that cannot be understood."""
    raise Fatal(f"a {kind} was expected in the log, but there is {found}")


def _packed(column: Array) -> tuple[str, str, list[int], bytes]:
    dtype = column.dtype.str.replace(">", "<")
    if dtype not in _DTYPES:
        raise TypeError(f"a column of dtype {column.dtype} has no place in a message")
    narrow = dtype
    if column.dtype.kind in _HOLDS:
        least, most = (int(column.min()), int(column.max())) if column.size else (0, 0)
        narrow = next(name for name, low, high in _HOLDS[column.dtype.kind] if low <= least and most <= high)
    return dtype, narrow, list(column.shape), column.astype(_DTYPES[narrow], copy=False).tobytes()


def _column(dtype: str, narrow: str, shape: list[int], data: bytes) -> Array:
    if dtype not in _DTYPES or narrow not in _DTYPES or not np.can_cast(_DTYPES[narrow], _DTYPES[dtype]):
        raise ValueError(f"dtype {dtype} packed as {narrow}")
    if min(shape, default=0) < 0 or math.prod(shape) * _DTYPES[narrow].itemsize != len(data):
        raise ValueError(f"{len(data)} bytes for shape {shape} of {narrow}")
    column = np.frombuffer(data, _DTYPES[narrow]).reshape(shape).astype(_DTYPES[dtype], copy=False)
    column.flags.writeable = False
    return column
