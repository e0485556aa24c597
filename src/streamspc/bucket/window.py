"""Windows of event time on the wall clock of a time zone.

A window starts at every instant at which the zone's wall clock shows a whole multiple of the size, or jumps over one: since midnight
for sizes that divide a day, since 1970-01-01 for whole days, since a Monday for whole weeks. So windows tile the line, none is longer
than its size but where the clock goes back, a day in New York has 23, 24 or 25 hours, and where midnight is skipped a day begins at one.

The rules of zones are those of the package tzdata, never the machine's, for two machines must agree: they are read as package data,
which leaves the search path of `zoneinfo`, global to the process, alone. Changes are looked
for year by year, when a time in or beside the year is met; beyond the year 2437 they repeat with the calendar, every 400 years.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from importlib.resources import files
from itertools import chain
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from streamspc.errors import ConfigError
from streamspc.model import Ints

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = 86_400_000_000
_MONDAY = 4 * DAY  # 1970-01-05
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_YEAR, _LAST_YEAR = 1800, 2437  # no zone changes before; after, the rules are those of 400 years earlier
_CYCLE_YEARS, _CYCLE_DAYS = 400, 146_097
_STRIDE = 3  # days between two looks at the offset: changes of one zone are at least six days apart
_FAR = 2**62

Change = tuple[int, int]  # instant, and the offset from it on; microseconds


class Calendar:
    """Windows of one size in one zone; a function of time alone. Times are microseconds within some 100,000 years of now."""

    def __init__(self, size_us: int, timezone: str) -> None:
        """Raises ConfigError for a size that neither divides a day nor is whole days, and for a zone that tzdata does not know."""
        if size_us <= 0 or (DAY % size_us and size_us % DAY):
            raise ConfigError(f"window of {size_us / 1e6:g} s: expected a part of a day or whole days; use {_near(size_us)}")
        self._size = size_us
        self._anchor = _MONDAY if size_us % (7 * DAY) == 0 else 0
        self._zone = _zone(timezone)
        self._by_year: dict[int, list[Change]] = {}
        self._covered = range(0)
        self._bounds = self._offsets = np.zeros(0, dtype=np.int64)
        self._jumps = np.zeros(0, dtype=bool)  # the first instant of the span starts a window: the clock jumped over a multiple

    def start(self, times: Ints) -> Ints:
        """Start of the window that holds each time [n]."""
        if not len(times):
            return times.copy()
        self._cover(int(times.min()) - self._size, int(times.max()))
        span = self._span(times)
        starts = self._last(times, span)
        starts = np.where(self._jumps[span], np.maximum(starts, self._bounds[span]), starts)
        while (earlier := starts < self._bounds[span]).any():
            span = span - earlier
            starts = np.where(earlier, self._last(self._bounds[span + 1] - 1, span), starts)
            starts = np.where(self._jumps[span], np.maximum(starts, self._bounds[span]), starts)
        return starts

    def end(self, starts: Ints) -> Ints:
        """End of the window that holds each time [n]: the first start after it."""
        if not len(starts):
            return starts.copy()
        self._cover(int(starts.min()), int(starts.max()) + self._size)
        span = self._span(starts + 1)
        ends = self._last(starts, span) + self._size
        while (later := ends >= self._bounds[span + 1]).any():
            span = span + later
            first = np.where(self._jumps[span], self._bounds[span], self._last(self._bounds[span] - 1, span) + self._size)
            ends = np.where(later, first, ends)
        return ends

    def after(self, start: int) -> int:
        """The first window start after a time."""
        return int(self.end(np.array([start], dtype=np.int64))[0])

    def starts(self, first: int, until: int) -> Iterator[int]:
        """Starts of the windows that lie between `first` and `until`, in order, one by one: `until` may be the end of time."""
        start = self.after(first - 1)
        while (end := self.after(start)) <= until:
            yield start
            start = end

    def _last(self, times: Ints, span: Ints) -> Ints:
        """The last multiple at or before each time, by the offset of a span between two changes."""
        return times - (times + self._offsets[span] - self._anchor) % self._size

    def _span(self, times: Ints) -> Ints:
        """Which span between changes holds each time; span k lasts from bound k to bound k + 1."""
        return np.searchsorted(self._bounds, times, side="right") - 1

    def _cover(self, first: int, last: int) -> None:
        """Know every change between two times and in a year around them."""
        low, high = _year(first) - 1, _year(last) + 1
        if self._covered and self._covered[0] <= low and high <= self._covered[-1]:
            return
        if self._covered:
            low, high = min(low, self._covered[0]), max(high, self._covered[-1])
        self._covered = range(low, high + 1)
        changes = list(chain.from_iterable(map(self._changes, self._covered)))
        self._bounds = np.array([-_FAR, *(at for at, _ in changes), _FAR], dtype=np.int64)
        self._offsets = np.array([self._offset(*_alike(low)), *(offset for _, offset in changes)], dtype=np.int64)
        skipped = np.diff(self._offsets, prepend=self._offsets[0])
        since = (self._bounds[:-1] + self._offsets - self._anchor) % self._size
        self._jumps = (skipped > 0) & (since <= skipped)

    def _changes(self, year: int) -> list[Change]:
        """Changes of the offset within a year (UTC)."""
        if year < _FIRST_YEAR:
            return []
        like, shift = _alike(year)
        if like not in self._by_year:
            self._by_year[like] = list(self._probe(like))
        return [(at + shift * DAY, offset) for at, offset in self._by_year[like]]

    def _probe(self, year: int) -> Iterator[Change]:
        days = (datetime(year + 1, 1, 1, tzinfo=UTC) - datetime(year, 1, 1, tzinfo=UTC)).days
        before, low = self._offset(year), 0
        for day in [*range(_STRIDE, days, _STRIDE), days]:
            last = high = 86_400 * day
            if (offset := self._offset(year, high)) != before:
                while high - low > 1:
                    middle = (low + high) // 2
                    low, high = (middle, high) if self._offset(year, middle) == before else (low, middle)
                yield (datetime(year, 1, 1, tzinfo=UTC) - _EPOCH).days * DAY + high * 1_000_000, offset
                before = offset
            low = last

    def _offset(self, year: int, seconds: int = 0) -> int:
        """Offset from UTC at so many seconds after a year began."""
        moment = datetime(year, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
        offset = moment.astimezone(self._zone).utcoffset() or timedelta()
        return offset // timedelta(microseconds=1)


def _year(time: int) -> int:
    return 1970 + int(np.datetime64(time, "us").astype("M8[Y]").astype(np.int64))


def _alike(year: int) -> tuple[int, int]:
    """A year with the same rules that `zoneinfo` can be asked about, and how many days it is earlier."""
    cycles = max(0, -((_LAST_YEAR - year) // _CYCLE_YEARS))
    return max(_FIRST_YEAR, year - _CYCLE_YEARS * cycles), _CYCLE_DAYS * cycles


def _near(size_us: int) -> str:
    """The allowed sizes on both sides of one that is not."""
    if size_us <= 0:
        return "60s"
    if size_us > DAY:
        return f"{size_us // DAY}d or {size_us // DAY + 1}d"
    parts = DAY // size_us
    more = next(count for count in range(parts + 1, DAY + 1) if DAY % count == 0)
    fewer = next(count for count in range(parts, 0, -1) if DAY % count == 0)
    return f"{DAY // more / 1e6:g}s or {DAY // fewer / 1e6:g}s"


def _zone(name: str) -> ZoneInfo:
    known = files("tzdata").joinpath("zones").read_text(encoding="utf-8").split()
    if name not in known:
        near = get_close_matches(name, known, n=1, cutoff=0.5)
        raise ConfigError(
            f"timezone {name!r} is not known; {f'did you mean {near[0]}?' if near else 'expected a name such as Europe/Berlin'}"
        )
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as rules:
        return ZoneInfo.from_file(rules, key=name)
