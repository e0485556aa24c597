"""The gate's book: what the verdict records of one stream say, by window and segment.

A pure function of the records of `<app>.verdicts`, whichever replica reads them: no clock, nothing that one reader alone has seen. The
order between chart partitions does not matter, for a window counts only when all of them have passed it, or an override decides on it
(`override`).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streamspc.decide.override import Overrides
from streamspc.decide.storm import share, tripped
from streamspc.model import END, NEVER, WHOLE, Judged, Override, Rejection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamspc.model import Bools, Codes, Ints, StreamSpec

MAX_REJECTIONS = 250_000  # that are remembered of windows that were passed; late records of older ones follow `before_verdicts`


class Ruling(NamedTuple):
    """What becomes of records [k]."""

    rejected: Codes  # code of the rejection, -1: none
    rejections: tuple[Rejection, ...]
    storm: Bools  # the storm guard has lifted it
    old: Bools  # there is no verdict so far back
    opened: Bools  # an override lets it pass, whatever the verdicts say
    closed: Codes  # code of the override that does not, -1: none
    closures: tuple[str, ...]  # who and why, of each override


@dataclass(slots=True)
class Book:
    """Verdicts of one stream. A window is complete when every chart partition has passed it."""

    spec: StreamSpec
    chart_partitions: int
    until_of: dict[int, int] = field(default_factory=dict)
    first: int = END  # start of the first window that was judged
    forgotten: int = NEVER  # windows that start before it are
    passed: int = NEVER  # records of windows that start at or after it are still to come: those are never forgotten
    rejected: dict[int, dict[str, Rejection]] = field(default_factory=dict)  # by window start and segment
    overrides: Overrides = field(default_factory=Overrides)
    storms: set[int] = field(default_factory=set)  # window starts whose rejections the storm guard has lifted
    _records: dict[int, int] = field(default_factory=dict)  # of windows that are judged, but not complete, by start
    _ends: list[tuple[int, int]] = field(default_factory=list)  # heap of (end, start) of those windows
    _remembered: deque[int] = field(default_factory=deque)  # starts in `rejected` that are complete, oldest first
    _rejections: int = 0  # in the windows of `_remembered`
    _shares: deque[float] = field(default_factory=deque)
    _storm: bool = False

    @property
    def until(self) -> int:
        """All windows that end at or before this instant are judged by every chart partition."""
        return min(self.until_of.values()) if len(self.until_of) == self.chart_partitions else NEVER

    @property
    def since(self) -> int:
        """Windows that start before this instant were never judged, or are forgotten."""
        return max(self.first, self.forgotten)

    def take(self, chart_partition: int, record: Rejection | Judged | Override) -> None:
        """Take the next record of one chart partition, in its order."""
        if isinstance(record, Override):
            self.overrides.take(record, self.until_of.get(chart_partition, NEVER))
            return
        if isinstance(record, Rejection):
            self.rejected.setdefault(record.start, {})[record.segment] = record
            return
        self.until_of[chart_partition] = max(record.until, self.until_of.get(chart_partition, NEVER))
        if record.start != NEVER:
            if record.start not in self._records:
                heappush(self._ends, (record.until, record.start))
                self.first = min(self.first, record.start)
            self._records[record.start] = self._records.get(record.start, 0) + record.records
        until = self.until
        while self._ends and self._ends[0][0] <= until:
            self._complete(heappop(self._ends)[1])

    def verdict(self, start: int, segment: str) -> Rejection | None:
        """The rejection of a record of this window and segment; its own segment's comes before the whole stream's."""
        if not self.rejects(start):
            return None
        window = self.rejected[start]
        return window.get(segment) or window.get(WHOLE)

    def waits(self, start: Ints, end: Ints) -> Bools:
        """Is a record of these windows [k] still to be decided on?"""
        late: Bools = end > self.until
        return late & (self.overrides.of(start, end) < 0) if late.any() else late

    def rule(self, start: Ints, end: Ints, segment: Codes, names: Sequence[str]) -> Ruling:
        """Decide on records [k] of these windows and segments (codes into `names`), none of which `waits`.

        One look-up a window, and in those that reject one a segment: none a record.
        """
        starts, window = np.unique(start, return_inverse=True)
        lifted = np.array([s in self.storms for s in starts.tolist()], dtype=bool)
        guilty = np.array([self.rejects(s) for s in starts.tolist()], dtype=bool)
        codes = np.full(len(start), -1, np.int32)
        rejections: list[Rejection] = []
        rows = np.flatnonzero(guilty[window])
        packed = window[rows] * len(names) + np.maximum(segment[rows], 0)  # the code is -1 where the stream has no segments
        pairs, pair = np.unique(packed, return_inverse=True)
        code_of = np.full(len(pairs), -1, np.int32)
        for index, one in enumerate(pairs.tolist()):
            if verdict := self.verdict(int(starts[one // len(names)]), names[one % len(names)]):
                code_of[index] = len(rejections)
                rejections.append(verdict)
        codes[rows] = code_of[pair]
        by = self.overrides.of(start, end)
        free = by < 0
        codes[~free] = -1
        opened = self.overrides.opens(by)
        closed, why = np.where(opened, np.int32(-1), by), tuple(one.text for one in self.overrides.all)
        return Ruling(codes, tuple(rejections), lifted[window] & free, (start < self.since) & free, opened, closed, why)

    def rejects(self, start: int) -> bool:
        """Is any record of this window rejected?"""
        return start in self.rejected and start not in self.storms

    def stormy(self) -> bool:
        """Has the storm guard lifted the rejections of the last complete window?"""
        return self._storm

    def _complete(self, start: int) -> None:
        rejected = self.rejected.get(start, {})
        self._shares.append(share(self._records.pop(start), tuple(rejected.values())))
        if len(self._shares) > self.spec.storm.windows:
            self._shares.popleft()
        self._storm = tripped(self.spec.storm, tuple(self._shares))
        if not rejected:
            return
        if self._storm:
            self.storms.add(start)
        self._remembered.append(start)
        self._rejections += len(rejected)
        while self._rejections > MAX_REJECTIONS and self._remembered[0] < self.passed:
            oldest = self._remembered.popleft()
            self._rejections -= len(self.rejected.pop(oldest))
            self.storms.discard(oldest)
            self.forgotten = oldest + 1
