"""Overrides: windows that an operator has decided on, because nobody has judged them, or so that nobody may.

An override names window starts and stands in each partition of the verdicts. It decides on a window where, in at least one of them, it
comes before the marker that passes the window. So a window is decided on once and for ever, and by every reader alike: one that all
chart partitions have passed was complete before the override came; any other cannot be complete without its being read. Of two overrides of
a window the first one wins: one writer writes them, in the same order everywhere.

Rejected: the order in one partition alone (a window that this one has judged and another never will could not be opened); "open until
further notice" (whether a window is within it would be a matter of what a reader has read so far).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from streamspc.model import Bools, Codes, Ints, Override


@dataclass(slots=True)
class Overrides:
    """The overrides of one stream, in their order. `passed`: the least instant to which a partition had judged as it came there."""

    all: list[Override] = field(default_factory=list)
    passed: dict[str, int] = field(default_factory=dict)

    def take(self, override: Override, until: int) -> None:
        """Take one from a chart partition that has judged `until` then."""
        if override.id not in self.passed:
            self.all.append(override)
        self.passed[override.id] = min(until, self.passed.get(override.id, until))

    def opens(self, by: Codes) -> Bools:
        """Whether each of these, of `of`, lets records pass."""
        kinds = np.array([*(one.kind == "open" for one in self.all), False])  # the last one, at -1, is of those without an override
        return kinds[by]

    def of(self, start: Ints, end: Ints) -> Codes:
        """Index into `all` of the override that decides on each of these windows [k], -1 where none does."""
        found = np.full(len(start), -1, np.int32)
        if not len(start) or not self.all:
            return found
        first, last, latest = int(start.min()), int(start.max()), int(end.max())
        for at, one in reversed(list(enumerate(self.all))):
            passed = self.passed[one.id]
            if one.since <= last and first < one.until and passed < latest:
                found[(one.since <= start) & (start < one.until) & (passed < end)] = at
        return found
