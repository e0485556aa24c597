from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamspc.bucket.merge import merge, scatter
from streamspc.bucket.tally import empty, plan
from streamspc.bucket.window import Calendar
from streamspc.bucket.windows import COMPACT_TABLES, OpenWindows
from streamspc.model import END, NEVER, TallyTable
from tallying import WINDOW, Row, bits, stream, table

PLAN = plan(stream())


def opened(max_empty: int = 2) -> OpenWindows:
    """Windows of ten seconds, none of which is open."""
    return OpenWindows(Calendar(WINDOW, "UTC"), max_empty, empty(PLAN))


def at(*windows: int, segment: str = "a", first: int = 0) -> TallyTable:
    """One record in the middle of each of these windows."""
    return table([Row(window * WINDOW + WINDOW // 2, segment=segment) for window in windows], first=first, of=PLAN)


def closed(windows: OpenWindows, *limits: int):
    """Start (in windows), records of the whole stream, and gap of what closes as the limit goes through these."""
    found = [window for limit in limits for window in windows.close(limit)]
    return [(w.start // WINDOW, int(w.table.sources.records.sum()), w.gap) for w in found]


def test_a_window_closes_when_it_has_ended_and_not_before():
    """The limit has to reach the end of the window, which belongs to the next one."""
    windows = opened()
    windows.add(at(5))

    assert closed(windows, 6 * WINDOW - 1) == []
    assert closed(windows, 6 * WINDOW) == [(5, 1, False)]
    assert windows.count() == 0


def test_nothing_closes_before_the_first_record():
    """Without a record there is no first window, whatever the limit."""
    windows = opened()

    assert closed(windows, NEVER, 100 * WINDOW) == []
    windows.add(at(3))
    assert closed(windows, 101 * WINDOW, 102 * WINDOW)[:2] == [(3, 1, False), (4, 0, False)]


def test_a_long_run_of_empty_windows_is_one_gap():
    """The first empties close one by one, the next one stands for the rest, which says nothing; then it goes on."""
    windows = opened(max_empty=2)
    windows.add(at(0, 9))

    assert closed(windows, 11 * WINDOW) == [(0, 1, False), (1, 0, False), (2, 0, False), (3, 0, True), (9, 1, False), (10, 0, False)]


@settings(max_examples=50, deadline=None)
@given(
    records=st.lists(st.integers(0, 40), max_size=12),
    limits=st.lists(st.integers(0, 60 * WINDOW), max_size=12).map(sorted),
    max_empty=st.integers(0, 4),
)
@example(records=[0, 30], limits=[5 * WINDOW, 20 * WINDOW], max_empty=1)
def test_any_sequence_of_limits_closes_the_same_windows(records, limits, max_empty):
    """What has closed by a limit is the same whether the limit came there in one step or in many."""
    slow, fast = opened(max_empty), opened(max_empty)
    for windows in (slow, fast):
        windows.add(merge([empty(PLAN), *(at(window, first=i) for i, window in enumerate(records))]))
    last = max(limits, default=0)

    assert closed(slow, *limits, last) == closed(fast, last)
    assert closed(slow, END) == closed(fast, END)


@settings(max_examples=50, deadline=None)
@given(records=st.lists(st.integers(0, 30), min_size=1, max_size=10), max_empty=st.integers(0, 3))
def test_windows_close_in_order_and_hold_every_record_once(records, max_empty):
    """Closed windows do not overlap, go forward, and hold together what was added."""
    windows = opened(max_empty)
    for i, window in enumerate(records):
        windows.add(at(window, first=i))
    found = list(windows.close(END))

    assert all(one.end <= other.start for one, other in pairwise(found))
    assert sum(int(window.table.sources.records.sum()) for window in found) == len(records)
    assert bits(merge([empty(PLAN), *(window.table for window in found)])) == bits(
        merge([empty(PLAN), *(at(window, first=i) for i, window in enumerate(records))])
    )


def test_tallies_of_closed_windows_are_refused_and_counted():
    """They never reopen a window; records of the whole stream are counted once, not once a segment."""
    windows = opened()
    windows.add(at(2, segment="a"))
    closed(windows, 4 * WINDOW)

    assert windows.add(table([Row(2 * WINDOW, segment="a"), Row(2 * WINDOW, segment="b"), Row(5 * WINDOW)], of=PLAN)) == 2
    assert closed(windows, 6 * WINDOW) == [(4, 0, False), (5, 1, False)]


def test_records_of_a_silent_part_of_a_gap_are_too_late():
    """Windows that a gap has passed over are closed like any others."""
    windows = opened(max_empty=1)
    windows.add(at(0))
    closed(windows, 9 * WINDOW)

    assert windows.add(at(6)) == 1
    assert windows.next == 9 * WINDOW


def test_the_promised_end_closes_all_and_makes_no_empties_behind_it():
    """At the end of time the last window is that of the last record."""
    windows = opened()
    windows.add(at(1, 3))

    assert closed(windows, END) == [(1, 1, False), (2, 0, False), (3, 1, False)]
    assert closed(windows, END) == []


def test_a_window_whose_cells_live_elsewhere_closes_here_with_its_sources():
    """Each chart partition closes every window, knows its source offsets, and does not take it for an empty one."""
    parts = scatter(at(1, 2, segment="a"), "s", 64)
    elsewhere = next(part for part in parts if not len(part))
    windows = opened(max_empty=0)
    windows.add(elsewhere)
    found = list(windows.close(4 * WINDOW))

    assert [(w.start // WINDOW, len(w.table), w.table.sources.records.tolist(), w.gap) for w in found] == [
        (1, 0, [1], False),
        (2, 0, [1], False),
        (3, 0, [], True),
    ]


def test_days_close_by_the_calendar():
    """A day with a change of the clock closes after its 25 hours, empty days follow the calendar as well."""
    hour = 3_600_000_000
    windows = OpenWindows(Calendar(24 * hour, "America/New_York"), 10, empty(PLAN))
    first = int(np.datetime64("2013-11-02T04:00", "us").astype(np.int64))
    windows.add(table([Row(first)], of=PLAN))
    found = list(windows.close(first + 24 * hour + 25 * hour + 24 * hour))

    assert [(w.end - w.start) // hour for w in found] == [24, 25, 24]


@pytest.mark.parametrize("tables", [COMPACT_TABLES - 1, COMPACT_TABLES, 3 * COMPACT_TABLES])
def test_many_tables_become_one(tables):
    """The number of tables that wait is bounded; what they hold is kept."""
    windows = opened()
    for i in range(tables):
        windows.add(at(i % 3, first=i))

    assert len(windows.tables) < COMPACT_TABLES
    assert closed(windows, END) == [(window, (tables + 2 - window) // 3, False) for window in range(3)]


def test_a_limit_that_closes_nothing_merges_nothing():
    """Blocks that come between two closes cost no merging of what is open."""
    windows = opened()
    for i in range(10):
        windows.add(at(5, 6, first=2 * i))
        closed(windows, 5 * WINDOW + i)

    assert len(windows.tables) == 10
