from __future__ import annotations

import pytest

from streamspc.bucket.frontier import Frontier, limit
from streamspc.model import END, NEVER, Progress

MINUTE = 60_000_000


def at(partition: int, watermark: int, idle: int | None = None) -> Progress:
    """A report of one partition."""
    return Progress(partition, 0, 0, watermark, idle)


def test_a_partition_that_has_not_reported_holds_it():
    """Nothing moves before each of the partitions has been heard of, however far the others are."""
    frontier = Frontier()

    assert frontier.advance([at(0, 100), at(2, 300)], 3) == NEVER
    assert frontier.advance([at(0, 900)], 3) == NEVER
    assert frontier.advance([at(1, 200)], 3) == 200


def test_a_partition_without_records_holds_it_until_it_is_idle():
    """An empty partition has reported, but its watermark is none; idle, it leaves the minimum."""
    frontier = Frontier()

    assert frontier.advance([at(0, 100), at(1, NEVER)], 2) == NEVER
    assert frontier.advance([at(1, NEVER, MINUTE)], 2) == 100


def test_it_is_the_smallest_watermark_and_never_goes_back():
    """A partition that wakes behind the frontier does not take it back."""
    frontier = Frontier()
    steps = [
        frontier.advance([at(0, 100), at(1, 50)], 2),
        frontier.advance([at(1, 50, MINUTE)], 2),
        frontier.advance([at(0, 500)], 2),
        frontier.advance([at(1, 60)], 2),
        frontier.advance([at(1, 700)], 2),
    ]

    assert steps == [50, 100, 500, 500, 500]


def test_a_watermark_that_is_told_lower_is_no_news():
    """A report from before does not lower what is known."""
    frontier = Frontier()
    frontier.advance([at(0, 100)], 1)

    assert frontier.advance([at(0, 90)], 1) == 100
    assert frontier.watermarks == {0: 100}


def test_when_all_are_idle_time_goes_on_at_the_pace_of_the_reports():
    """Event time goes on from where it stood, by as much as all of them have been idle together."""
    frontier = Frontier()
    hour = 60 * MINUTE
    steps = [
        frontier.advance([at(0, 10 * hour), at(1, 12 * hour)], 2),
        frontier.advance([at(0, 10 * hour, 30 * MINUTE)], 2),
        frontier.advance([at(1, 12 * hour, MINUTE)], 2),
        frontier.advance([at(1, 12 * hour, MINUTE)], 2),
        frontier.advance([at(0, 10 * hour, 5 * MINUTE)], 2),
    ]

    assert steps == [10 * hour, 12 * hour, 12 * hour + MINUTE, 12 * hour + 2 * MINUTE, 12 * hour + 2 * MINUTE]


def test_durations_add_up_over_owners():
    """A new owner measures from nothing: what it reports comes on top of what was reported before."""
    frontier = Frontier()
    frontier.advance([at(0, 1000)], 1)

    assert [frontier.advance([at(0, 1000, idle)], 1) for idle in (60, 60, 5, 60)] == [1060, 1120, 1125, 1185]


def test_a_nap_counts_once():
    """A partition that wakes and rests again goes on from where event time has come to, not from its own watermark."""
    frontier = Frontier()
    frontier.advance([at(0, 1000)], 1)
    frontier.advance([at(0, 1000, 500)], 1)

    assert frontier.advance([at(0, 1100)], 1) == 1500
    assert frontier.advance([at(0, 1100, 60)], 1) == 1560


def test_idleness_without_any_record_is_no_time():
    """Where no event time is known, no duration can move it."""
    frontier = Frontier()

    assert frontier.advance([at(0, NEVER, MINUTE), at(1, NEVER, MINUTE)], 2) == NEVER


def test_all_go_idle_before_the_frontier_was_known():
    """The first frontier of partitions that are all idle is the smallest watermark among them, and the rest."""
    frontier = Frontier()
    frontier.advance([at(0, 300), at(1, NEVER)], 2)

    assert frontier.advance([at(0, 300, 10), at(1, NEVER, 10)], 2) == 310


def test_added_partitions_begin_at_the_frontier():
    """Growth takes nothing back and waits for nobody: a partition that is added starts where the frontier is, and then counts."""
    frontier = Frontier()
    frontier.advance([at(0, 500)], 1)

    assert frontier.advance([at(0, 600)], 2) == 500
    assert frontier.advance([at(1, 550)], 2) == 550
    assert frontier.advance([], 1) == 550


def test_partitions_added_before_the_first_frontier_have_to_report():
    """Growth before anything is known makes one more partition to wait for."""
    frontier = Frontier()
    frontier.advance([at(0, 500), at(1, NEVER)], 2)

    assert frontier.advance([at(1, 400)], 3) == NEVER
    assert frontier.advance([at(2, 450)], 3) == 400


def test_the_end_comes_when_it_is_promised_everywhere():
    """One partition's promised end holds nothing up; all of them together are the end of time."""
    frontier = Frontier()

    assert frontier.advance([at(0, END), at(1, 70)], 2) == 70
    assert frontier.advance([at(1, 80)], 2) == 80
    assert frontier.advance([at(1, END)], 2) == END


def test_an_idle_partition_is_not_at_its_end():
    """Where one is promised its end and the other rests, time goes on at the pace of the rest and does not end."""
    frontier = Frontier()
    frontier.advance([at(0, END), at(1, 70)], 2)

    assert frontier.advance([at(1, 70, 5)], 2) == 75


@pytest.mark.parametrize(("frontier", "expected"), [(NEVER, NEVER), (END, END), (1000, 700)])
def test_windows_close_later_by_the_lateness(frontier, expected):
    """The lateness is taken off, but not from the ends of time."""
    assert limit(frontier, 300) == expected
