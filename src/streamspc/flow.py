"""The three functions of the product. Everything else makes their arguments or carries out their results.

    tally(stream, batch, watermark)      records        -> tallies      observe
    fold(state, block)                   tallies        -> points, signals, verdicts      chart, check, replay
    route(stream, batch, watermark, book)  records, verdicts -> clean or quarantine      gate

They are pure but for `fold`, which owns its state and changes it in place: after an error the state is spent, and is made again
from a snapshot and the log. `tally` and `route` admit records by the same function, so observe and gate always agree.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec
import numpy as np

from streamspc.admit import Reader
from streamspc.bucket import watermark as marks
from streamspc.bucket.frontier import Frontier, limit
from streamspc.bucket.statistics import statistics
from streamspc.bucket.tally import Plan, empty, plan, tabulate
from streamspc.bucket.window import Calendar
from streamspc.bucket.windows import Closed, OpenWindows, every, whole_records
from streamspc.chart import Bank, Window, advance
from streamspc.commands import due, obey
from streamspc.decide import Episodes, History, decide
from streamspc.errors import Reason
from streamspc.model import END, NEVER, SHARDS, WHOLE, Counted, Judged, Points, Progress, Rejection, Routed, Signal, shard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamspc.decide.book import Book
    from streamspc.model import Batch, Block, Bools, Columns, Command, Ints, Lesson, Semantics, StreamSpec, TallyTable


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream of the semantic configuration, ready to run."""

    spec: StreamSpec
    plan: Plan
    read: Reader
    calendar: Calendar


def ready(spec: StreamSpec) -> Stream:
    """Compile a stream. Raises ConfigError where `settings` would have refused it."""
    tallies = plan(spec)
    return Stream(spec, tallies, Reader(spec, tallies.fields), Calendar(spec.window_us, spec.timezone))


class Admitted(NamedTuple):
    """A batch after admission: columns [k], the window of each record, and its partition's watermark after it."""

    columns: Columns
    start: Ints
    end: Ints
    watermark: Ints
    late: Bools


def admit(stream: Stream, batch: Batch, watermark: int) -> Admitted:
    """Decode, place in windows, and find what is late by the partition's own watermark."""
    columns = stream.read(batch)
    start = stream.calendar.start(columns.event_time)
    end = stream.calendar.end(start)
    after = marks.advance(columns.event_time, watermark, stream.spec.disorder_us)
    return Admitted(columns, start, end, after, marks.late(end, after, stream.spec.lateness_us))


def tally(stream: Stream, batch: Batch, watermark: int) -> tuple[TallyTable, Progress]:
    """Records of one source partition to tallies, with how far that partition was read."""
    admitted = admit(stream, batch, watermark)
    table = tabulate(stream.plan, admitted.columns, ~admitted.late, admitted.start, admitted.end, batch)
    refused = Counter(reason.value for reason in admitted.columns.bad_reasons)
    if late := int(admitted.late.sum()):
        refused[Reason.LATE.value] = late
    after = int(admitted.watermark[-1]) if len(admitted.watermark) else watermark
    return table, Progress(batch.partition, int(batch.offsets[0]), batch.next, after, None, dict(refused))


class Outputs(NamedTuple):
    """What a block made: points by window, signals, verdict records in their order, and what the other chart partitions have to know."""

    points: list[Points]
    signals: list[Signal]
    verdicts: list[Rejection | Judged]
    counted: list[Counted]

    @classmethod
    def none(cls) -> Outputs:
        """Nothing yet."""
        return cls([], [], [], [])

    def add(self, more: Outputs) -> None:
        """Put what was made later behind it."""
        for mine, theirs in zip(self, more, strict=True):
            mine.extend(theirs)  # type: ignore[attr-defined]


@dataclass(slots=True)
class StreamState:
    """Everything that one chart partition knows of one stream."""

    stream: Stream
    config: str
    frontier: Frontier
    windows: OpenWindows
    bank: Bank
    episodes: Episodes
    history: History
    has_whole: bool  # does the whole stream's segment live in this chart partition
    segments_of_shard: list[int] = field(default_factory=lambda: [0] * SHARDS)
    counts: Counter[str] = field(default_factory=Counter)
    counted: dict[int, int] = field(default_factory=dict)  # segments as Phase I ended, by chart partition
    commands: list[Command] = field(default_factory=list)  # that wait for their first window

    @classmethod
    def begin(cls, spec: StreamSpec, config: str, *, has_whole: bool, partitions: int = 1) -> StreamState:
        """The state before the first block, in one of so many chart partitions."""
        stream = ready(spec)
        windows = OpenWindows(stream.calendar, spec.max_empty_windows, empty(stream.plan))
        return cls(stream, config, Frontier(), windows, Bank.empty(spec, partitions), Episodes.empty(spec), History(), has_whole)


@dataclass(slots=True)
class State:
    """The fold's state over one partition of the tallies log."""

    semantics: Semantics
    chart_partition: int
    streams: dict[str, StreamState]

    @classmethod
    def begin(cls, semantics: Semantics, chart_partition: int) -> State:
        """The state before the first block."""
        config, partitions = semantics.hash(), semantics.chart_partitions
        here = {spec.name: shard(spec.name, WHOLE) % partitions == chart_partition for spec in semantics.streams}
        states = {it.name: StreamState.begin(it, config, has_whole=here[it.name], partitions=partitions) for it in semantics.streams}
        return cls(semantics, chart_partition, states)

    def ended(self) -> bool:
        """Has every stream been promised the end of time, and got there?"""
        return all(stream.frontier.at == END for stream in self.streams.values())


def fold(state: State, block: Block) -> Outputs:
    """Merge the block's tallies into the open windows; close, chart and judge the windows that the frontier has passed."""
    whole = Outputs.none()
    for out in steps(state, block):
        whole.add(out)
    return whole


def steps(state: State, block: Block) -> Iterator[Outputs]:
    """`fold` in pieces: one for each window that closes, and a last one. State and block alone say which pieces there are.

    After a pause in event time one block may close thousands of windows of thousands of series. Whoever takes the pieces one by one
    may rest between them for as long as it likes; the next block of this state comes when the iterator is exhausted.
    """
    of = state.streams[block.stream]
    before = of.frontier.at
    of.counts[Reason.LATE_AFTER_CLOSE.value] += of.windows.add(block.table)
    frontier = of.frontier.advance(block.progress, block.source_partitions)
    said = None
    for closed in of.windows.close(limit(frontier, of.stream.spec.lateness_us)):
        out = Outputs.none()
        _judge(of, closed, state.chart_partition, out)
        said = closed.end
        yield out
    out = Outputs.none()
    _mark_silence(of, said, out)
    if frontier == END != before:
        out.signals.append(_signal(of, "end", state.chart_partition, (END, END)))
        out.verdicts.append(Judged(stream=block.stream, config=of.config, start=NEVER, until=END, frontier=END))
    yield out


def divide(state: State, counted: Counted) -> None:
    """Take what a chart partition has counted; when all have, their sum divides the false alarms of the stream, from the next window on."""
    of = state.streams[counted.stream]
    of.counted[counted.chart_partition] = counted.segments
    if len(of.counted) == state.semantics.chart_partitions:
        of.bank.divide(sum(of.counted.values()))


def command(state: State, told: Command) -> None:
    """Take an operator's command: it holds from the first window on that starts at or after its `since` and is still to close."""
    state.streams[told.stream].commands.append(told)


def lesson(state: State, told: Lesson) -> Outputs:
    """Learn Phase I of series that have charts from windows of the past, before the next one closes."""
    of = state.streams[told.command.stream]
    spec, plan, segments = of.stream.spec, of.stream.plan, of.bank.segments
    windows = ((start, statistics(spec, plan, cells, segments)[0]) for start, cells in every(of.stream.calendar, told.table))
    form = _signal(of, "command", state.chart_partition, (of.windows.next, of.windows.next))
    return Outputs([], list(obey(told.command, form, spec, (of.bank, of.episodes, of.history), windows)), [], [])


def _mark_silence(of: StreamState, said: int | None, out: Outputs) -> None:
    """Behind a gap, windows pass unseen: say how far, so that what waits for them, the gate's late records too, may go on."""
    if of.windows.empties > of.stream.spec.max_empty_windows and said != of.windows.next:
        name, until = of.stream.spec.name, of.windows.next
        out.verdicts.append(Judged(stream=name, config=of.config, start=NEVER, until=until, frontier=of.frontier.at))


def _signal(of: StreamState, kind: Literal["gap", "end", "command"], chart_partition: int, window: tuple[int, int]) -> Signal:
    """A signal of the stream itself rather than of a series."""
    start, end = window
    return Signal(kind=kind, stream=of.stream.spec.name, config=of.config, chart_partition=chart_partition, start=start, end=end)


def _judge(of: StreamState, closed: Closed, chart_partition: int, out: Outputs) -> None:
    """One closed window: statistics, points of every chart, signals, rejections, and last the marker that it is judged."""
    spec, table = of.stream.spec, closed.table
    _admit_segments(of, table)
    form, charted = _signal(of, "command", chart_partition, (closed.start, closed.end)), (of.bank, of.episodes, of.history)
    for told in due(of.commands, closed.start):
        out.signals.extend(obey(told, form, spec, charted))
    values, records = statistics(spec, of.stream.plan, table, of.bank.segments)
    window = Window(closed.start, closed.end, of.config, table.sources, dict(of.counts), int(closed.gap))
    points = advance(spec, of.bank, window, values, records)
    of.history.add(closed.start, table.sources)
    decided = decide(spec, of.episodes, points, of.history)
    of.bank.restart(decided.over)
    if not closed.gap:
        of.bank.remember(of.episodes.state.open[: len(of.bank.plan.metrics)], values, closed.start)
    if not closed.gap and of.bank.count() and of.bank.partitions > 1:
        out.counted.append(Counted(stream=spec.name, config=of.config, chart_partition=chart_partition, segments=of.bank.named()))
    if points.segments:
        out.points.append(points)
    out.signals.extend(msgspec.structs.replace(signal, chart_partition=chart_partition) for signal in decided.signals)
    if closed.gap and of.has_whole:
        out.signals.append(_signal(of, "gap", chart_partition, (closed.start, closed.end)))
    out.verdicts.extend(decided.rejections)
    out.verdicts.append(
        Judged(
            stream=spec.name,
            config=of.config,
            start=closed.start,
            until=closed.end,
            frontier=of.frontier.at,
            records=whole_records(table),
            rejections=len(decided.rejections),
            unjudged=decided.unjudged,
            lifted=decided.lifted,
        )
    )


def _admit_segments(of: StreamState, table: TallyTable) -> None:
    """Segments whose window held enough records get charts, in the order of their names, up to the cap of their shard."""
    unknown = set(table.names).difference(of.bank.segments)
    if not unknown:
        return
    spec, fresh = of.stream.spec, []
    enough = table.segment[table.records >= spec.min_records].tolist()
    for name in (table.names[code] for code in enough if table.names[code] in unknown):
        home = shard(spec.name, name)
        if of.segments_of_shard[home] >= spec.max_segments:
            of.counts[Reason.SEGMENT_LIMIT.value] += 1
            continue
        of.segments_of_shard[home] += 1
        fresh.append(name)
    if fresh:
        of.bank.grow(fresh)
        of.episodes.grow(fresh)


def route(stream: Stream, batch: Batch, watermark: int, book: Book) -> Routed:
    """Route records by the verdict of their window and segment, in order, up to the first whose window is not judged."""
    admitted = admit(stream, batch, watermark)
    columns = admitted.columns
    waiting = np.flatnonzero(book.waits(admitted.start, admitted.end))
    ready_rows = int(columns.rows[waiting[0]]) if len(waiting) else len(batch)
    k = int(waiting[0]) if len(waiting) else len(columns.rows)
    rows = columns.rows[:k]
    rejected, refused = np.full(ready_rows, -1, np.int32), np.full(ready_rows, -1, np.int32)
    late, storm, opened = (np.zeros(ready_rows, bool) for _ in range(3))
    late[rows] = admitted.late[:k]
    ruling = book.rule(admitted.start[:k], admitted.end[:k], columns.segment[:k], columns.names or (WHOLE,))
    rejected[rows], storm[rows], opened[rows] = ruling.rejected, ruling.storm, ruling.opened
    refusals = list(zip(columns.bad_reasons, columns.bad_details, strict=True))
    unread = np.array([reason is not Reason.TOMBSTONE for reason in columns.bad_reasons], dtype=bool) & (columns.bad_rows < ready_rows)
    refused[columns.bad_rows[unread]] = np.flatnonzero(unread)
    if stream.spec.before_verdicts == "quarantine" and ruling.old.any():
        refused[rows[ruling.old]] = len(refusals)
        refusals.append((Reason.BEFORE_VERDICTS, "its window is older than the first verdict"))
    refused[rows] = np.where(ruling.closed < 0, refused[rows], len(refusals) + ruling.closed)
    refusals += [(Reason.GATE_CLOSED, text) for text in ruling.closures]
    after = int(admitted.watermark[k - 1]) if k else watermark
    waits_for = int(admitted.end[k]) if len(waiting) else NEVER
    ways = ready_rows, rejected, refused, late, storm, opened
    return Routed(*ways, int(ruling.old.sum()), ruling.rejections, tuple(refusals), after, waits_for)
