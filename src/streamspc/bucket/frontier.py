"""The frontier of a stream: the smallest watermark over its source partitions that are not idle.

It never goes back. Nothing here reads a clock: idleness arrives as durations in the log, so that a replay finds the same frontier.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streamspc.model import END, NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamspc.model import Progress


@dataclass(slots=True)
class Frontier:
    """Watermarks of the source partitions of one stream, as one partition of the tallies log has told them so far.

    While any of the `partitions` has not reported, the frontier stays where it is (before the first record: NEVER). A partition
    that is added later starts at the frontier. When all are idle, event time goes on at the pace of the reported durations.
    """

    partitions: int = 0
    watermarks: dict[int, int] = field(default_factory=dict)
    idle: dict[int, int] = field(default_factory=dict)
    at: int = NEVER

    def advance(self, progress: Iterable[Progress], partitions: int) -> int:
        """Take the reports of one block; return the frontier in microseconds of event time."""
        if self.at != NEVER:
            for added in range(self.partitions, partitions):
                self.watermarks.setdefault(added, self.at)
        self.partitions = max(self.partitions, partitions)
        for report in progress:
            self.watermarks[report.partition] = max(report.watermark, self.watermarks.get(report.partition, NEVER))
            if report.idle_us is None:
                self.idle.pop(report.partition, None)
            else:
                self.idle[report.partition] = report.idle_us
        if len(self.watermarks) >= self.partitions:
            self.at = max(self.at, self._smallest())
        return self.at

    def _smallest(self) -> int:
        busy = [mark for partition, mark in self.watermarks.items() if partition not in self.idle]
        if busy:
            return min(busy)
        known = [min(END, mark + self.idle[partition]) for partition, mark in self.watermarks.items() if mark != NEVER]
        return min(known, default=NEVER)


def limit(frontier: int, lateness_us: int) -> int:
    """Windows that end at or before this instant close. The promised end of time knows no lateness."""
    return frontier if frontier in (NEVER, END) else frontier - lateness_us
