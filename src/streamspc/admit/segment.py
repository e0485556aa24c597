"""Segments: the values of the `segment_by` fields as one canonical text a record, and as codes."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from streamspc.model import WHOLE, Codes, Ints

NULL = "∅"  # null or missing
LONGEST = 200  # characters of a name; a longer one is cut and ends with its hash
REMEMBERED = 200_000  # distinct values between two batches

_ESCAPES = str.maketrans({"\\": "\\\\", "|": "\\|"})


class _Known(dict[Any, int]):
    """Value to code, learnt as it is met; values of one text share a code."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self._codes: dict[str, int] = {}
        self._ordered: list[int] = []  # codes by name, of the names that were there when it was last asked for

    def ordered(self) -> list[int]:
        """All codes in the order of their names."""
        if len(self._ordered) < len(self.names):
            fresh = range(len(self._ordered), len(self.names))
            self._ordered = sorted([*self._ordered, *fresh], key=self.names.__getitem__)
        return self._ordered

    def __missing__(self, key: Any) -> int:
        name = canonical(key if isinstance(key, tuple) else (key,))
        code = self[key] = self._codes.setdefault(name, len(self.names))
        if code == len(self.names):
            self.names.append(name)
        return code


class Segments:
    """Codes for the values of `segment_by`. What it remembers makes it fast and changes no result."""

    def __init__(self) -> None:
        self._known = _Known()

    def forget(self) -> None:
        """Start again when too many values are known. Between two batches: codes hold until then."""
        if len(self._known) > REMEMBERED:
            self._known = _Known()

    def codes(self, columns: list[list[Any]]) -> Ints:
        """A code for each record, the same for the same name. `columns` are the values of each field: text, number, bool, None."""
        told = [_told(values) for values in columns]
        keys = told[0] if len(told) == 1 else list(zip(*told, strict=True))
        return np.fromiter(map(self._known.__getitem__, keys), dtype=np.int64, count=len(keys))

    def named(self, codes: Ints) -> tuple[Codes, tuple[str, ...]]:
        """Codes into the sorted names that occur, and those."""
        names, ordered = self._known.names, np.array(self._known.ordered(), dtype=np.int64)
        used = ordered[np.bincount(codes, minlength=len(names))[ordered] > 0]
        place = np.zeros(len(names), dtype=np.int32)
        place[used] = np.arange(len(used), dtype=np.int32)
        return place[codes], tuple(map(names.__getitem__, used.tolist()))


def canonical(values: tuple[Any, ...]) -> str:
    """Name of the segment of these values: never `*`, at most LONGEST characters, the same for 1 and 1.0."""
    name = _text(values[0]) if len(values) == 1 else "|".join(map(_text, values))
    if len(name) <= LONGEST:
        return name
    return name[: LONGEST - 20] + "#" + hashlib.blake2b(name.encode(), digest_size=8).hexdigest()


def _text(value: Any) -> str:
    if value is None:
        return NULL
    if isinstance(value, str):
        if value in {WHOLE, NULL}:
            return "\\" + value
        return value.translate(_ESCAPES) if "\\" in value or "|" in value else value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if value == int(value) else repr(value)


def _told(values: list[Any]) -> list[Any]:
    """Values that a dict tells apart: true equals 1 there."""
    if bool not in set(map(type, values)):
        return values
    return [_text(value) if isinstance(value, bool) else value for value in values]
