"""gate: the source records again, each to the clean topic or to quarantine by the verdict of its window and segment.

It reads each source partition up to the last judged window and no further: Kafka holds the records that wait, this process none.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from streamspc.bucket import watermark as marks
from streamspc.decide.book import Book
from streamspc.effect.quarantine import marked, quarantined
from streamspc.errors import BadRecord, Fatal, Reason
from streamspc.flow import ready, route
from streamspc.kafka_io.port import Committed, Place
from streamspc.kafka_io.topics import names
from streamspc.model import NEVER, Judged, Override, Rejection, VerdictRecord, View
from streamspc.roles.clients import close_all, starts, transactional_id
from streamspc.roles.control import read_to_end
from streamspc.roles.forward import columns, forwarded, limits
from streamspc.roles.meters import Lag, Meters
from streamspc.roles.observe import up_to
from streamspc.roles.pulse import LONG, Pulse, commit_deadline, longest_step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from streamspc.kafka_io.port import Consumer, Kafka, Producer, Send
    from streamspc.model import Batch, Ints, KafkaLocal, Routed, Semantics
    from streamspc.roles.ends import Ends

BUSY, QUIET = 0.2, 0.5  # seconds to wait for records: while some partition waits for verdicts, and else
CATCH_UP = 60.0  # seconds without progress before reading the verdicts is given up


@dataclass(slots=True)
class Source:
    """One source partition while it is owned."""

    watermark: int
    offset: int
    waits_for: int = NEVER  # window end that its next record needs; NEVER: it can be read


@dataclass
class GateRole:
    """One stream's gate. `ends` is set for `--until-end`; `clock` is monotonic seconds."""

    kafka: Kafka
    semantics: Semantics
    stream_name: str
    local: KafkaLocal
    ends: Ends | None = None
    clock: Callable[[], float] = time.monotonic
    sources: dict[Place, Source] = field(default_factory=dict)  # replaced, never changed: a scrape may be reading it
    meters: Meters = field(default_factory=lambda: Meters("gate"))

    def __post_init__(self) -> None:
        self.stream = ready(self.semantics.stream(self.stream_name))
        self.spec = self.stream.spec
        self.config = self.semantics.hash()
        self.name = f"gate.{self.stream_name}"
        self.group = f"{self.semantics.app}.{self.stream_name}.gate"
        self.verdicts = [Place(names(self.semantics.app).verdicts, i) for i in range(self.semantics.chart_partitions)]
        self.book = Book(self.spec, self.semantics.chart_partitions)
        self.opened = False  # by an override that came since: whoever waits looks again
        self.pulse = Pulse(longest_step(self.local))
        self.lag = Lag(self.meters, self.stream_name, self.spec.topic)
        for way in ("read", "clean", "quarantine"):
            self.meters.count("spc_records_total", (self.stream_name, "gate", way), 0)
        for reason in Reason:
            self.meters.count("spc_records_refused_total", (self.stream_name, "gate", reason.value), 0)

    @property
    def view(self) -> View:
        """Records by route, storms, what waits."""
        waiting = {place for place, source in self.sources.items() if source.waits_for != NEVER}
        backlog = sum(records for place, records in self.lag.behind.items() if place not in waiting)
        return self.meters.view(
            self.name,
            spc_storm_active=[((self.stream_name,), float(self.book.stormy()))],
            spc_gate_waiting_partitions=[((self.stream_name,), float(len(waiting)))],
            spc_gate_backlog_records=[((self.stream_name,), backlog)],
            **self.lag.families(),
        )

    def connect(self) -> None:
        """New clients; all verdicts are read before the first record is routed."""
        self.sources = {}
        self.meters.assigned = False
        self.generation = -1
        self.book = Book(self.spec, self.semantics.chart_partitions)
        self.limits = limits(self.kafka, self.spec)
        self.producer: Producer = self.kafka.producer(transactional_id(self.group, self.local))
        self.consumer: Consumer = self.kafka.subscribe(self.group, [self.spec.topic], self.local.instance)
        self.book.passed = self._passed()
        self.reader: Consumer = self.kafka.read(self.verdicts)
        for batch in read_to_end(self.reader, self.verdicts, CATCH_UP, self.pulse):
            self._take(batch)

    def _passed(self) -> int:
        """How far the whole group has come: verdicts of later windows are still to be carried out."""
        places = [Place(self.spec.topic, partition) for partition in range(self.consumer.partitions(self.spec.topic))]
        committed = self.consumer.committed(places).values()
        return self._behind(marks.decode(c.metadata, self.stream_name, self.config) if c else NEVER for c in committed)

    def _behind(self, watermarks: Iterable[int]) -> int:
        """Windows that start before this instant have only late records to come, by these watermarks."""
        least = min(watermarks, default=NEVER)
        return NEVER if least == NEVER else least - self.spec.lateness_us - 2 * self.spec.window_us

    def _has_written(self) -> bool:
        """Is there a committed record in an output topic? It was written with an offset."""
        topics = [topic for topic in (self.spec.clean_topic, self.spec.quarantine_topic) if topic]
        places = [Place(topic, p) for topic in topics for p in range(self.consumer.partitions(topic))]
        reader = self.kafka.read(places)
        try:
            return any(True for _ in read_to_end(reader, places, CATCH_UP, self.pulse))
        finally:
            reader.close()

    def disconnect(self) -> None:
        """Close the clients."""
        close_all(self, "producer", "consumer", "reader")

    def turn(self) -> bool:
        """New verdicts, then what they let through, in one transaction."""
        waiting = {source.waits_for != NEVER for source in self.sources.values()}
        for batch in self.reader.poll(QUIET if waiting == {True} else 0.0, 10_000):
            self._take(batch)
        self._resume()
        batches = self.consumer.poll(BUSY if True in waiting else QUIET, self.local.batch_records)
        token = self.consumer.group_token() if self.consumer.assignment() else None
        if self.generation != self.consumer.generation():
            self._take_over()
            return False
        ends = self._ends()
        sends: list[Send] = []
        offsets: dict[Place, Committed] = {}
        done: list[tuple[Routed, Ints]] = []
        for batch in batches:
            place = Place(batch.topic, batch.partition)
            kept = up_to(batch, ends[place]) if ends else batch
            if kept is None:
                continue
            self.pulse.beat()
            routed = route(self.stream, kept, self.sources[place].watermark, self.book)
            if routed.ready:
                found, pointed = self._sends(kept, routed)
                sends += found
                offsets[place] = self._done(place, kept, routed)
                done.append((routed, pointed))
            self._wait(place, kept, routed)
        if offsets:
            self._commit(sends, offsets, token)
            for routed, pointed in done:
                self._count(routed, pointed)
            self.book.passed = max(self.book.passed, self._behind(source.watermark for source in self.sources.values()))
        self.lag.look(self.consumer, self.pulse)
        return bool(self.sources) and ends is not None and all(self._read_up_to(place, ends[place]) for place in self.sources)

    def _sends(self, batch: Batch, routed: Routed) -> tuple[list[Send], Ints]:
        """Clean and quarantined records of the ready part, and the rows that go as pointers since they are too large."""
        bad = (routed.rejected >= 0) | (routed.refused >= 0)
        ways = []
        if self.spec.clean_topic is not None:
            rows = np.flatnonzero(~bad)
            ways.append((columns(self.spec.clean_topic, batch, rows, marked(batch, rows, routed), routed.marked), rows))
        if self.spec.quarantine_topic is not None:
            rows = np.flatnonzero(bad)
            ways.append((columns(self.spec.quarantine_topic, batch, rows, quarantined(self.spec, batch, rows, routed), bad), rows))
        return forwarded(self.producer, self.limits, self.spec, batch, ways)

    def _commit(self, sends: list[Send], offsets: dict[Place, Committed], token: object) -> None:
        self.pulse.beat()
        try:
            with self.meters.transaction():
                self.producer.transact(sends, offsets, self.consumer, token, commit_deadline(self.local))
        except BadRecord as error:
            raise Fatal(f"{self.name} cannot forward a record, and will not lose it: {error}. Raise that limit") from error

    def _done(self, place: Place, batch: Batch, routed: Routed) -> Committed:
        """The committed offset after the ready part, with the watermark that the next owner begins with."""
        source = self.sources[place]
        source.watermark = routed.watermark
        source.offset = batch.next if routed.ready == len(batch) else int(batch.offsets[routed.ready])
        return Committed(source.offset, marks.encode(self.stream_name, self.config, source.watermark))

    def _wait(self, place: Place, batch: Batch, routed: Routed) -> None:
        """Leave the rest of a batch to Kafka until its first record's window is judged."""
        if routed.ready < len(batch):
            self.consumer.seek(place, int(batch.offsets[routed.ready]))
            self.consumer.pause([place])
            self.sources[place].waits_for = routed.waits_for

    def _resume(self) -> None:
        for place, source in self.sources.items():
            if source.waits_for != NEVER and (self.opened or source.waits_for <= self.book.until):
                source.waits_for = NEVER
                self.consumer.resume([place])
        self.opened = False

    def _take(self, batch: Batch) -> None:
        for key, value in zip(batch.keys, batch.values, strict=True):
            record = msgspec.json.decode(value or b"", type=VerdictRecord) if key == self.stream_name.encode() else None
            if isinstance(record, Rejection | Judged | Override):
                self.book.take(batch.partition, record)
            if isinstance(record, Override):
                self.opened = True

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
        found = starts(self.consumer, self.stream_name, self.config, self._has_written)
        for start in found.values():
            if start.lost:
                self.meters.count("spc_records_refused_total", (self.stream_name, "gate", Reason.RETENTION_GAP.value), start.lost)
        self.sources = {place: Source(start.watermark, start.offset) for place, start in found.items()}
        self.meters.restored()

    def _read_up_to(self, place: Place, end: int) -> bool:
        source = self.sources[place]
        return source.waits_for == NEVER and max(source.offset, self.consumer.position(place)) >= end

    def _count(self, routed: Routed, pointed: Ints) -> None:
        stream, n = self.stream_name, routed.ready
        to_quarantine = (routed.rejected >= 0) | (routed.refused >= 0)
        to_quarantine[pointed] = True
        bad = int(to_quarantine.sum())
        routes = {"read": n, "quarantine": bad if self.spec.quarantine_topic else 0, "clean": n - bad if self.spec.clean_topic else 0}
        for way, records in routes.items():
            self.meters.count("spc_records_total", (stream, "gate", way), records)
        refused = Counter(routed.refusals[code][0].value for code in routed.refused[routed.refused >= 0].tolist())
        refused[Reason.BEFORE_VERDICTS.value] = routed.old  # whether the policy accepts or refuses them
        refused[Reason.LATE.value] = int(routed.late.sum())
        refused[Reason.GATE_OPEN.value] = int(routed.opened.sum())
        refused[Reason.UNFORWARDABLE.value] = len(pointed)
        for reason, records in refused.items():
            if records:
                self.meters.count("spc_records_refused_total", (stream, "gate", reason), records)
