"""What every notifying role does: hear signals, keep the receiver's book, commit both in one transaction with the offset.

The book's records, and whatever else a kind of role keeps, are in `<app>.outbox` under keys that begin with the receiver's name. Only
the owner of the signals partition works. Ownership is told by the consumer, and backed by the transactional id, which a new owner
takes over before it reads the outbox: an old owner may repeat a message, but never writes a result.
"""

from __future__ import annotations

import random
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import msgspec

from streamspc.decide.groups import AT_ONCE, Book, Member, Spoken
from streamspc.decide.notice import Message
from streamspc.errors import Fenced
from streamspc.kafka_io.port import Committed, Place, Send
from streamspc.kafka_io.topics import names
from streamspc.model import Signal, View
from streamspc.roles.clients import close_all
from streamspc.roles.control import read_to_end
from streamspc.roles.meters import Lag, Meters
from streamspc.roles.pulse import LONG, Pulse, commit_deadline, longest_step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from streamspc.effect.sender import Sender
    from streamspc.kafka_io.port import Consumer, Kafka, Producer
    from streamspc.model import Alerting, Batch, KafkaLocal, Semantics

    Row = tuple[bytes, bytes | None]

POLL = 1.0  # seconds, less when something is due before
SIGNALS = 2_000  # signals a turn
RESTORE = 60.0  # seconds without progress before reading the outbox is given up
RESULTS = ("sent", "retried", "dead", "expired", "overflow", "unreadable")


@dataclass(frozen=True, slots=True)
class Times:
    """The clocks: microseconds of the wall, for ages and signatures; monotonic seconds, for waits; chance in [0, 1), for jitter."""

    wall: Callable[[], int] = lambda: time.time_ns() // 1000
    monotonic: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random


@dataclass
class HearingRole(ABC):
    """Notifies one receiver. With `until_end` it finishes when every stream's end of time was signalled and nothing is pending."""

    kafka: Kafka
    semantics: Semantics
    sender: Sender
    alerting: Alerting
    local: KafkaLocal
    until_end: bool = False
    times: Times = field(default_factory=Times)
    ended: set[tuple[str, int]] = field(default_factory=set)  # (stream, chart partition)
    meters: Meters = field(default_factory=lambda: Meters("notify"))
    name: str = ""
    owner: bool = False  # of the signals partition
    speaks: ClassVar[bool] = True  # in messages

    def __post_init__(self) -> None:
        self.receiver = self.sender.receiver
        self.name = f"notify.{self.receiver.name}"
        self.group = f"{self.semantics.app}.{self.name}"
        self.pulse = Pulse(longest_step(self.local))
        topics = names(self.semantics.app)
        self.signals, self.records = Place(topics.signals, 0), Place(topics.outbox, 0)
        self.lag = Lag(self.meters, "", self.signals.topic)
        self.logs = frozenset(spec.name for spec in self.semantics.streams if spec.clock == "log")
        self.book = self._empty()
        for result in RESULTS:
            self._count(result, 0)
        self.view = self._look()

    def connect(self) -> None:
        """A consumer; the producer and the outbox come with the partition, so that a standby takes nothing from the owner."""
        self.generation = -1
        self.owner = False
        self.meters.assigned = False
        self.producer: Producer | None = None
        self.consumer: Consumer = self.kafka.subscribe(self.group, [self.signals.topic], self.local.instance)

    def disconnect(self) -> None:
        """Close the clients."""
        close_all(self, "producer", "consumer")

    def turn(self) -> bool:
        """Some signals, and what the receiver is told of them; then what is still to be said to it."""
        batches = self.consumer.poll(self._patience(), SIGNALS)
        new = self.generation != self.consumer.generation()
        if new:
            self._take_over()
        elif self.owner:
            token = self.consumer.group_token()
            self._work(token, self._hear(batches), heard=bool(batches))
        if not new:
            self.lag.look(self.consumer, self.pulse)
        self.view = self._look()
        return self._at_once() and self.owner and not new and not self._waiting()

    @abstractmethod
    def _work(self, token: object, said: list[Message], *, heard: bool) -> None:
        """Commit what was `heard`, tell the receiver that and what was `said` on the way, commit what it answered."""

    @abstractmethod
    def _load(self, records: Mapping[bytes, bytes]) -> None:
        """Take the records of the outbox that are not the book's, by key."""

    @abstractmethod
    def _waiting(self) -> list[int]:
        """When each of the things was decided that the receiver has still to be told, in microseconds of the wall."""

    @abstractmethod
    def _due(self) -> float:
        """Seconds until there is something to do without new signals."""

    def _empty(self) -> Book:
        return Book(self.receiver.name, self.alerting, self.receiver.send_resolved)

    def _patience(self) -> float:
        """How long a poll may wait for signals."""
        return min(POLL, max(0.0, self._due())) if self.owner else POLL

    def _book_due(self) -> float:
        """Seconds until a message of the book is due."""
        due = self.book.due()
        return (due - self.times.wall()) / 1e6 if due < AT_ONCE else float("inf")

    def _hear(self, batches: Iterable[Batch]) -> list[Message]:
        """Take the signals. One of a live stream that is older than a message may grow is no news.

        An opening whose message is due is told before its end is heard, though both come at once, as they do in a replay.
        """
        now, said = self.times.wall(), list[Message]()
        oldest = now / 1000 - self.receiver.max_age * 1000
        for batch in batches:
            for value, written in zip(batch.values, batch.timestamps.tolist(), strict=True):
                signal = _signal(value)
                if signal is None:
                    self._count("unreadable", 1)
                elif signal.kind == "end":
                    self.ended.add((signal.stream, signal.chart_partition))
                else:
                    stale = 0 < written < oldest and signal.stream not in self.logs
                    self._count("expired", int(stale and signal.kind in {"open", "gap"}))
                    if self.speaks and self.book.overtaken(signal, now):
                        said += self.book.flush(now)
                    self.book.hear(signal, now, stale=stale)
        return said

    def _at_once(self) -> bool:
        """Nothing more will come that a message could wait for."""
        return self.until_end and self._all_ended()

    def _transact(self, rows: Sequence[Row], token: object, sends: Sequence[Send] = ()) -> None:
        """Commit records of the outbox, and other sends, with the offset. It goes along with results too: so the group fences them."""
        overflow = self.book.overflow
        rows = [*self.book.drain(), *rows]
        mine = [Send(self.records, [key for key, _ in rows], [value for _, value in rows])] if rows else []
        offsets = {self.signals: Committed(self.consumer.position(self.signals), "")}
        if self.producer is None:
            raise Fenced(f"{self.name}: no producer without the signals partition")
        self.pulse.beat()
        with self.meters.transaction():
            self.producer.transact([*mine, *sends], offsets, self.consumer, token, commit_deadline(self.local))
        self._count("overflow", overflow)

    def _owns(self) -> bool:
        """Is the signals partition ours, as it was when the outbox was read?"""
        return self.generation == self.consumer.generation() and self.signals in self.consumer.assignment()

    def _take_over(self) -> None:
        """After each assignment: fence the owner before, read the outbox to its end, and go on from the committed offset."""
        self.pulse.beat(LONG)
        self.generation = self.consumer.generation()
        close_all(self, "producer")
        self.owner = self.signals in self.consumer.assignment()
        self.meters.restored()  # a standby is ready: it has nothing to do
        if not self.owner:
            return
        self.producer = self.kafka.producer(self.group)
        committed = self.consumer.committed([self.signals])[self.signals]
        first, _ = self.consumer.bounds([self.signals])[self.signals]
        start = max(first, committed.offset) if committed else first
        self.ended = set()
        self._read_outbox()
        if self.until_end:
            self._read_ends(start)
        self.consumer.seek(self.signals, start)

    def _read_outbox(self) -> None:
        """The records of this receiver, from the compacted topic."""
        prefix = f"{self.receiver.name}/".encode()
        latest: dict[bytes, bytes] = {}
        for batch in self._log(self.records):
            for key, value in zip(batch.keys, batch.values, strict=True):
                if key is not None and key.startswith(prefix):
                    latest.pop(key, None)
                    if value is not None:
                        latest[key.removeprefix(prefix)] = value
        members = [msgspec.json.decode(value, type=Member) for key, value in latest.items() if key.startswith(b"episode/")]
        spoken = {key[6:].decode(): msgspec.json.decode(value, type=Spoken) for key, value in latest.items() if key.startswith(b"group/")}
        self.book = self._empty()
        self.book.load(members, spoken, frozenset(spec.name for spec in self.semantics.streams), self.times.wall())
        self._load(latest)

    def _read_ends(self, before: int) -> None:
        """The streams whose end was signalled before the committed offset: an earlier life of this role has passed them."""
        for batch in self._log(self.signals):
            for offset, value in zip(batch.offsets.tolist(), batch.values, strict=True):
                signal = _signal(value)
                if offset < before and signal is not None and signal.kind == "end":
                    self.ended.add((signal.stream, signal.chart_partition))

    def _log(self, place: Place) -> Iterable[Batch]:
        reader = self.kafka.read([place])
        try:
            yield from read_to_end(reader, [place], RESTORE, self.pulse)
        finally:
            reader.close()

    def _all_ended(self) -> bool:
        partitions = range(self.semantics.chart_partitions)
        return all((spec.name, partition) in self.ended for spec in self.semantics.streams for partition in partitions)

    def _look(self, **more: list[tuple[tuple[str, ...], float]]) -> View:
        """Notifications by result, those that wait, and for how long the first one has: made here, so that readers share nothing."""
        mine = (self.receiver.name,)
        waiting = self._waiting() if self.owner else []
        oldest = (self.times.wall() - min(waiting)) / 1e6 if waiting else 0.0
        return self.meters.view(
            self.name,
            spc_notifications_lag_signals=[(mine, sum(self.lag.behind.values()))],
            spc_notifications_pending=[(mine, float(len(waiting)))],
            spc_notifications_oldest_age_seconds=[(mine, max(0.0, oldest))],
            spc_receiver_episodes=[(mine, float(len(self.book.members)))],
            **more,
        )

    def _count(self, result: str, by: int) -> None:
        self.meters.count("spc_notifications_total", (self.receiver.name, result), by)


def _signal(value: bytes | None) -> Signal | None:
    """The signal in a record, None where it is not one."""
    try:
        return msgspec.json.decode(value or b"", type=Signal)
    except msgspec.DecodeError:
        return None
