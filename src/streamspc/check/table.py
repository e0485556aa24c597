"""Rows of a CSV file as the JSON records that they stand for: cells have the types in which the configuration uses their columns.

The first row names the fields, as the configuration does (`price`, `flight.delay`); columns that it does not use are skipped. An empty
cell is null. A cell that cannot be what it should stays a text, and a row with more or fewer cells than the first is no record:
both are refused by admission, with its reasons.
"""

from __future__ import annotations

import csv
import io
import math
import re
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from streamspc.check.source import Unreadable
from streamspc.model import FieldKind
from streamspc.model.path import join, split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from streamspc.check.source import Input
    from streamspc.flow import Stream

    Path = tuple[str, ...]
    Typed = Callable[[Sequence[str]], list[Any]]

ROWS = 20_000  # at a time
NO_RECORD = b"not a row of this table"  # not JSON either
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_PLAIN = re.compile(r"[0-9.,+\-]*")  # numbers that `float` and `_number` read alike, joined by commas
_DIGITS = re.compile(r"[0-9]+(?:,[0-9]+)*")
_FLAGS = {"": None, "true": True, "false": False, "1": True, "0": False}
_SURROGATE = re.compile("[\ud800-\udfff]")  # a byte that was not UTF-8


def columns(stream: Stream, timestamp: str | None) -> dict[Path, Typed]:
    """What the stream reads, and how the cells of each field are typed."""
    spec = stream.spec
    wanted: dict[Path, Typed] = dict.fromkeys(map(split, spec.segment_by), texts)
    wanted |= {split(field): _TYPED[kind] for field, kind in stream.plan.fields.items()}
    if timestamp is not None:
        wanted.setdefault(split(timestamp), moments)
    if spec.event_time.field is not None:
        wanted[split(spec.event_time.field)] = texts if spec.event_time.unit == "iso8601" else moments
    return wanted


def values(source: Input, wanted: Mapping[Path, Typed]) -> Iterator[list[bytes]]:
    """JSON of the rows, `ROWS` at a time. Raises Unreadable where a field has no column of its own or the text is no CSV."""
    lines = io.TextIOWrapper(source.bytes, "utf-8-sig", "surrogateescape", newline="")
    reader = csv.reader(lines)
    try:
        header = next((row for row in reader if row), [])
        if not header:
            raise Unreadable(f"{source.name}: no records: the file is empty")
        encode = _Encoder(_places(source.name, header, wanted), len(header))
        while rows := list(islice(reader, ROWS)):
            yield encode([row for row in rows if row])
    except csv.Error as error:
        raise Unreadable(f"{source.name}, line {reader.line_num}: no CSV: {error}") from None
    finally:
        lines.detach()


def _places(name: str, header: list[str], wanted: Mapping[Path, Typed]) -> dict[Path, tuple[int, Typed]]:
    """Column of each field."""
    cells = [cell.strip() for cell in header]
    spelt = {path: {join(path), ".".join(path)} for path in wanted}
    found = {path: [at for at, cell in enumerate(cells) if cell in names] for path, names in spelt.items()}
    missing = [join(path) for path, at in found.items() if not at]
    if missing:
        raise Unreadable(
            f"{name}: no column {', '.join(missing)}, which the configuration uses; the first row has: {', '.join(cells):.300}"
        )
    if twice := [join(path) for path, at in found.items() if len(at) > 1]:
        raise Unreadable(f"{name}: the first row has more than one column {', '.join(twice)}; rename all but one")
    for path in found:
        if inner := [join(other) for other in found if len(other) > len(path) and other[: len(path)] == path]:
            raise Unreadable(f"{name}: {join(path)} and {inner[0]} are both used, but a cell is no object; convert the file to JSON Lines")
    return {path: (at[0], wanted[path]) for path, at in found.items()}


class _Encoder:
    """Rows to JSON: one Struct of the wanted columns, nested as the fields are."""

    def __init__(self, places: Mapping[Path, tuple[int, Typed]], width: int) -> None:
        self._places = places
        self._width = width
        self._structs: dict[Path, Any] = {}
        self._json = msgspec.json.Encoder()
        self._define(())

    def _define(self, prefix: Path) -> None:
        names = self._below(prefix)
        attributes = [f"f{at}" for at in range(len(names))]
        renamed = dict(zip(attributes, names, strict=True))
        self._structs[prefix] = msgspec.defstruct("Row", [(attribute, Any) for attribute in attributes], rename=renamed, gc=False)
        for name in names:
            if (*prefix, name) not in self._places:
                self._define((*prefix, name))

    def _below(self, prefix: Path) -> list[str]:
        return list(dict.fromkeys(path[len(prefix)] for path in self._places if len(path) > len(prefix) and path[: len(prefix)] == prefix))

    def __call__(self, rows: list[list[str]]) -> list[bytes]:
        good = [row for row in rows if len(row) == self._width]
        encoded = iter(self._whole(good))
        return list(encoded) if len(good) == len(rows) else [next(encoded) if len(row) == self._width else NO_RECORD for row in rows]

    def _whole(self, rows: list[list[str]]) -> list[bytes]:
        if not rows:
            return []
        cells = list(zip(*rows, strict=True))
        try:
            return self._json.encode_lines(self._objects((), cells)).splitlines()
        except UnicodeEncodeError:
            broken = [any(map(_SURROGATE.search, row)) for row in rows]
            encoded = iter(self._whole([row for row, bad in zip(rows, broken, strict=True) if not bad]))
            return [NO_RECORD if bad else next(encoded) for bad in broken]

    def _objects(self, prefix: Path, cells: list[tuple[str, ...]]) -> list[Any]:
        parts = []
        for name in self._below(prefix):
            path = (*prefix, name)
            if path in self._places:
                at, typed = self._places[path]
                parts.append(typed(cells[at]))
            else:
                parts.append(self._objects(path, cells))
        return list(map(self._structs[prefix], *parts))


def texts(cells: Sequence[str]) -> list[Any]:
    """Texts; null where empty."""
    return [cell or None for cell in cells] if "" in cells else list(cells)


def numbers(cells: Sequence[str]) -> list[Any]:
    """Doubles; null where empty, the text where it is no number."""
    if _PLAIN.fullmatch(",".join(cells)):
        try:
            return [float(cell) if cell else None for cell in cells] if "" in cells else list(map(float, cells))
        except ValueError:
            pass
    return [_number(cell, float) for cell in cells]


def moments(cells: Sequence[str]) -> list[Any]:
    """Integers exactly, other numbers as doubles; null where empty, the text where it is no number."""
    if _DIGITS.fullmatch(",".join(cells)) and max(map(len, cells)) < 19:
        return list(map(int, cells))
    return [_number(cell, int) for cell in cells]


def flags(cells: Sequence[str]) -> list[Any]:
    """True or 1, false or 0, in any case; null where empty, else the text."""
    return [_FLAGS.get(cell.strip().lower(), cell) for cell in cells]


def _number(cell: str, whole: type[int | float]) -> Any:
    text = cell.strip()
    if not text:
        return None
    if _NUMBER.fullmatch(text) is None:
        return cell
    if whole is int and text.lstrip("+-").isdigit():
        return msgspec.Raw(_digits(text))
    number = float(text)
    return number if math.isfinite(number) else msgspec.Raw(b"-1e999" if number < 0 else b"1e999")


def _digits(text: str) -> bytes:
    """An integer as JSON writes it, however long."""
    digits = text.lstrip("+-").lstrip("0") or "0"
    return ("-" + digits if text.startswith("-") else digits).encode()


_TYPED: dict[FieldKind, Typed] = {
    FieldKind.NUMBER: numbers,
    FieldKind.TEXT: texts,
    FieldKind.FLAG: flags,
    FieldKind.ANY: texts,
}
