"""observe: batches of records to blocks of tallies, in the transaction that commits the source offsets. It keeps no state.

What a restart needs, the watermark of each partition, is in the metadata of the committed offset.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from streamspc import wire
from streamspc.bucket import watermark as marks
from streamspc.bucket.merge import merge, scatter
from streamspc.bucket.tally import empty
from streamspc.errors import Fatal, Reason
from streamspc.flow import ready, tally
from streamspc.kafka_io.port import Committed, Place, Send
from streamspc.kafka_io.topics import names
from streamspc.model import END, NEVER, SHARDS, Batch, Block, Judged, Progress, VerdictRecord, View
from streamspc.roles.clients import close_all, head, starts, transactional_id
from streamspc.roles.control import read_to_end
from streamspc.roles.meters import Lag, Meters
from streamspc.roles.pulse import LONG, Pulse, commit_deadline, longest_step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streamspc.kafka_io.port import Consumer, Kafka, Producer
    from streamspc.model import KafkaLocal, Semantics, TallyTable
    from streamspc.roles.ends import Ends

BUSY, POLL = 0.1, 1.0  # seconds to wait for records: while some partition is held back, and else
CATCH_UP = 60.0  # seconds without progress before reading the verdicts is given up
BLOCK_BYTES = 6_000_000  # a larger block is split: one record of the tallies topic may have 8 MiB


@dataclass(slots=True)
class Source:
    """What observe knows of one source partition while it owns it."""

    watermark: int
    offset: int
    reported: bool  # has chart heard of this partition
    first_seen: int = NEVER  # first watermark in this life: bounds the run ahead before anything was judged
    quiet_since: float | None = None  # since when, or since the last report, nothing was left to read
    paused: bool = False


@dataclass
class ObserveRole:
    """One stream's observer. `ends` is set for `--until-end`; `clock` is monotonic seconds."""

    kafka: Kafka
    semantics: Semantics
    stream_name: str
    local: KafkaLocal
    ends: Ends | None = None
    clock: Callable[[], float] = time.monotonic
    meters: Meters = field(default_factory=lambda: Meters("observe"))
    sources: dict[Place, Source] = field(default_factory=dict)  # replaced, never changed: a scrape may be reading it
    judged: dict[int, int] = field(default_factory=dict)  # by chart partition: judged until

    def __post_init__(self) -> None:
        self.stream = ready(self.semantics.stream(self.stream_name))
        self.spec = self.stream.spec
        self.nothing = empty(self.stream.plan)
        self.config = self.semantics.hash()
        self.topics = names(self.semantics.app)
        self.name = f"observe.{self.stream_name}"
        self.group = f"{self.semantics.app}.{self.stream_name}.observe"
        self.pulse = Pulse(longest_step(self.local))
        self.lag = Lag(self.meters, self.stream_name, self.spec.topic)
        self.meters.count("spc_records_total", (self.stream_name, "observe", "read"), 0)
        self.meters.count("spc_held_back_total", (self.stream_name,), 0)
        for reason in Reason:
            self.meters.count("spc_records_refused_total", (self.stream_name, "observe", reason.value), 0)

    @property
    def view(self) -> View:
        """Watermarks, records by reason, transactions."""
        marks_now = [
            ((self.stream_name, str(place.partition)), s.watermark / 1e6)
            for place, s in self.sources.items()
            if s.watermark not in (NEVER, END)
        ]
        return self.meters.view(self.name, spc_watermark_timestamp_seconds=marks_now, **self.lag.families())

    def connect(self) -> None:
        """New clients, and how far the stream is judged; partitions come with the first poll."""
        self.sources = {}
        self.judged = {}
        self.meters.assigned = False
        self.generation = -1
        self.producer: Producer = self.kafka.producer(transactional_id(self.group, self.local))
        verdicts = [Place(self.topics.verdicts, i) for i in range(self.semantics.chart_partitions)]
        self.echo: Consumer = self.kafka.read(verdicts)
        for batch in read_to_end(self.echo, verdicts, CATCH_UP, self.pulse):
            self._hear(batch)
        self.consumer: Consumer = self.kafka.subscribe(self.group, [self.spec.topic], self.local.instance)

    def disconnect(self) -> None:
        """Close the clients."""
        close_all(self, "producer", "consumer", "echo")

    def turn(self) -> bool:
        """One batch of every fetched partition to one block a chart partition, in one transaction."""
        waiting = {source.paused for source in self.sources.values() if source.watermark != END}
        for batch in self.echo.poll(POLL if waiting == {True} else 0.0, 10_000):
            self._hear(batch)
        self._hold_back()
        batches = self.consumer.poll(BUSY if True in waiting else POLL, self.local.batch_records)
        token = self.consumer.group_token() if self.consumer.assignment() else None
        if self.generation != self.consumer.generation():
            self._take_over()
            return False
        ends = self._ends() or {}
        tables, progress, kept = [], {}, []
        for batch in batches:
            place = Place(batch.topic, batch.partition)
            wanted = up_to(batch, ends[place]) if ends else batch
            if wanted is not None:
                self.pulse.beat()
                table, progress[place] = tally(self.stream, wanted, self.sources[place].watermark)
                tables.append(table)
                kept.append(wanted)
        self._report(progress, ends)
        if progress:
            self.pulse.beat()
            self._commit(merge([self.nothing, *tables]), progress, token)
            self._count(kept, progress)
        self.lag.look(self.consumer, self.pulse)
        return bool(ends) and all(source.watermark == END for source in self.sources.values()) and bool(self.sources)

    def _ends(self) -> dict[Place, int] | None:
        """Where each partition ends, once that is known."""
        if self.ends is None:
            return None
        self.pulse.beat(LONG)  # the brokers may be asked
        found = self.ends.of(self.spec.topic, self.consumer)
        self.pulse.beat()
        return found

    def _take_over(self) -> None:
        """Begin every assigned partition at its committed offset, with the watermark that was committed with it."""
        self.pulse.beat(LONG)
        self.generation = self.consumer.generation()
        found = starts(self.consumer, self.stream_name, self.config, lambda: bool(self.judged))
        for place, start in found.items():
            if start.watermark == END and self.ends is None:
                raise Fatal(
                    f"stream {self.stream_name}: `run --until-end` has promised the end of {place.topic}-{place.partition}, so that every "
                    "later record would be late. Start the daemon under another `app` name; it reads the history too"
                )
            if start.lost:
                self.meters.count("spc_records_refused_total", (self.stream_name, "observe", Reason.RETENTION_GAP.value), start.lost)
        self.sources = {place: Source(start.watermark, start.offset, start.committed) for place, start in found.items()}
        self.meters.restored()

    def _report(self, progress: dict[Place, Progress], ends: dict[Place, int]) -> None:
        """Add what has to be said of partitions beside their records: first sight, idleness, the promised end."""
        for place, source in self.sources.items():
            told = progress.get(place)
            offset = told.next if told else source.offset
            if ends and source.watermark != END and max(offset, self.consumer.position(place)) >= ends[place]:
                told = msgspec.structs.replace(told or Progress(place.partition, offset, offset, END), watermark=END, next=ends[place])
            elif told is None and not source.reported:
                told = Progress(place.partition, offset, offset, source.watermark)
            elif told is None and (idle := self._idle(place, source)) is not None:
                told = Progress(place.partition, offset, offset, source.watermark, idle)
            if told is not None:
                progress[place] = told
            if told is not None and told.idle_us is None:
                source.quiet_since = None

    def _idle(self, place: Place, source: Source) -> int | None:
        """Microseconds of idleness to report now: the partition could be fetched all that time, and nothing was left to read.

        With the end promised (`--until-end`) it is a history that is read: nothing in it is idle.
        """
        if self.spec.clock == "log" or self.ends is not None:
            return None
        if source.paused or not self.consumer.at_end(place):
            source.quiet_since = None
            return None
        now = self.clock()
        source.quiet_since = now if source.quiet_since is None else source.quiet_since
        idle = int((now - source.quiet_since) * 1e6)
        if idle < self.spec.idle_after_us:
            return None
        source.quiet_since = now
        return idle

    def _commit(self, table: TallyTable, progress: dict[Place, Progress], token: object) -> None:
        told = tuple(progress[place] for place in sorted(progress))
        sends = []
        tables = scatter(table, self.stream_name, self.semantics.chart_partitions)
        for chart_partition, part in enumerate(tables):
            blocks = list(self._blocks(part, chart_partition, told))
            sends.append(Send(Place(self.topics.tallies, chart_partition), [b"block"] * len(blocks), blocks))
        offsets = {
            place: Committed(report.next, marks.encode(self.stream_name, self.config, report.watermark))
            for place, report in progress.items()
        }
        with self.meters.transaction():
            self.producer.transact(sends, offsets, self.consumer, token, commit_deadline(self.local))
        for place, report in progress.items():
            source = self.sources[place]
            source.watermark, source.offset, source.reported = report.watermark, report.next, True
            if source.first_seen == NEVER:
                source.first_seen = report.watermark

    def _blocks(self, table: TallyTable, chart_partition: int, told: tuple[Progress, ...], parts: int = 1) -> Iterator[bytes]:
        """One block, or where that were too large several, by shard; only the last one says how far the partitions were read."""
        count = self.consumer.partitions(self.spec.topic)
        whole = wire.encode_block(Block(self.stream_name, self.config, count, told, table))
        charts = self.semantics.chart_partitions
        if len(whole) <= BLOCK_BYTES or parts * charts >= SHARDS:
            yield whole
            return
        halves = scatter(table, self.stream_name, 2 * parts * charts)[chart_partition :: parts * charts]
        yield from self._blocks(replace(halves[0], sources=self.nothing.sources), chart_partition, (), 2 * parts)
        yield from self._blocks(halves[1], chart_partition + parts * charts, told, 2 * parts)

    def _hear(self, batch: Batch) -> None:
        """The frontier comes back with the verdicts: it bounds how far any partition may run ahead."""
        for key, value in zip(batch.keys, batch.values, strict=True):
            record = msgspec.json.decode(value or b"", type=VerdictRecord) if key == self.stream_name.encode() else None
            if isinstance(record, Judged):
                self.judged[batch.partition] = max(record.until, self.judged.get(batch.partition, NEVER))

    def _hold_back(self) -> None:
        """Pause what is more than `max_open_windows` beyond what is judged, resume what is not.

        It never waits for itself: a partition is held back only beyond the end of a window that its own watermark lets close.
        """
        everyone = len(self.judged) == self.semantics.chart_partitions
        judged = min(self.judged.values()) if everyone else NEVER
        ahead = self.spec.lateness_us + (self.spec.max_open_windows + 1) * self.spec.window_us
        if judged == NEVER:
            ahead += self.spec.disorder_us  # the first window is that of a record, not that of a watermark
        for place, source in self.sources.items():
            base = source.first_seen if judged == NEVER else judged
            pause = source.watermark != END and base != NEVER and source.watermark > min(END - ahead, base) + ahead
            if pause != source.paused:
                (self.consumer.pause if pause else self.consumer.resume)([place])
                source.paused = pause
                self.meters.count("spc_held_back_total", (self.stream_name,), int(pause))

    def _count(self, batches: list[Batch], progress: dict[Place, Progress]) -> None:
        self.meters.count("spc_records_total", (self.stream_name, "observe", "read"), sum(map(len, batches)))
        for told in progress.values():
            for reason, n in told.refused.items():
                self.meters.count("spc_records_refused_total", (self.stream_name, "observe", reason), n)


def up_to(batch: Batch, end: int) -> Batch | None:
    """The records before offset `end`; None when there are none."""
    keep = int(np.searchsorted(batch.offsets, end))
    if keep == len(batch):
        return batch
    return head(batch, keep) if keep else None
