"""observe: batches of records to blocks of tallies, in the transaction that commits the source offsets. It keeps no state.

What a restart needs, the watermark of each partition, is in the metadata of the committed offset.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from streamspc import wire
from streamspc.bucket import watermark as marks
from streamspc.bucket.merge import merge, scatter
from streamspc.bucket.tally import empty
from streamspc.flow import ready, tally
from streamspc.kafka_io.port import Committed, Place, Send
from streamspc.kafka_io.topics import names
from streamspc.model import END, NEVER, Batch, Block, Judged, Progress, VerdictRecord, View
from streamspc.roles.clients import close_all, head, transactional_id
from streamspc.roles.meters import Meters

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamspc.kafka_io.port import Consumer, Kafka, Producer
    from streamspc.model import KafkaLocal, Semantics, TallyTable
    from streamspc.roles.ends import Ends

POLL = 1.0  # seconds; idleness and end offsets are looked at this often when no record comes


@dataclass(slots=True)
class Source:
    """What observe knows of one source partition while it owns it."""

    watermark: int
    offset: int
    reported: bool  # has chart heard of this partition
    first_seen: int = NEVER  # first watermark in this life: bounds the run ahead before anything was judged
    quiet_since: float | None = None
    idle_told_us: int | None = None
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
    sources: dict[Place, Source] = field(default_factory=dict)
    judged: dict[int, int] = field(default_factory=dict)  # by chart partition: judged until

    def __post_init__(self) -> None:
        self.stream = ready(self.semantics.stream(self.stream_name))
        self.spec = self.stream.spec
        self.nothing = empty(self.stream.plan)
        self.config = self.semantics.hash()
        self.topics = names(self.semantics.app)
        self.name = f"observe.{self.stream_name}"
        self.group = f"{self.semantics.app}.{self.stream_name}.observe"

    @property
    def view(self) -> View:
        """Watermarks, records by reason, transactions."""
        marks_now = [
            ((self.stream_name, str(place.partition)), s.watermark / 1e6)
            for place, s in self.sources.items()
            if s.watermark not in (NEVER, END)
        ]
        return self.meters.view(self.name, spc_watermark_timestamp_seconds=marks_now)

    def connect(self) -> None:
        """New clients; partitions come with the first poll."""
        self.sources.clear()
        self.judged.clear()
        self.generation = -1
        self.producer: Producer = self.kafka.producer(transactional_id(self.group, self.local))
        self.consumer: Consumer = self.kafka.subscribe(self.group, [self.spec.topic], self.local.instance)
        verdicts = [Place(self.topics.verdicts, i) for i in range(self.semantics.chart_partitions)]
        self.echo: Consumer = self.kafka.read(verdicts)

    def disconnect(self) -> None:
        """Close the clients."""
        close_all(self, "producer", "consumer", "echo")

    def turn(self) -> bool:
        """One batch of every fetched partition to one block a chart partition, in one transaction."""
        batches = self.consumer.poll(POLL, self.local.batch_records)
        token = self.consumer.group_token() if self.consumer.assignment() else None
        if self.generation != self.consumer.generation():
            self._take_over()
            return False
        self._hear_verdicts()
        ends = self.ends.of(self.spec.topic, self.consumer) if self.ends else {}
        tables, progress = [], {}
        for batch in batches:
            place = Place(batch.topic, batch.partition)
            kept = up_to(batch, ends[place]) if ends else batch
            if kept is None:
                continue
            table, told = tally(self.stream, kept, self.sources[place].watermark)
            tables.append(table)
            progress[place] = told
            self._count(kept, told)
        self._report(progress, ends or {})
        if progress:
            self._commit(merge([self.nothing, *tables]), progress, token)
        self._hold_back()
        return bool(ends) and all(source.watermark == END for source in self.sources.values()) and bool(self.sources)

    def _take_over(self) -> None:
        """Begin every assigned partition at its committed offset, with the watermark that was committed with it."""
        self.generation = self.consumer.generation()
        places = sorted(self.consumer.assignment())
        bounds = self.consumer.bounds(places)
        self.sources = {}
        for place, committed in self.consumer.committed(places).items():
            if committed is None:
                source = Source(NEVER, bounds[place][0], reported=False)
            else:
                mark = marks.decode(committed.metadata, self.stream_name, self.config)
                source = Source(mark, committed.offset, reported=True)
            self.sources[place] = source
            self.consumer.seek(place, source.offset)
        self.consumer.resume(places)
        self.meters.assigned = True

    def _report(self, progress: dict[Place, Progress], ends: dict[Place, int]) -> None:
        """Add what has to be said of partitions beside their records: first sight, idleness, the promised end."""
        for place, source in self.sources.items():
            told = progress.get(place)
            offset = told.next if told else source.offset
            if ends and source.watermark != END and max(offset, self.consumer.position(place)) >= ends[place]:
                told = msgspec.structs.replace(told or Progress(place.partition, offset, offset, END), watermark=END, next=ends[place])
            elif told is None and not source.reported:
                told = Progress(place.partition, offset, offset, source.watermark)
            elif told is None and self.spec.clock == "live" and (idle := self._idle(place, source)) is not None:
                told = Progress(place.partition, offset, offset, source.watermark, idle)
            if told is not None:
                progress[place] = told
            if told is not None and told.idle_us is None:
                source.quiet_since = source.idle_told_us = None

    def _idle(self, place: Place, source: Source) -> int | None:
        """Microseconds of idleness to report now: the partition could be fetched all that time, and nothing was left to read."""
        if source.paused or not self.consumer.at_end(place):
            source.quiet_since = None
            return None
        now = self.clock()
        source.quiet_since = now if source.quiet_since is None else source.quiet_since
        idle = int((now - source.quiet_since) * 1e6)
        if idle < self.spec.idle_after_us + (source.idle_told_us or 0):
            return None
        source.idle_told_us = idle
        return idle

    def _commit(self, table: TallyTable, progress: dict[Place, Progress], token: object) -> None:
        told = tuple(progress[place] for place in sorted(progress))
        sends = []
        tables = scatter(table, self.stream_name, self.semantics.chart_partitions)
        count = self.consumer.partitions(self.spec.topic)
        for chart_partition, part in enumerate(tables):
            block = Block(self.stream_name, self.config, count, told, part)
            sends.append(Send(Place(self.topics.tallies, chart_partition), [b"block"], [wire.encode_block(block)]))
        offsets = {
            place: Committed(report.next, marks.encode(self.stream_name, self.config, report.watermark))
            for place, report in progress.items()
        }
        with self.meters.transaction():
            self.producer.transact(sends, offsets, self.consumer, token, self.local.transaction_timeout)
        for place, report in progress.items():
            source = self.sources[place]
            source.watermark, source.offset, source.reported = report.watermark, report.next, True
            if source.first_seen == NEVER:
                source.first_seen = report.watermark

    def _hear_verdicts(self) -> None:
        """The frontier comes back with the verdicts: it bounds how far any partition may run ahead."""
        for batch in self.echo.poll(0.0, 10_000):
            for value in batch.values:
                record = msgspec.json.decode(value or b"", type=VerdictRecord)
                if isinstance(record, Judged) and record.stream == self.stream_name:
                    self.judged[batch.partition] = max(record.until, self.judged.get(batch.partition, NEVER))

    def _hold_back(self) -> None:
        """Pause what is more than `max_open_windows` beyond the frontier, resume what is not."""
        everyone = len(self.judged) == self.semantics.chart_partitions
        judged = min(self.judged.values()) if everyone else NEVER
        ahead = self.spec.lateness_us + (self.spec.max_open_windows + 1) * self.spec.window_us
        for place, source in self.sources.items():
            base = max(judged, source.first_seen) if judged == NEVER else judged
            pause = source.watermark != END and base != NEVER and source.watermark > min(END - ahead, base) + ahead
            if pause != source.paused:
                (self.consumer.pause if pause else self.consumer.resume)([place])
                source.paused = pause

    def _count(self, batch: Batch, told: Progress) -> None:
        self.meters.count("spc_records_total", (self.stream_name, "observe", "read"), len(batch))
        for reason, n in told.refused.items():
            self.meters.count("spc_records_refused_total", (self.stream_name, "observe", reason), n)


def up_to(batch: Batch, end: int) -> Batch | None:
    """The records before offset `end`; None when there are none."""
    keep = int(np.searchsorted(batch.offsets, end))
    if keep == len(batch):
        return batch
    return head(batch, keep) if keep else None
