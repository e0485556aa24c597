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
    that is added later starts at the frontier. A partition that was promised its end (END) holds nothing up. When all others are
    idle, event time goes on from where it stood at the pace of the one that has been idle for the shortest time.
    """

    partitions: int = 0
    watermarks: dict[int, int] = field(default_factory=dict)
    idle: dict[int, int] = field(default_factory=dict)  # how long each idle partition has been so, all its reports together
    at: int = NEVER

    def advance(self, progress: Iterable[Progress], partitions: int) -> int:
        """Take the reports of one block; return the frontier in microseconds of event time."""
        if self.at != NEVER:
            for added in range(self.partitions, partitions):
                self.watermarks.setdefault(added, self.at)
        self.partitions = max(self.partitions, partitions)
        before = self._rest()
        for report in progress:
            self.watermarks[report.partition] = max(report.watermark, self.watermarks.get(report.partition, NEVER))
            if report.idle_us is None:
                self.idle.pop(report.partition, None)
            else:
                self.idle[report.partition] = self.idle.get(report.partition, 0) + report.idle_us
        if len(self.watermarks) >= self.partitions:
            self.at = max(self.at, self._smallest(before))
        return self.at

    def _open(self) -> dict[int, int]:
        return {partition: mark for partition, mark in self.watermarks.items() if mark != END}

    def _rest(self) -> int:
        """For how long all open partitions have been idle together; 0 while one of them is not."""
        return min((self.idle.get(partition, 0) for partition in self._open()), default=0)

    def _smallest(self, before: int) -> int:
        """The frontier as the watermarks have it; `before` is the rest that has gone into it already."""
        waited_for = self._open()
        if not waited_for:
            return END
        busy = [mark for partition, mark in waited_for.items() if partition not in self.idle]
        if busy:
            return min(busy)
        stood = max(self.at, min((mark for mark in waited_for.values() if mark != NEVER), default=NEVER))
        return stood if stood == NEVER else min(END - 1, stood + self._rest() - before)


def limit(frontier: int, lateness_us: int) -> int:
    """Windows that end at or before this instant close. The promised end of time knows no lateness."""
    return frontier if frontier in (NEVER, END) else frontier - lateness_us
