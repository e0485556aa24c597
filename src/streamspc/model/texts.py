"""A column of byte texts, any of them null, as places in buffers: no object a record until one is looked at."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain
from typing import NamedTuple, overload

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


class Piece(NamedTuple):
    """Texts of one buffer: text i is `data[begin[i] : begin[i] + size[i]]`; a negative size is null."""

    data: bytes
    begin: Ints  # [n]
    size: Ints  # [n]

    def tolist(self) -> list[bytes | None]:
        """All of them as objects."""
        data, begin, size = self
        null = np.flatnonzero(size < 0)
        if len(null) == len(size):
            return [None] * len(null)
        found: list[bytes | None] = [data[at:end] for at, end in zip(begin.tolist(), (begin + size).tolist(), strict=True)]
        for row in null.tolist():
            found[row] = None
        return found


class Texts(Sequence["bytes | None"]):
    """Pieces one after the other. A slice shares their buffers."""

    __slots__ = ("_starts", "pieces")

    def __init__(self, pieces: Iterable[Piece]) -> None:
        """Take the pieces; every text has to lie within its buffer."""
        self.pieces = tuple(pieces)
        self._starts = list(accumulate((len(piece.size) for piece in self.pieces), initial=0))

    def __len__(self) -> int:
        return self._starts[-1]

    @overload
    def __getitem__(self, at: int) -> bytes | None: ...
    @overload
    def __getitem__(self, at: slice) -> Texts: ...
    def __getitem__(self, at: int | slice) -> bytes | Texts | None:
        """One text, or those of a slice without a step as a column."""
        if isinstance(at, slice):
            return self._cut(*at.indices(len(self)))
        row = range(len(self))[at]
        number = bisect_right(self._starts, row) - 1
        data, begin, size = self.pieces[number]
        row -= self._starts[number]
        return None if size[row] < 0 else data[int(begin[row]) : int(begin[row] + size[row])]

    def _cut(self, begin: int, end: int, step: int) -> Texts:
        if step != 1:
            raise ValueError("texts are cut in one piece")
        places = ((piece, max(begin - at, 0), end - at) for piece, at in zip(self.pieces, self._starts, strict=False))
        return Texts(Piece(it.data, it.begin[a:b], it.size[a:b]) for it, a, b in places if a < min(b, len(it.size)))

    def __iter__(self) -> Iterator[bytes | None]:
        return iter(self.tolist())

    def tolist(self) -> list[bytes | None]:
        """All of them as objects."""
        return list(chain.from_iterable(piece.tolist() for piece in self.pieces))

    def take(self, rows: Ints) -> Texts:
        """Those at these rows, which increase; the buffers are shared."""
        cuts = np.searchsorted(rows, self._starts)
        places = zip(self.pieces, self._starts, cuts[:-1].tolist(), cuts[1:].tolist(), strict=False)
        picked = ((piece, rows[a:b] - start) for piece, start, a, b in places if a < b)
        return Texts(Piece(it.data, it.begin[at], it.size[at]) for it, at in picked)

    def without(self, rows: Ints) -> Texts:
        """The same, null at these rows, which increase."""
        cuts = np.searchsorted(rows, self._starts)
        pieces = []
        for piece, start, a, b in zip(self.pieces, self._starts, cuts[:-1].tolist(), cuts[1:].tolist(), strict=False):
            size = piece.size.copy()
            size[rows[a:b] - start] = -1
            pieces.append(piece._replace(size=size))
        return Texts(pieces)

    @staticmethod
    def joined(parts: Iterable[Texts]) -> Texts:
        """One after the other; no buffer is copied."""
        return Texts(piece for part in parts for piece in part.pieces)


def sizes(texts: Sequence[bytes | None]) -> Ints:
    """The length of each, -1 where it is null. [n]."""
    if isinstance(texts, Texts):
        found = np.concatenate([np.zeros(0, np.int64), *(piece.size for piece in texts.pieces)])
        return found.clip(-1)
    return np.array([-1 if text is None else len(text) for text in texts], dtype=np.int64)


def take(texts: Sequence[bytes | None], rows: Ints) -> Sequence[bytes | None]:
    """Those at these rows, which increase."""
    return texts.take(rows) if isinstance(texts, Texts) else [texts[row] for row in rows.tolist()]


class Pack(NamedTuple):
    """A whole record batch as the broker has it, which may go on without being unpacked. Times are milliseconds."""

    first: int  # row of its first record
    records: int
    data: bytes | memoryview
    codec: int
    base_time: int
    max_time: int
    size: int  # bytes when unpacked


class Stored(NamedTuple):
    """Records as Kafka stores them, so that they can go on without being made again."""

    bodies: Texts  # [n] key, value and headers of each, as they lie in it
    packs: tuple[Pack, ...]  # in order; those of which every record is here

    def part(self, begin: int, end: int) -> Stored:
        """The records from `begin` up to `end`."""
        whole = (pack for pack in self.packs if begin <= pack.first and pack.first + pack.records <= end)
        return Stored(self.bodies[begin:end], tuple(pack._replace(first=pack.first - begin) for pack in whole))

    def take(self, rows: Ints) -> Stored:
        """Those at these rows, which increase."""
        cuts = np.searchsorted(rows, [(pack.first, pack.first + pack.records) for pack in self.packs]).reshape(-1, 2).tolist()
        whole = (pack._replace(first=a) for pack, (a, b) in zip(self.packs, cuts, strict=True) if b - a == pack.records)
        return Stored(self.bodies.take(rows), tuple(whole))

    def without(self, rows: Ints) -> Stored:
        """The same, but the bodies of these rows, which increase, are to be made anew."""
        cuts = np.searchsorted(rows, [(pack.first, pack.first + pack.records) for pack in self.packs]).reshape(-1, 2).tolist()
        return Stored(self.bodies.without(rows), tuple(pack for pack, (a, b) in zip(self.packs, cuts, strict=True) if a == b))

    @staticmethod
    def joined(parts: Sequence[Stored]) -> Stored:
        """One after the other."""
        firsts = accumulate((len(part.bodies) for part in parts), initial=0)
        packs = (pack._replace(first=pack.first + at) for part, at in zip(parts, firsts, strict=False) for pack in part.packs)
        return Stored(Texts.joined(part.bodies for part in parts), tuple(packs))
