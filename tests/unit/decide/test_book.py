from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charting import stream
from streamspc.decide import book as module
from streamspc.decide.book import Book
from streamspc.model import END, NEVER, WHOLE, Judged, Rejection, StormSpec


def judged(start: int, records: int = 0, until: int | None = None) -> Judged:
    """The marker of window `start`, which ends at start + 10."""
    return Judged(stream="s", config="c", start=start, until=start + 10 if until is None else until, frontier=0, records=records)


def rejection(start: int, segment: str = WHOLE, n: int = 100) -> Rejection:
    """A segment of a window, rejected."""
    return Rejection(stream="s", config="c", start=start, end=start + 10, segment=segment, n=n, metric="m", chart="shewhart", value=1.0)


def book(charts: int = 1, windows: int = 3, share: float = 0.5) -> Book:
    """An empty book."""
    return Book(stream(storm=StormSpec(max_share=share, windows=windows)), charts)


def test_without_a_verdict_nothing_is_judged():
    """Before each chart partition has spoken, no window is judged."""
    two = book(charts=2)
    assert two.until == NEVER
    two.take(0, judged(0))
    assert two.until == NEVER
    two.take(1, judged(0))
    assert two.until == 10


def test_a_window_is_judged_when_the_slowest_chart_partition_has_passed_it():
    """The others may be ahead."""
    two = book(charts=2)
    for start in (0, 10, 20):
        two.take(0, judged(start))
    two.take(1, judged(0))

    assert two.until == 10


def test_a_segment_comes_before_the_whole_stream():
    """A record follows its own segment's rejection, else the whole stream's, else it is accepted."""
    one = book()
    one.take(0, rejection(0, "a", 5))
    one.take(0, rejection(0, WHOLE))
    one.take(0, rejection(10, "a", 5))
    for start in (0, 10, 20):
        one.take(0, judged(start, 100))
    found = [[(v and v.segment) for v in (one.verdict(start, "a"), one.verdict(start, "b"))] for start in (0, 10, 20)]

    assert found == [["a", WHOLE], ["a", None], [None, None]]
    assert [one.rejects(start) for start in (0, 10, 20)] == [True, True, False]


def test_windows_before_the_first_verdict_are_known_to_be_old():
    """`since` is where judging began; with no window judged at all, everything is older."""
    one = book()
    assert one.since == END
    one.take(0, judged(50))
    one.take(0, judged(60))

    assert one.since == 50


def test_markers_without_a_window_move_the_limit_alone():
    """Silence behind a gap, and the end of time, are no windows: they open no book page and count in no storm."""
    one = book()
    one.take(0, judged(NEVER, until=500))

    assert (one.until, one.since, one.stormy()) == (500, END, False)
    one.take(0, judged(NEVER, until=END))
    assert one.until == END


def test_the_storm_guard_lifts_what_comes_after_too_many_bad_windows():
    """From the last of so many windows in a row that lose most of their records, rejections are lifted until one is better."""
    one = book(windows=3)
    for start, lost in enumerate([100, 100, 100, 100, 10, 100]):
        one.take(0, rejection(10 * start, "a", lost))
        one.take(0, judged(10 * start, 100))

    assert one.storms == {20, 30}
    assert [one.verdict(10 * start, "a") is not None for start in range(6)] == [True, True, False, False, True, True]
    assert not one.stormy()


def test_windows_that_lose_nothing_end_a_storm():
    """A window without rejections counts as one that lost nothing."""
    one = book(windows=2)
    for start, bad in enumerate([True, True, False, True]):
        if bad:
            one.take(0, rejection(10 * start))
        one.take(0, judged(10 * start, 100))

    assert one.storms == {10}


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0, 30, 100]), st.sampled_from([0, 30, 70]), st.booleans()), max_size=15),
    st.integers(0, 1000),
)
def test_the_order_between_chart_partitions_leaves_no_trace(windows, seed):
    """However the partitions are interleaved, the book ends with the same verdicts and storms."""
    logs: list[list[Rejection | Judged]] = [[], []]
    for number, (here, there, many) in enumerate(windows):
        for log, lost, segment in zip(logs, (here, there), ("a", WHOLE if many else "b"), strict=True):
            log.extend([rejection(10 * number, segment, lost)] if lost else [])
            log.append(judged(10 * number, 100 if segment != "a" else 0))
    one, other = book(2, windows=2), book(2, windows=2)
    for partition, log in enumerate(logs):
        for record in log:
            one.take(partition, record)
    chance, rest = random.Random(seed), [list(log) for log in logs]
    while any(rest):
        partition = chance.choice([p for p in (0, 1) if rest[p]])
        other.take(partition, rest[partition].pop(0))

    assert (one.storms, one.rejected, one.until, one.since) == (other.storms, other.rejected, other.until, other.since)
    assert one.stormy() == other.stormy()


def test_what_is_remembered_is_bounded(monkeypatch):
    """The oldest windows are forgotten first; their records count as older than the verdicts."""
    monkeypatch.setattr(module, "MAX_REJECTIONS", 4)
    one = book(windows=1, share=0.99)
    one.passed = END
    for number in range(4):
        for segment in ("a", "b"):
            one.take(0, rejection(10 * number, segment, 1))
        one.take(0, judged(10 * number, 100))

    assert sorted(one.rejected) == [20, 30]
    assert one.since == 11
    assert one.verdict(20, "a") is not None


def test_what_is_still_to_come_is_never_forgotten(monkeypatch):
    """However many rejections there are: the records of a window that was not passed find its verdict."""
    monkeypatch.setattr(module, "MAX_REJECTIONS", 2)
    one = book(windows=1, share=0.99)
    one.passed = 20
    for number in range(6):
        one.take(0, rejection(10 * number))
        one.take(0, judged(10 * number, 100))

    assert sorted(one.rejected) == [20, 30, 40, 50]
    assert one.since == 11


def test_storms_are_forgotten_with_their_windows(monkeypatch):
    """Nothing grows without bound, lifted windows neither."""
    monkeypatch.setattr(module, "MAX_REJECTIONS", 2)
    one = book(windows=1)
    one.passed = END
    for number in range(9):
        one.take(0, rejection(10 * number))
        one.take(0, judged(10 * number, 100))

    assert one.storms == {70, 80}


@pytest.mark.parametrize("charts", [1, 2])
def test_a_long_history_is_read_in_linear_time(charts):
    """One chart partition after the other, as they come after a restart: the time for a window does not grow with their number."""

    def seconds(windows: int) -> float:
        one, begun = book(charts), time.process_time()
        for partition in range(charts):
            for number in range(windows):
                one.take(partition, judged(10 * number, 100))
        assert one.until == 10 * windows
        return time.process_time() - begun

    seconds(100)
    assert seconds(40_000) < 40 * max(seconds(4_000), 1e-3)
