"""Open windows of a stream, and their closing in the order of time, empty ones included.

What is yielded depends on the tallies and on the limits passed, never on how many steps the limit took: a run of empty windows
closes one by one up to `max_empty`, the next empty window closes as the one `gap` of the run, and the rest of the run is silent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streamspc.bucket.merge import merge, split, window
from streamspc.model import END, NEVER, WHOLE, TallyTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamspc.bucket.window import Calendar

COMPACT_TABLES = 256  # merge what is pending when so many tables wait: bounds the objects, not the cells


class Closed(NamedTuple):
    """A window that has closed; `table` holds its cells only. `gap`: too many empty windows came before it, and it is empty too."""

    start: int
    end: int
    table: TallyTable
    gap: bool = False


@dataclass(slots=True)
class OpenWindows:
    """Tallies of windows that have not closed. `next` is the start of the first one that may still close (NEVER: none yet)."""

    calendar: Calendar
    max_empty: int
    nothing: TallyTable
    tables: list[TallyTable] = field(default_factory=list)
    next: int = NEVER
    empties: int = 0

    def add(self, table: TallyTable) -> int:
        """Take tallies in; those of closed windows are refused. Returns the records refused, counted in the whole stream's cells."""
        old, table = split(table, self.next)
        refused = whole_records(old)
        if len(table) or len(table.sources.start):
            self.tables.append(table)
        if len(self.tables) >= COMPACT_TABLES:
            self.tables = [self.pending()]
        return refused

    def pending(self) -> TallyTable:
        """All that is open as one table."""
        return merge([self.nothing, *self.tables])

    def count(self) -> int:
        """Number of open windows that hold records."""
        starts = [table.sources.start for table in self.tables]
        return len(np.unique(np.concatenate(starts))) if starts else 0

    def close(self, limit: int) -> Iterator[Closed]:
        """Close every window that ends at or before `limit`, in the order of time. The iterator must be exhausted."""
        if limit == NEVER:
            return
        bound = limit if limit == END else self._start(limit)
        if any(_first(table) < bound for table in self.tables):  # else nothing has to be merged now
            yield from self._full(bound)
        if limit != END and self.next != NEVER:
            yield from self._empty(bound)

    def _full(self, bound: int) -> Iterator[Closed]:
        """The windows with records that start before `bound`, and the empty ones before each."""
        closed, still_open = split(self.pending(), bound)
        self.tables = [still_open]
        starts = np.unique(np.concatenate([closed.start, closed.sources.start]))
        if self.next == NEVER:
            self.next = int(starts[0])
        for start in starts.tolist():
            yield from self._empty(start)
            end = self.calendar.after(start)
            self.next, self.empties = end, 0
            yield Closed(start, end, window(closed, start))

    def _start(self, instant: int) -> int:
        """Start of the window that holds this instant: all windows before it have ended."""
        return int(self.calendar.start(np.array([instant], dtype=np.int64))[0])

    def _empty(self, until: int) -> Iterator[Closed]:
        while self.next < until:
            if self.empties > self.max_empty:
                self.next = until
                return
            start, end = self.next, self.calendar.after(self.next)
            self.next = end
            self.empties += 1
            yield Closed(start, end, self.nothing, gap=self.empties > self.max_empty)


def whole_records(table: TallyTable) -> int:
    """Records in the cells of the whole stream; 0 where those live in another chart partition."""
    return int(table.records[table.segment == table.names.index(WHOLE)].sum()) if WHOLE in table.names else 0


def every(calendar: Calendar, table: TallyTable) -> Iterator[tuple[int, TallyTable]]:
    """Starts and cells of all windows from the first to the last that the table knows of, those between that have none included."""
    starts = np.concatenate([table.start, table.sources.start])
    at, last = (int(starts.min()), int(starts.max())) if len(starts) else (END, NEVER)
    while at <= last:
        yield at, window(table, at)
        at = calendar.after(at)


def _first(table: TallyTable) -> int:
    """Start of the first window that the table knows of, END where it is empty."""
    return min((int(starts[0]) for starts in (table.start, table.sources.start) if len(starts)), default=END)
