"""chart: blocks of tallies to points, signals and verdicts, in the transaction that commits the tallies offsets.

The state of each partition is a fold over its log: on assignment it is made again from the latest snapshot and the blocks behind
it, with outputs off up to what is committed. What one turn does, and one transaction holds, is bounded: see `folding`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from streamspc.errors import Fatal, StreamspcError
from streamspc.flow import Outputs, State
from streamspc.kafka_io.port import Place
from streamspc.kafka_io.topics import names
from streamspc.model import View
from streamspc.roles.clients import close_all, transactional_id
from streamspc.roles.control import read_to_end
from streamspc.roles.folding import Answered, Owned, answered, committed
from streamspc.roles.meters import Lag, Meters
from streamspc.roles.outbox import Outbox
from streamspc.roles.panel import Panel, born
from streamspc.roles.pulse import LONG, Pulse, commit_deadline, longest_step
from streamspc.state import restore, save

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamspc.kafka_io.port import Admin, Consumer, Kafka, Producer
    from streamspc.model import KafkaLocal, Semantics

log = structlog.get_logger()

POLL = 1.0  # seconds
BLOCKS = 200  # blocks that are asked for at a time
TURN_BYTES = 16_000_000  # of outputs in one transaction, but for those of one window more
TURN_SERIES = 500_000  # points that a turn computes, said or not, but for those of one window more
STEP_SERIES = 200  # what a window costs beside its points
RESTORE = 60.0  # seconds without progress before a restore is given up


@dataclass
class ChartRole:
    """Charts every stream of the application. `snapshot_every` is seconds; `clock` is monotonic seconds."""

    kafka: Kafka
    semantics: Semantics
    local: KafkaLocal
    snapshot_every: float = 60.0
    until_end: bool = False
    max_exported_series: int = 5_000
    clock: Callable[[], float] = time.monotonic
    owned: dict[Place, Owned] = field(default_factory=dict)
    meters: Meters = field(default_factory=lambda: Meters("chart"))

    def __post_init__(self) -> None:
        self.topics = names(self.semantics.app)
        self.name = "chart"
        self.config = self.semantics.hash()
        self.panel = Panel(self.max_exported_series)
        self.pulse = Pulse(longest_step(self.local))
        self.lag = Lag(self.meters, "", self.topics.tallies)  # its log holds the tallies of all streams
        self.saved: tuple[float, int] | None = None  # when a snapshot was last committed (epoch seconds), and its bytes
        self.restored: float | None = None  # seconds that the last restore took
        self.meters.count("spc_snapshots_total", (), 0)
        born([(spec.name, spec.series) for spec in self.semantics.streams], self.meters)

    @property
    def view(self) -> View:
        """The last points of every series, episodes, frontiers."""
        more = self.lag.families()
        if self.saved is not None:
            more |= {"spc_last_snapshot_timestamp_seconds": [((), self.saved[0])], "spc_last_snapshot_bytes": [((), float(self.saved[1]))]}
        if self.restored is not None:
            more["spc_restore_duration_seconds"] = [((), self.restored)]
        return self.meters.view(self.name, self.panel.families(), **more)

    def connect(self) -> None:
        """New clients; partitions come with the first poll."""
        self.owned.clear()  # an error may have left a fold half done: all is restored
        self.meters.assigned = False
        self.generation = -1
        group = f"{self.semantics.app}.chart"
        self.producer: Producer = self.kafka.producer(transactional_id(group, self.local))
        self.admin: Admin = self.kafka.admin()
        self.consumer: Consumer = self.kafka.subscribe(group, [self.topics.tallies], self.local.instance)

    def disconnect(self) -> None:
        """Close the clients."""
        close_all(self, "producer", "consumer", "admin")

    def turn(self) -> bool:
        """Some blocks of every fetched partition through the fold, as far as one transaction should hold."""
        behind = any(owned.waiting for owned in self.owned.values())
        batches = self.consumer.poll(0.0 if behind else POLL, BLOCKS)
        token = self.consumer.group_token() if self.consumer.assignment() else None
        if self.generation != self.consumer.generation():
            self._take_over()
            return False
        moved = {Place(batch.topic, batch.partition) for batch in batches} | {p for p, owned in self.owned.items() if owned.waiting}
        for batch in batches:
            self.owned[Place(batch.topic, batch.partition)].take(batch)
        outbox, now = Outbox(self.topics, self.semantics.chart_partitions), self.clock()
        shown = [(place.partition, self._fold(place, outbox, now, len(moved))) for place in sorted(moved)]
        points = outbox.bytes
        snapshots = self._snapshots(outbox, now)
        offsets = {place: committed(self.owned[place].answered) for place in {*snapshots, *moved}}
        if offsets:
            self.pulse.beat()
            with self.meters.transaction():
                self.producer.transact(outbox.sends(), offsets, self.consumer, token, commit_deadline(self.local))
        for partition, out in shown:
            self.panel.show(partition, self.owned[Place(self.topics.tallies, partition)].state, out, self.meters)
        if snapshots:
            self.meters.count("spc_snapshots_total", (), len(snapshots))
            self.saved = time.time(), outbox.bytes - points
        self._forget(snapshots)
        self._hold_back()
        self.lag.look(self.consumer, self.pulse)
        return self.until_end and bool(self.owned) and all(owned.state.ended() and not owned.waiting for owned in self.owned.values())

    def _fold(self, place: Place, outbox: Outbox, now: float, sharers: int) -> Outputs:
        """Steps of one partition, up to its share of a turn; where a snapshot is due, no further than the end of a block begun before."""
        owned, total = self.owned[place], Outputs.none()
        full, series = outbox.bytes + TURN_BYTES // sharers, 0
        for out, aloud in owned.advance(self.config, self.pulse.beat, one=owned.within and self._due(owned, now)):
            if aloud:
                outbox.answer(place.partition, out)
                total.add(out)
            series += STEP_SERIES + sum(points.value.size for points in out.points)
            if outbox.bytes >= full or series >= TURN_SERIES // sharers:
                break
        return total

    def _hold_back(self) -> None:
        """Read no further where blocks wait."""
        for place, owned in self.owned.items():
            if bool(owned.waiting) != owned.paused:
                owned.paused = not owned.paused
                (self.consumer.pause if owned.paused else self.consumer.resume)([place])

    def _due(self, owned: Owned, now: float) -> bool:
        return now - owned.snapshot_at >= self.snapshot_every

    def _snapshots(self, outbox: Outbox, now: float) -> list[Place]:
        """Add a snapshot of each partition that is due, and between blocks, to what is sent; return those partitions."""
        due = [p for p, owned in self.owned.items() if self._due(owned, now) and owned.offset > owned.snapshot_offset and not owned.within]
        for place in due:
            self.pulse.beat()
            owned = self.owned[place]
            owned.snapshot_at, owned.snapshot_offset = now, owned.offset
            outbox.put(Place(self.topics.snapshots, place.partition), save(owned.state, owned.offset))
        return due

    def _forget(self, snapshots: list[Place]) -> None:
        """Delete the blocks that the snapshots just committed stand for. Where that fails, the next snapshot's turn deletes them too."""
        if snapshots:
            self.pulse.beat(LONG)
            try:
                self.admin.delete_before({place: self.owned[place].offset for place in snapshots})
            except StreamspcError as error:
                log.warning("tallies that snapshots stand for were not deleted", topic=self.topics.tallies, error=str(error))

    def _take_over(self) -> None:
        """Restore every assigned partition: committed offset first, then snapshot, then the log between with outputs off.

        A partition that was ours before, and is between blocks, keeps its state: a fold over the log up to its offset is right whoever
        answered since.
        """
        self.pulse.beat(LONG)
        begun = self.clock()
        self.generation = self.consumer.generation()
        places = sorted(self.consumer.assignment())
        found = self.consumer.committed(places)
        bounds = self.consumer.bounds(places)
        before, self.owned = self.owned, {}
        for place in places:
            first = bounds[place][0]
            offset = found[place]
            silent = answered(offset) if offset else Answered(first)
            kept = before.get(place)
            if kept is not None and not kept.within and first <= kept.offset <= silent.offset:
                owned = kept
                owned.begin_again(silent)
            else:
                owned = self._restore(place, silent)
            self.owned[place] = owned
            if owned.offset < first:
                raise Fatal(
                    f"{place.topic}-{place.partition} begins at offset {first}, the state needs it from {owned.offset} on: the log was"
                    " cut. Set retention.ms=-1 (streamspc topics check), and start again under a new `app` name."
                )
            self.consumer.seek(place, owned.offset)
            owned.paused = False
        self.consumer.resume(places)
        self.panel.keep({place.partition for place in places})
        self.meters.restored()
        self.restored = self.clock() - begun

    def _restore(self, place: Place, silent: Answered) -> Owned:
        snapshots = Place(self.topics.snapshots, place.partition)
        reader = self.kafka.read([snapshots])
        records: dict[bytes, bytes] = {}
        try:
            for batch in read_to_end(reader, [snapshots], RESTORE, self.pulse):
                records.update((key or b"", value or b"") for key, value in zip(batch.keys, batch.values, strict=True))
        finally:
            reader.close()
        found = restore(self.semantics, place.partition, records)
        state, offset = found or (State.begin(self.semantics, place.partition), 0)
        log.info("restored", partition=place.partition, snapshot_offset=offset, committed_offset=silent.offset, steps=silent.steps)
        return Owned(state, offset, silent, self.clock(), offset)
