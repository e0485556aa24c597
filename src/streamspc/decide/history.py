"""Where the last windows of a stream came from, so that an onset can be told as source offsets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamspc.model import Sources, Span
from streamspc.model.lanes import Lanes

if TYPE_CHECKING:
    from collections.abc import Sequence

WINDOWS = 512  # an onset further back is told as the oldest window that is remembered


class History:
    """The last `WINDOWS` charted windows of a stream, the current one included, oldest first."""

    __slots__ = ("_sources",)

    def __init__(self) -> None:
        """No windows yet."""
        self._sources: dict[int, Sources] = {}

    def add(self, start: int, sources: Sources) -> None:
        """The next window, before its points are decided upon. Windows come in the order of time."""
        self._sources[start] = sources
        if len(self._sources) > WINDOWS:
            del self._sources[next(iter(self._sources))]

    def before(self, lags: Sequence[int]) -> list[int]:
        """Start of the window that many windows before the newest one; of the oldest where it is no longer remembered."""
        starts = list(self._sources)
        oldest = -len(starts)
        return [starts[max(-1 - lag, oldest)] for lag in lags]

    def spans(self, start: int) -> tuple[Span, ...]:
        """Source offsets of the window that starts there; none where it had no records or is no longer remembered."""
        sources = self._sources.get(start)
        return () if sources is None else spans(sources)

    def save(self) -> Lanes:
        """All of it, for `load`."""
        rows = list(self._sources.values())
        empty = [np.zeros(0, np.int64), np.zeros(0, np.int32), *(np.zeros(0, np.int64) for _ in range(3))]
        columns = [np.concatenate([empty[i], *(row[i] for row in rows)]) for i in range(len(Sources._fields))]
        saved = {f"sources.{field}": column for field, column in zip(Sources._fields, columns, strict=True)}
        return saved | {"starts": np.array(list(self._sources), np.int64), "rows": np.array([len(row.start) for row in rows], np.int64)}

    @classmethod
    def load(cls, saved: Lanes) -> History:
        """The history that was saved."""
        history = cls()
        columns = [saved[f"sources.{field}"] for field in Sources._fields]
        ends = np.cumsum(saved["rows"])
        for start, rows, end in zip(saved["starts"].tolist(), saved["rows"].tolist(), ends.tolist(), strict=True):
            history.add(start, Sources(*(column[end - rows : end] for column in columns)))
        return history


def spans(sources: Sources) -> tuple[Span, ...]:
    """Source offsets of one window, by partition."""
    rows = zip(sources.partition.tolist(), sources.first.tolist(), sources.last.tolist(), strict=True)
    return tuple(Span(*row) for row in rows)
