"""chart: blocks of tallies to points, signals and verdicts, in the transaction that commits the tallies offsets.

The state of each partition is a fold over its log: on assignment it is made again from the latest snapshot and the blocks behind
it, with outputs off up to the committed offset.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
import structlog

from streamspc import wire
from streamspc.errors import Fatal, StreamspcError
from streamspc.flow import Outputs, State, fold
from streamspc.kafka_io.port import Committed, Place, Send
from streamspc.kafka_io.topics import names
from streamspc.model import View
from streamspc.roles.clients import close_all, transactional_id
from streamspc.roles.control import read_to_end
from streamspc.roles.meters import Lag, Meters
from streamspc.roles.panel import Panel
from streamspc.roles.pulse import LONG, Pulse, commit_deadline, longest_step
from streamspc.state import restore, save

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamspc.kafka_io.port import Admin, Consumer, Kafka, Producer
    from streamspc.model import Batch, KafkaLocal, Semantics

log = structlog.get_logger()

POLL = 1.0  # seconds
BLOCKS = 200  # blocks a turn: bounds what one transaction holds
RESTORE = 60.0  # seconds without progress before a restore is given up


@dataclass(slots=True)
class Owned:
    """One partition of the tallies log while it is owned: the fold's state, and where it stands."""

    state: State
    offset: int  # blocks before it are in the state
    silent_until: int  # blocks before it were answered by an earlier owner: outputs off
    snapshot_at: float  # monotonic seconds of the last snapshot
    snapshot_offset: int


@dataclass
class ChartRole:
    """Charts every stream of the application. `snapshot_every` is seconds; `clock` is monotonic seconds."""

    kafka: Kafka
    semantics: Semantics
    local: KafkaLocal
    snapshot_every: float = 60.0
    until_end: bool = False
    clock: Callable[[], float] = time.monotonic
    owned: dict[Place, Owned] = field(default_factory=dict)
    meters: Meters = field(default_factory=lambda: Meters("chart"))

    def __post_init__(self) -> None:
        self.topics = names(self.semantics.app)
        self.name = "chart"
        self.config = self.semantics.hash()
        self.panel = Panel(self.semantics)
        self.pulse = Pulse(longest_step(self.local))
        self.lag = Lag("chart", "")  # its log holds the tallies of all streams

    @property
    def view(self) -> View:
        """The last points of every series, episodes, frontiers."""
        return self.meters.view(self.name, **self.panel.families(), spc_consumer_lag_records=self.lag.rows)

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
        """Some blocks of every fetched partition through the fold, in one transaction."""
        batches = self.consumer.poll(POLL, BLOCKS)
        token = self.consumer.group_token() if self.consumer.assignment() else None
        if self.generation != self.consumer.generation():
            self._take_over()
            return False
        sends: list[Send] = []
        offsets: dict[Place, Committed] = {}
        shown: list[tuple[int, Outputs]] = []
        for batch in batches:
            place = Place(batch.topic, batch.partition)
            out = self._fold(place, batch)
            sends += self._sends(place.partition, out)
            shown.append((place.partition, out))
        snapshots = self._snapshots(sends)
        for place in {*snapshots, *(Place(batch.topic, batch.partition) for batch in batches)}:
            offsets[place] = Committed(max(self.owned[place].offset, self.owned[place].silent_until), "")
        if offsets:
            self.pulse.beat()
            with self.meters.transaction():
                self.producer.transact(sends, offsets, self.consumer, token, commit_deadline(self.local))
        for partition, out in shown:
            self.panel.show(partition, self.owned[Place(self.topics.tallies, partition)].state, out, self.meters)
        self._forget(snapshots)
        self.lag.look(self.consumer, self.pulse)
        return self.until_end and bool(self.owned) and all(owned.state.ended() for owned in self.owned.values())

    def _fold(self, place: Place, batch: Batch) -> Outputs:
        owned = self.owned[place]
        total = Outputs([], [], [])
        for offset, key, value in zip(batch.offsets.tolist(), batch.keys, batch.values, strict=True):
            if key != b"block":
                continue
            block = wire.decode_block(value or b"")
            if block.config != self.config:
                raise Fatal(
                    f"{place.topic}-{place.partition}@{offset}: block of configuration {block.config}, this process has {self.config}"
                )
            self.pulse.beat()
            out = fold(owned.state, block)
            if offset >= owned.silent_until:
                total.points.extend(out.points)
                total.signals.extend(out.signals)
                total.verdicts.extend(out.verdicts)
        owned.offset = batch.next
        return total

    def _sends(self, partition: int, out: Outputs) -> list[Send]:
        encode = msgspec.json.encode
        points = [(p.stream.encode(), wire.encode_points(p)) for p in out.points]
        signals = [(s.episode.encode() or s.stream.encode(), encode(s)) for s in out.signals]
        verdicts = [(v.stream.encode(), encode(v)) for v in out.verdicts]
        places = (Place(self.topics.points, partition), Place(self.topics.signals, 0), Place(self.topics.verdicts, partition))
        return [
            Send(place, [key for key, _ in rows], [value for _, value in rows])
            for place, rows in zip(places, (points, signals, verdicts), strict=True)
            if rows
        ]

    def _snapshots(self, sends: list[Send]) -> list[Place]:
        """Add a snapshot of each partition that is due to the sends; return those partitions."""
        now = self.clock()
        due = [
            p for p, owned in self.owned.items() if now - owned.snapshot_at >= self.snapshot_every and owned.offset > owned.snapshot_offset
        ]
        for place in due:
            owned = self.owned[place]
            owned.snapshot_at, owned.snapshot_offset = now, owned.offset
            records = save(owned.state, owned.offset)
            snapshots = Place(self.topics.snapshots, place.partition)
            sends.append(Send(snapshots, [key for key, _ in records], [value for _, value in records]))
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

        A partition that was ours before keeps its state: a fold over the log up to its offset is right whoever answered since.
        """
        self.pulse.beat(LONG)
        self.generation = self.consumer.generation()
        places = sorted(self.consumer.assignment())
        committed = self.consumer.committed(places)
        bounds = self.consumer.bounds(places)
        before, self.owned = self.owned, {}
        for place in places:
            first = bounds[place][0]
            answered = committed[place]
            silent_until = answered.offset if answered else first
            kept = before.get(place)
            if kept is not None and first <= kept.offset <= silent_until:
                kept.silent_until, owned = silent_until, kept
            else:
                owned = self._restore(place, silent_until)
            self.owned[place] = owned
            if owned.offset < first:
                raise Fatal(
                    f"{place.topic}-{place.partition} begins at offset {first}, the state needs it from {owned.offset} on: the log was"
                    " cut. Set retention.ms=-1 (streamspc topics check), and start again under a new `app` name."
                )
            self.consumer.seek(place, owned.offset)
        self.panel.keep({place.partition for place in places})
        self.meters.assigned = True

    def _restore(self, place: Place, silent_until: int) -> Owned:
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
        log.info("restored", partition=place.partition, snapshot_offset=offset, committed_offset=silent_until)
        return Owned(state, offset, silent_until, self.clock(), offset)
