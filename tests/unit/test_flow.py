from __future__ import annotations

import msgspec
import numpy as np
import pytest

from strategies import BEGIN_MS, WINDOW_MS, Source, blocks, folded, semantics, source, value
from streamspc.decide.book import Book
from streamspc.errors import Reason
from streamspc.flow import Outputs, State, fold, ready, route, tally
from streamspc.model import END, NEVER, WHOLE, BaselineSpec, Batch, Block, Judged, MetricKind, MetricSpec, Progress, Rejection, StormSpec

SPEC = semantics(disorder_us=0, lateness_us=0)
STREAM = ready(SPEC.streams[0])
US = WINDOW_MS * 1000
BEGIN = BEGIN_MS * 1000


def batch(*values: bytes | None, partition: int = 0, first: int = 0) -> Batch:
    """These values, the Kafka timestamps far ahead of them."""
    n = len(values)
    stamps = np.full(n, BEGIN_MS + 10**7, np.int64)
    return Batch("source", partition, np.arange(first, first + n), stamps, [None] * n, list(values), None, first + n)


def at(window: float, shop: str = "north", **fields) -> bytes:
    """A record of that window; halves are in the middle of it."""
    return value(BEGIN_MS + int(window * WINDOW_MS), shop, **fields)


def block(stream, table, *progress: Progress, partitions: int = 1) -> Block:
    """A block of these reports."""
    return Block(stream.spec.name, "c", partitions, progress, table)


def read(spec, *values: bytes | None):
    """What one partition's records, and then the promised end, make in the only chart partition."""
    stream, state = ready(spec.streams[0]), State.begin(spec, 0)
    table, told = tally(stream, batch(*values), NEVER)
    end = msgspec.structs.replace(told, watermark=END)
    return state, fold(state, block(stream, table, told)), fold(state, block(stream, _nothing(), end))


def _nothing():
    """A table without cells."""
    return State.begin(SPEC, 0).streams["s"].windows.nothing


# tally


def test_tally_says_how_far_it_read():
    """First and next offset, the watermark, and the refused records by reason."""
    table, told = tally(STREAM, batch(at(0), None, b"{", at(3), at(1), first=7), NEVER)

    assert (told.first, told.next, told.watermark, told.idle_us) == (7, 12, BEGIN + 3 * US, None)
    assert told.refused == {"tombstone": 1, "undecodable": 1, "late": 1}
    assert table.sources.records.tolist() == [1, 1]


def test_a_batch_without_a_readable_record_keeps_the_watermark():
    """Bad records and tombstones move nothing, but their offsets are read."""
    table, told = tally(STREAM, batch(None, b"{"), 1234)

    assert len(table) == 0
    assert (told.watermark, told.next) == (1234, 2)


@pytest.mark.parametrize(
    ("disorder", "lateness", "late"), [(0, 0, 1), (2 * US, 0, 0), (0, 2 * US, 0), (US, 9_000_000, 1), (US, 9_000_001, 0)]
)
def test_late_is_by_the_own_watermark_with_disorder_and_lateness(disorder, lateness, late):
    """A record is late when its window had ended by the watermark less the lateness."""
    stream = ready(semantics(disorder_us=disorder, lateness_us=lateness).streams[0])
    _, told = tally(stream, batch(at(2.9), at(0.5)), NEVER)

    assert told.refused.get("late", 0) == late


# fold


def test_rejections_come_before_the_marker_of_their_window():
    """In each window, the marker is the last verdict; it counts the rejections and the records of the whole stream."""
    outputs = folded(State.begin(semantics(), 0), blocks(STREAM, [source(1, 150)], 1))
    verdicts = [verdict for out in outputs for verdict in out.verdicts if verdict.start != NEVER]
    pending = 0
    for verdict in verdicts:
        if isinstance(verdict, Judged):
            assert verdict.rejections == pending
            pending = 0
        else:
            pending += 1
    assert sum(verdict.rejections for verdict in verdicts if isinstance(verdict, Judged)) > 1
    assert pending == 0


def test_a_segment_gets_charts_when_a_window_held_enough_of_it():
    """With fewer records it follows the whole stream; once charted it stays so."""
    spec = semantics(min_records=3, disorder_us=0, lateness_us=0)
    _, out, _ = read(spec, at(0), at(0), at(0, "south"), at(1), at(1), at(1), at(2), at(3))

    assert [points.segments for points in out.points] == [("*",), ("*", "north"), ("*", "north")]


def test_no_shard_has_more_segments_than_the_limit():
    """What is above the limit gets no charts, and is counted for each window that would have brought it in."""
    spec = semantics(
        min_records=1, max_segments=1, disorder_us=0, lateness_us=0, metrics=(MetricSpec(name="n", kind=MetricKind.COUNT),), judge_by=()
    )
    shops = [f"shop{number}" for number in range(700)]
    state, out, _ = read(spec, *(at(0, shop) for shop in shops), *(at(1, shop) for shop in shops), at(2))
    of = state.streams["s"]

    assert max(of.segments_of_shard) == 1
    assert sum(of.segments_of_shard) == len(of.bank.segments) < 257
    assert out.points[-1].counts[Reason.SEGMENT_LIMIT.value] == 2 * (701 - len(of.bank.segments))


def test_segments_come_in_the_order_of_their_names():
    """Which ones a full shard takes does not depend on the order of the records."""
    spec = semantics(min_records=1, max_segments=1, disorder_us=0, lateness_us=0)
    shops = [f"shop{number}" for number in range(300)]
    one, other = (read(spec, *(at(0, shop) for shop in order), at(1))[0] for order in (shops, shops[::-1]))

    assert one.streams["s"].bank.segments == other.streams["s"].bank.segments


def test_an_empty_window_is_a_count_of_zero_and_no_other_point():
    """The volume of a charted segment is 0, its mean does not exist."""
    spec = semantics(min_records=1, disorder_us=0, lateness_us=0)
    _, out, _ = read(spec, at(0), at(2))
    empty = out.points[1]

    assert empty.value[0].tolist() == [0.0, 0.0]
    assert np.isnan(empty.value[1:]).all()


def test_a_long_silence_is_a_gap_and_a_signal_and_is_judged_to_its_end():
    """Behind `max_empty_windows` one gap point and one signal, and a marker that lets what waits go on."""
    spec = semantics(max_empty_windows=2, disorder_us=0, lateness_us=0)
    _, out, _ = read(spec, at(0), at(0), at(50))

    assert [points.gap for points in out.points] == [0, 0, 0, 1]
    assert [(signal.kind, (signal.start - BEGIN) // US) for signal in out.signals] == [("gap", 3)]
    assert [verdict.start for verdict in out.verdicts][-1] == NEVER
    assert out.verdicts[-1].until == BEGIN + 50 * US


def test_the_end_is_said_once():
    """A signal and a marker when every partition has been promised its end, and nothing again after."""
    state, _, last = read(SPEC, at(0), at(1))

    assert [signal.kind for signal in last.signals] == ["end"]
    assert (last.verdicts[-1].until, state.ended()) == (END, True)
    again = fold(state, block(STREAM, _nothing(), Progress(0, 2, 2, END)))
    assert again == Outputs.none()


def test_what_comes_after_its_window_has_closed_is_counted():
    """A partition that was idle wakes: its records of closed windows are counted in the next points."""
    state, stream = State.begin(SPEC, 0), STREAM
    ahead, told = tally(stream, batch(at(0), at(0), at(5)), NEVER)
    fold(state, block(stream, ahead, told, Progress(1, 0, 0, NEVER), partitions=2))
    fold(state, block(stream, _nothing(), Progress(1, 0, 0, NEVER, 60_000_000), partitions=2))
    behind, woke = tally(stream, batch(at(1), at(2), at(7), partition=1), NEVER)
    out = fold(state, block(stream, behind, woke, Progress(0, 3, 3, BEGIN + 7 * US), partitions=2))

    assert woke.refused == {}
    assert out.points[-1].counts["late_after_close"] == 2


def test_the_fold_of_one_stream_leaves_the_others_alone():
    """Streams share a log and nothing else."""
    one = semantics().streams[0]
    spec = msgspec.structs.replace(semantics(), streams=(one, msgspec.structs.replace(one, name="t", topic="other")))
    state = State.begin(spec, 0)
    table, told = tally(STREAM, batch(at(0), at(5)), NEVER)
    fold(state, block(STREAM, table, told))

    assert state.streams["t"].frontier.at == NEVER
    assert not state.ended()


# route


def judged(*starts: int, spec=SPEC) -> Book:
    """A book in which these windows are judged, and nothing rejected."""
    book = Book(spec.streams[0], 1)
    for start in starts:
        book.take(0, Judged(stream="s", config="c", start=BEGIN + start * US, until=BEGIN + (start + 1) * US, frontier=0, records=10))
    return book


def rejected(book: Book, window: int, segment: str = WHOLE) -> Book:
    """The book with one more rejection, and its window judged."""
    start = BEGIN + window * US
    end = start + US
    book.take(
        0, Rejection(stream="s", config="c", start=start, end=end, segment=segment, n=9, metric="failed", chart="shewhart", value=0.9)
    )
    book.take(0, Judged(stream="s", config="c", start=start, until=start + US, frontier=0, records=10))
    return book


def test_without_a_verdict_nothing_goes():
    """The first record waits for the end of its window, and all behind it wait too."""
    routed = route(STREAM, batch(at(0), at(0), b"{"), NEVER, Book(SPEC.streams[0], 1))

    assert (routed.ready, routed.watermark, routed.waits_for) == (0, NEVER, BEGIN + US)


def test_records_go_up_to_the_first_that_has_to_wait():
    """What can be routed is the part before it, unreadable records and tombstones among it."""
    routed = route(STREAM, batch(at(0), None, b"{", at(1), b"{", at(0), at(2)), NEVER, judged(0))

    assert (routed.ready, routed.waits_for) == (3, BEGIN + 2 * US)
    assert routed.refused.tolist() == [-1, -1, 1]
    assert routed.refusals[1][0] is Reason.UNDECODABLE
    assert routed.watermark == BEGIN


def test_only_unreadable_records_wait_for_nobody():
    """They have no window: they go to quarantine at once; tombstones pass."""
    routed = route(STREAM, batch(b"{", None), 77, Book(SPEC.streams[0], 1))

    assert (routed.ready, routed.refused.tolist(), routed.watermark, routed.waits_for) == (2, [0, -1], 77, NEVER)


def test_records_follow_the_verdict_of_their_window_and_segment():
    """A segment's rejection takes its records, one of the whole stream takes all."""
    book = rejected(rejected(judged(0), 1, "south"), 2)
    routed = route(STREAM, batch(at(0, "south"), at(1, "south"), at(1), at(2), at(2, "south")), NEVER, book)

    assert (routed.rejected >= 0).tolist() == [False, True, False, True, True]
    assert [routed.rejections[code].segment for code in routed.rejected[routed.rejected >= 0]] == ["south", WHOLE, WHOLE]


def test_a_stream_without_segments_follows_the_whole_streams_verdict():
    """There is one verdict for all of its records."""
    spec = semantics(segment_by=(), disorder_us=0, lateness_us=0)
    routed = route(ready(spec.streams[0]), batch(at(0), at(1), at(1, "south")), NEVER, rejected(judged(0), 1))

    assert (routed.rejected >= 0).tolist() == [False, True, True]


def test_late_records_follow_their_window_and_are_marked():
    """They wait for the verdict of their own window, not for that of the record before them."""
    book = rejected(judged(), 0)
    values = at(0), at(3), at(0)

    assert route(STREAM, batch(*values), NEVER, book).ready == 1
    for window in (1, 2, 3):
        book.take(0, Judged(stream="s", config="c", start=BEGIN + window * US, until=BEGIN + (window + 1) * US, frontier=0))
    routed = route(STREAM, batch(*values), NEVER, book)
    assert routed.late.tolist() == [False, False, True]
    assert (routed.rejected >= 0).tolist() == [True, False, True]


@pytest.mark.parametrize(("policy", "refused"), [("accept", [-1, -1]), ("quarantine", [0, -1])])
def test_records_before_the_first_verdict_follow_the_policy(policy, refused):
    """They are counted either way."""
    spec = semantics(before_verdicts=policy, disorder_us=0, lateness_us=0)
    routed = route(ready(spec.streams[0]), batch(at(0), at(5)), NEVER, judged(5, spec=spec))

    assert routed.refused.tolist() == refused
    assert routed.old == 1
    assert [reason for reason, _ in routed.refusals] == ([Reason.BEFORE_VERDICTS] if policy == "quarantine" else [])


def test_the_storm_guard_lifts_rejections_and_says_so():
    """A window in a storm loses no record; each of them is marked."""
    spec = semantics(storm=StormSpec(max_share=0.5, windows=2), disorder_us=0, lateness_us=0)
    book = rejected(rejected(Book(spec.streams[0], 1), 0), 1)
    routed = route(ready(spec.streams[0]), batch(at(0), at(1)), NEVER, book)

    assert (routed.rejected >= 0).tolist() == [True, False]
    assert routed.storm.tolist() == [False, True]


def test_observe_and_gate_agree_on_every_record():
    """In any cut, what gate calls late or unreadable is what observe has refused."""
    one: Source = source(5, 150)
    everything = Book(SPEC.streams[0], 1)
    everything.take(0, Judged(stream="s", config="c", start=0, until=END, frontier=END))
    _, told = tally(STREAM, one.batch(0, 0, 150), NEVER)
    watermark, late, refused = NEVER, 0, 0
    for first in range(0, 150, 30):
        routed = route(STREAM, one.batch(0, first, first + 30), watermark, everything)
        watermark = routed.watermark
        late += int(routed.late.sum())
        refused += int((routed.refused >= 0).sum())

    assert watermark == told.watermark
    assert late == told.refused["late"] > 3
    assert refused == sum(told.refused.values()) - told.refused["late"] - told.refused["tombstone"] > 3


def test_phase_one_and_thin_windows_are_accepted_and_counted_unjudged():
    """While no rule can judge, the marker says of how many records."""
    _, out, _ = read(
        semantics(baseline=BaselineSpec(windows=3), disorder_us=0, lateness_us=0), *(at(w) for w in range(6) for _ in range(2))
    )
    markers = [verdict for verdict in out.verdicts if isinstance(verdict, Judged)]

    assert [(marker.records, marker.unjudged) for marker in markers] == [(2, 2), (2, 2), (2, 2), (2, 0), (2, 0)]
