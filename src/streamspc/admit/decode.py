"""JSON values to Structs that hold just the wanted fields, and the fields of some records at a time as lists."""

from __future__ import annotations

import re
from collections.abc import Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard, cast

import msgspec
import numpy as np

from streamspc.errors import BadRecord, ConfigError, Reason
from streamspc.model import sizes
from streamspc.model.path import join

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from streamspc.model import Ints

Path = tuple[str, ...]

CHUNK = 1024  # records decoded at a time; their texts, Structs and fields are dropped while they are near the processor
DEPTH = 256  # of nesting; far below the interpreter's limit, wherever it is called from
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)  # linear, also where a string never ends
_STEP = np.zeros(256, dtype=np.int32)
_STEP[[ord("{"), ord("[")]] = 1
_STEP[[ord("}"), ord("]")]] = -1


class Chunk(NamedTuple):
    """Consecutive records, decoded."""

    rows: Ints  # [k] index in the batch of those that decoded
    fields: dict[Path, list[Any]]  # [k] of each path; None where null or missing
    bad: dict[int, BadRecord]  # why the others did not, by index in the batch


class Decoder:
    """Decodes values into Structs made from `wanted`: a type for each path, null and missing allowed."""

    def __init__(self, wanted: Mapping[Path, Any]) -> None:
        """Make the Struct. Raises ConfigError where a field of a scalar kind is also read as an object."""
        self._steps: dict[Path, tuple[str, ...]] = {}
        self._paths = tuple(wanted)
        self._decoder = msgspec.json.Decoder(self._struct((), wanted))

    def _struct(self, prefix: Path, wanted: Mapping[Path, Any]) -> Any:
        depth = len(prefix)
        members: list[tuple[str, Any, None]] = []
        names: dict[str, str] = {}
        for name in dict.fromkeys(path[depth] for path in wanted if path[:depth] == prefix and len(path) > depth):
            path = (*prefix, name)
            attribute = f"f{len(members)}"
            names[attribute] = name
            self._steps[path] = (*self._steps.get(prefix, ()), attribute)
            if not any(other[: len(path)] == path and len(other) > len(path) for other in wanted):
                kind = wanted[path]
            elif wanted.get(path, Any) is not Any:
                raise ConfigError(f"field {join(path)} is used as a value and as an object with fields; use one of the two")
            else:
                kind = self._struct(path, wanted)
            members.append((attribute, kind | None if kind is not Any else Any, None))
        return msgspec.defstruct("Record", members, rename=names, gc=False)

    def __call__(self, values: Sequence[bytes | None]) -> Iterator[Chunk]:
        """The records in their order, CHUNK at a time; one empty chunk where there are none."""
        for begin in range(0, max(len(values), 1), CHUNK):
            some = values[begin : begin + CHUNK]
            rows, records, bad = self._records(list(some), sizes(some))
            fields = {path: self._field(records, path) for path in self._paths}
            yield Chunk(begin + np.array(rows, dtype=np.int64), fields, {begin + row: problem for row, problem in bad.items()})

    def _records(self, values: Sequence[bytes | None], size: Ints) -> tuple[Sequence[int], list[Any], dict[int, BadRecord]]:
        if not _plain(values, size):
            return self._one_by_one(values)
        try:
            return range(len(values)), list(map(self._decoder.decode, values)), {}
        except msgspec.DecodeError:
            return self._one_by_one(values)

    def _one_by_one(self, values: Sequence[bytes | None]) -> tuple[list[int], list[Any], dict[int, BadRecord]]:
        rows: list[int] = []
        records: list[Any] = []
        bad: dict[int, BadRecord] = {}
        for row, value in enumerate(values):
            try:
                records.append(self._one(value))
                rows.append(row)
            except BadRecord as problem:
                bad[row] = problem
        return rows, records, bad

    def _one(self, value: bytes | None) -> Any:
        if value is None:
            raise BadRecord(Reason.TOMBSTONE)
        if _deep(value):
            raise BadRecord(Reason.UNDECODABLE, f"nested deeper than {DEPTH}")
        try:
            value.decode()
            return self._decoder.decode(value)
        except msgspec.ValidationError as problem:
            raise BadRecord(_reason(str(problem)), str(problem)) from None
        except (UnicodeDecodeError, msgspec.DecodeError) as problem:
            raise BadRecord(Reason.UNDECODABLE, str(problem)) from None

    def _field(self, records: list[Any], path: Path) -> list[Any]:
        first, *rest = self._steps[path]
        values = list(map(attrgetter(first), records))
        for attribute in rest:
            get = attrgetter(attribute)
            values = [None if value is None else get(value) for value in values]
        return values


def _reason(message: str) -> Reason:
    if "out of range" in message.partition(" - at ")[0]:
        return Reason.NUMBER_OUT_OF_RANGE
    return Reason.WRONG_TYPE if " - at `$" in message else Reason.UNDECODABLE


def _plain(values: Sequence[bytes | None], size: Ints) -> TypeGuard[Sequence[bytes]]:
    """Whether no value needs a closer look: none is a tombstone, not UTF-8 or long enough to nest too deep and nesting so."""
    if size.min(initial=0) < 0:
        return False
    whole = cast(Sequence[bytes], values)
    if not all(map(bytes.isascii, whole)):
        try:
            b"\n".join(whole).decode()  # a line feed is never part of a character, so all are UTF-8 or one is not
        except UnicodeDecodeError:
            return False
    return bool(size.max(initial=0) <= 2 * DEPTH) or not any(map(_deep, whole))


def _deep(value: bytes) -> bool:
    """Whether JSON nests deeper than DEPTH: brackets outside of strings are counted only where there are enough of them."""
    if len(value) <= DEPTH or value.count(b"{") + value.count(b"[") <= DEPTH:
        return False
    marks = np.frombuffer(_STRING.sub(b"", value), dtype=np.uint8)
    return bool(np.cumsum(_STEP[marks]).max(initial=0) > DEPTH)
