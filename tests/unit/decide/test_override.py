from __future__ import annotations

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from charting import metric, stream
from streamspc.decide.book import Book
from streamspc.model import NEVER, WHOLE, Judged, Override, Rejection

SPEC = stream(metric("m"))
WINDOWS = 12


def judged(window: int) -> Judged:
    """The marker that passes this window."""
    return Judged(stream="s", config="c", start=100 * window, until=100 * window + 100, frontier=0, records=9)


def rejection(window: int) -> Rejection:
    """It is rejected."""
    return Rejection(
        stream="s", config="c", start=100 * window, end=100 * window + 100, segment=WHOLE, n=9, metric="m", chart="shewhart", value=1.0
    )


def override(name: str, kind, since: int, until: int) -> Override:
    """Of the windows from `since` to `until`."""
    return Override(kind=kind, id=name, config="c", stream="s", since=NEVER if since < 0 else 100 * since, until=100 * until)


def ways(book: Book) -> list[str]:
    """What becomes of a record of each window: waits, passes, rejected, open, closed."""
    start = np.arange(WINDOWS) * 100
    waits = book.waits(start, start + 100)
    found = book.rule(start, start + 100, np.full(WINDOWS, -1, np.int32), (WHOLE,))
    kinds = np.select([found.opened, found.closed >= 0, found.rejected >= 0], ["open", "closed", "rejected"], "passes")
    return [str(way) for way in np.where(waits, "waits", kinds)]


def read(log, partitions=1) -> list[str]:
    """The ways after all of (partition, record)."""
    book = Book(SPEC, partitions)
    for partition, record in log:
        book.take(partition, record)
    return ways(book)


def test_windows_that_are_judged_stay_as_they_are():
    """The override is about those that come behind it in the log."""
    log = [(0, judged(0)), (0, rejection(1)), (0, judged(1)), (0, override("a", "open", -1, 4)), (0, rejection(2)), (0, judged(2))]

    assert read(log)[:6] == ["passes", "rejected", "open", "open", "waits", "waits"]


def test_a_window_that_one_partition_will_never_judge_can_be_opened():
    """The other one has judged it before; both have to have seen the override, or only the one that has not judged."""
    log = [(0, judged(0)), (0, rejection(1)), (0, judged(1)), (1, judged(0))]
    both = [*log, (0, override("a", "open", -1, 2)), (1, override("a", "open", -1, 2))]

    assert read(log, 2)[:3] == ["passes", "waits", "waits"]
    assert read(both[:-1], 2)[:3] == ["passes", "waits", "waits"]
    assert read(both, 2)[:3] == ["passes", "open", "waits"]


def test_of_two_overrides_the_first_wins():
    """Where both decide; the second has what the first leaves."""
    log = [(0, override("a", "closed", 1, 3)), (0, override("b", "open", 0, 5))]

    assert read(log)[:6] == ["open", "closed", "closed", "open", "open", "waits"]


RANGES = st.tuples(st.sampled_from(["open", "closed"]), st.integers(-1, 8), st.integers(1, 12))


@settings(max_examples=200, deadline=None)
@given(partitions=st.integers(1, 3), ranges=st.lists(RANGES, min_size=1, max_size=3), seed=st.integers(0, 10**6))
def test_all_readers_decide_alike_and_never_take_it_back(partitions, ranges, seed):
    """Whatever partition a reader is ahead in, at any moment: what has stopped waiting stays as it is, and is the same for each of them."""
    chance = random.Random(seed)
    entries = [override(str(at), kind, since, until) for at, (kind, since, until) in enumerate(ranges)]
    logs = []
    for _ in range(partitions):
        bad = {window for window in range(WINDOWS) if chance.random() < 0.3}
        log: list[Rejection | Judged | Override] = []
        for window in range(chance.randint(0, WINDOWS)):
            log += [rejection(window), judged(window)] if window in bad else [judged(window)]
        places = sorted(chance.randint(0, len(log)) for _ in entries)
        for entry, place in reversed(list(zip(entries, places, strict=True))):
            log.insert(place, entry)
        logs.append(log)
    ends = []
    for _ in range(3):
        book, at, decided = Book(SPEC, partitions), [0] * partitions, ["waits"] * WINDOWS
        while any(at[p] < len(logs[p]) for p in range(partitions)):
            partition = chance.choice([p for p in range(partitions) if at[p] < len(logs[p])])
            book.take(partition, logs[partition][at[partition]])
            at[partition] += 1
            now = ways(book)
            assert all(before in {"waits", after} for before, after in zip(decided, now, strict=True))
            decided = now
        ends.append(decided)

    assert ends[0] == ends[1] == ends[2]
