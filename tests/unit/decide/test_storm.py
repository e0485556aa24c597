from __future__ import annotations

import pytest

from streamspc.decide.storm import share, tripped
from streamspc.model import Rejection, StormSpec


def rejection(segment, n):
    """A rejection of n records."""
    return Rejection(stream="s", config="c", start=0, end=1, segment=segment, n=n, metric="m", chart="shewhart", value=1.0)


def test_the_share_is_that_of_the_records_of_rejected_segments():
    """Segments are disjoint; the whole stream is everything; a window without records loses nothing."""
    assert share(100, []) == 0.0
    assert share(100, [rejection("a", 20), rejection("b", 5)]) == 0.25
    assert share(100, [rejection("a", 20), rejection("*", 100)]) == 1.0
    assert share(0, [rejection("*", 0)]) == 0.0
    assert share(10, [rejection("a", 11)]) == 1.0


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ([], False),
        ([1.0, 1.0], False),
        ([1.0, 1.0, 1.0], True),
        ([0.0, 0.51, 0.6, 1.0], True),
        ([1.0, 1.0, 0.5], False),
        ([1.0, 1.0, 1.0, 0.0], False),
    ],
)
def test_it_trips_when_each_of_the_last_windows_lost_more_than_the_share(shares, expected):
    """Only the last three count, all of them, and exactly the share is not more."""
    assert tripped(StormSpec(max_share=0.5, windows=3), shares) is expected
