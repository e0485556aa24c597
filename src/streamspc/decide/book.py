"""The gate's book: what the verdict records of one stream say, by window and segment.

A pure function of the records of `<app>.verdicts`, whichever replica reads them: no clock, nothing that one reader alone has seen.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streamspc.decide.storm import share, tripped
from streamspc.model import END, NEVER, WHOLE, Judged, Rejection

if TYPE_CHECKING:
    from streamspc.model import StreamSpec

MAX_WINDOWS = 100_000  # windows with rejections that are remembered; older ones follow the policy `before_verdicts`


@dataclass(slots=True)
class Book:
    """Verdicts of one stream. A window is complete when every chart partition has passed it."""

    spec: StreamSpec
    chart_partitions: int
    until_of: dict[int, int] = field(default_factory=dict)
    since: int = END  # start of the first window that was judged
    rejected: dict[int, dict[str, Rejection]] = field(default_factory=dict)  # by window start and segment
    storms: set[int] = field(default_factory=set)  # window starts whose rejections the storm guard has lifted
    _waiting: dict[int, tuple[int, int]] = field(default_factory=dict)  # judged, not complete: start -> (until, records)
    _shares: deque[float] = field(default_factory=deque)

    @property
    def until(self) -> int:
        """All windows that end at or before this instant are judged by every chart partition."""
        return min(self.until_of.values()) if len(self.until_of) == self.chart_partitions else NEVER

    def take(self, chart_partition: int, record: Rejection | Judged) -> None:
        """Take the next record of one chart partition, in its order."""
        if isinstance(record, Rejection):
            self.rejected.setdefault(record.start, {})[record.segment] = record
            return
        self.until_of[chart_partition] = max(record.until, self.until_of.get(chart_partition, NEVER))
        if record.start != NEVER:
            self.since = min(self.since, record.start)
            _, records = self._waiting.get(record.start, (0, 0))
            self._waiting[record.start] = (record.until, records + record.records)
        self._complete(self.until)

    def verdict(self, start: int, segment: str) -> Rejection | None:
        """The rejection of a record of this window and segment; its own segment's comes before the whole stream's."""
        window = self.rejected.get(start)
        if window is None or start in self.storms:
            return None
        return window.get(segment) or window.get(WHOLE)

    def stormy(self) -> bool:
        """Has the storm guard lifted the rejections of the last complete window?"""
        return bool(self._shares) and tripped(self.spec.storm, tuple(self._shares))

    def _complete(self, until: int) -> None:
        for start in sorted(start for start, (end, _) in self._waiting.items() if end <= until):
            _, records = self._waiting.pop(start)
            self._shares.append(share(records, tuple(self.rejected.get(start, {}).values())))
            while len(self._shares) > self.spec.storm.windows:
                self._shares.popleft()
            if start in self.rejected and tripped(self.spec.storm, tuple(self._shares)):
                self.storms.add(start)
        while len(self.rejected) > MAX_WINDOWS:
            oldest = min(self.rejected)
            del self.rejected[oldest]
            self.storms.discard(oldest)
            self.since = max(self.since, min(self.rejected, default=oldest))
