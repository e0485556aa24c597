"""notify: signals to intents in one transaction with the offset, then one attempt after another until each intent is sent or dead.

An intent is in `<app>.outbox` before its first attempt, its result after: a crash in between sends the same body again under the
same id. Only the owner of the signals partition sends. Ownership is told by the consumer, and backed by the transactional id, which
a new owner takes over before it reads the outbox: an old owner may repeat a message, but never writes a result.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
import structlog

from streamspc.decide.delivery import Attempt, Dead, Delivered, Outbox, Policy, Retry, backoff, next_attempt
from streamspc.decide.notice import Intent, intents
from streamspc.errors import Fenced
from streamspc.kafka_io.port import Committed, Place, Send
from streamspc.kafka_io.topics import names
from streamspc.model import Signal, View
from streamspc.roles.clients import close_all
from streamspc.roles.control import read_to_end
from streamspc.roles.meters import Meters
from streamspc.roles.pulse import LONG, Pulse, commit_deadline, longest_step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from streamspc.effect.sender import Sender
    from streamspc.kafka_io.port import Consumer, Kafka, Producer
    from streamspc.model import Batch, KafkaLocal, Semantics


log = structlog.get_logger()

POLL = 1.0  # seconds, less when an intent is due before
SIGNALS = 2_000  # signals a turn
ATTEMPTS = 10  # a turn at most, and none begins after SENDING
SENDING = 5.0  # seconds of a turn for sending, besides the last attempt's own timeout
PENDING = 1_000  # intents; with more of them signals wait in Kafka
RESTORE = 60.0  # seconds without progress before reading the outbox is given up
RESULTS = ("sent", "retried", "dead", "expired", "unreadable")


@dataclass(frozen=True, slots=True)
class Times:
    """The clocks: microseconds of the wall, for ages and signatures; monotonic seconds, for waits; chance in [0, 1), for jitter."""

    wall: Callable[[], int] = lambda: time.time_ns() // 1000
    monotonic: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random


@dataclass
class NotifyRole:
    """Notifies one receiver. With `until_end` it finishes when every stream's end of time was signalled and nothing is pending."""

    kafka: Kafka
    semantics: Semantics
    sender: Sender
    local: KafkaLocal
    until_end: bool = False
    times: Times = field(default_factory=Times)
    outbox: Outbox = field(default_factory=Outbox)
    ended: set[tuple[str, int]] = field(default_factory=set)  # (stream, chart partition)
    meters: Meters = field(default_factory=lambda: Meters("notify"))
    name: str = ""
    owner: bool = False  # of the signals partition

    def __post_init__(self) -> None:
        self.receiver = self.sender.receiver
        self.name = f"notify.{self.receiver.name}"
        self.group = f"{self.semantics.app}.{self.name}"
        self.policy = Policy(self.receiver.max_age, self.receiver.max_attempts_interval)
        self.pulse = Pulse(longest_step(self.local))
        topics = names(self.semantics.app)
        self.signals, self.records = Place(topics.signals, 0), Place(topics.outbox, 0)
        self.logs = frozenset(spec.name for spec in self.semantics.streams if spec.clock == "log")
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
        """Some signals to intents, in one transaction with their offset; then some attempts, and their results in another."""
        batches = self.consumer.poll(self._patience(), SIGNALS)
        if self.generation != self.consumer.generation():
            self._take_over()
        elif self.owner:
            self._work(batches)
        self.view = self._look()
        return self.until_end and self.owner and not self.outbox.pending and self._all_ended()

    def _work(self, batches: list[Batch]) -> None:
        token = self.consumer.group_token()
        self._decide(batches, token)
        if results := self._send():
            self._transact(results, token)
        (self.consumer.pause if len(self.outbox.pending) >= PENDING else self.consumer.resume)([self.signals])

    def _patience(self) -> float:
        """How long a poll may wait for signals: until an intent is due."""
        return min(POLL, max(0.0, self.outbox.due() - self.times.monotonic())) if self.owner else POLL

    def _decide(self, batches: list[Batch], token: object) -> None:
        """Signals to intents, committed with the offset behind them."""
        if not batches:
            return
        heard = [signal for batch in batches for signal in self._heard(batch)]
        made = intents(heard, self.receiver, self.sender.render, self.times.wall(), self.outbox)
        self._transact(made, token)
        for intent in made:
            self.outbox.load(intent)

    def _heard(self, batch: Batch) -> Iterable[Signal]:
        """The signals of a batch that are still news. A signal of a live stream that is older than an intent may grow is none."""
        oldest = self.times.wall() / 1000 - self.policy.max_age * 1000
        for value, written in zip(batch.values, batch.timestamps.tolist(), strict=True):
            signal = _signal(value)
            if signal is None:
                self._count("unreadable", 1)
            elif signal.kind == "end":
                self.ended.add((signal.stream, signal.chart_partition))
            elif 0 < written < oldest and signal.stream not in self.logs:
                self._count("expired", 1)
            else:
                yield signal

    def _send(self) -> list[Intent]:
        """Attempts that are due, within the turn's bounds; the results of those that came to an end."""
        results: list[Intent] = []
        until = self.times.monotonic() + SENDING
        for _ in range(ATTEMPTS):
            now = self.times.monotonic()
            intent = self.outbox.next(now)
            if intent is None or now >= until or not self._owns():
                break
            self.pulse.beat(self.receiver.timeout)
            outcome = self._attempt(intent)
            if isinstance(outcome, Retry):
                rest = backoff(self.policy, self.outbox.failures, self.times.chance())
                self.outbox.failed(intent.id, outcome, self.times.monotonic(), rest)
                self._count("retried", 1)
            elif isinstance(outcome, Dead):
                self.outbox.disabled |= outcome.disable
                results.append(self.outbox.settle(intent.id, "dead", outcome.reason))
            else:
                results.append(self.outbox.settle(intent.id, "sent"))
        return results

    def _attempt(self, intent: Intent) -> Delivered | Retry | Dead:
        """One attempt, or none where it would be in vain."""
        age = (self.times.wall() - intent.created) / 1e6
        if self.outbox.disabled:
            return Dead("the receiver is gone")
        if age >= self.policy.max_age:
            return Dead("too old")
        answer = self.sender.post(intent.id, intent.body, intent.content_type, self.times.wall())
        if not 200 <= answer.status < 300 and not self.outbox.failures:  # the first of a row: it may last for days
            log.warning("receiver does not take messages", receiver=self.receiver.name, status=answer.status, detail=answer.detail)
        attempt = Attempt(self.outbox.pending[intent.id].failures, age, self.times.wall())
        return next_attempt(self.policy, attempt, answer, self.times.chance())

    def _transact(self, changed: list[Intent], token: object) -> None:
        """Commit outbox records with the offset. The offset goes along with results too: so the group fences them as well."""
        rows: list[tuple[bytes, bytes | None]] = [(intent.key, msgspec.json.encode(intent)) for intent in changed]
        rows += [(intent.key, None) for intent in self.outbox.forget()]
        sends = [Send(self.records, [key for key, _ in rows], [value for _, value in rows])] if rows else []
        offsets = {self.signals: Committed(self.consumer.position(self.signals), "")}
        if self.producer is None:
            raise Fenced(f"{self.name}: no producer without the signals partition")
        self.pulse.beat()
        with self.meters.transaction():
            self.producer.transact(sends, offsets, self.consumer, token, commit_deadline(self.local))
        for intent in changed:
            if intent.state != "due":
                self._count(intent.state, 1)

    def _owns(self) -> bool:
        """Is the signals partition ours, as it was when the outbox was read?"""
        return self.generation == self.consumer.generation() and self.signals in self.consumer.assignment()

    def _take_over(self) -> None:
        """After each assignment: fence the owner before, read the outbox to its end, and go on from the committed offset."""
        self.pulse.beat(LONG)
        self.generation = self.consumer.generation()
        close_all(self, "producer")
        self.owner = self.signals in self.consumer.assignment()
        self.meters.assigned = True  # a standby is ready: it has nothing to do
        if not self.owner:
            return
        self.producer = self.kafka.producer(self.group)
        committed = self.consumer.committed([self.signals])[self.signals]
        first, _ = self.consumer.bounds([self.signals])[self.signals]
        start = max(first, committed.offset) if committed else first
        before, self.outbox, self.ended = self.outbox, Outbox(), set()
        self._read_outbox()
        self.outbox.remember(before)
        if self.until_end:
            self._read_ends(start)
        self.consumer.seek(self.signals, start)

    def _read_outbox(self) -> None:
        """The intents of this receiver, from the compacted topic."""
        prefix = f"{self.receiver.name}/".encode()
        latest: dict[bytes, bytes | None] = {}
        for batch in self._log(self.records):
            for key, value in zip(batch.keys, batch.values, strict=True):
                if key is not None and key.startswith(prefix):
                    latest.pop(key, None)
                    latest[key] = value
        found = [msgspec.json.decode(value, type=Intent) for value in latest.values() if value is not None]
        for intent in sorted(found, key=lambda intent: intent.created):
            self.outbox.load(intent)

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

    def _look(self) -> View:
        """Notifications by result, those that wait, and for how long the first one has: made here, so that readers share nothing."""
        mine = (self.receiver.name,)
        waiting = [pending.intent.created for pending in self.outbox.pending.values()] if self.owner else []
        oldest = (self.times.wall() - min(waiting)) / 1e6 if waiting else 0.0
        return self.meters.view(
            self.name,
            spc_notifications_pending=[(mine, float(len(waiting)))],
            spc_notifications_oldest_age_seconds=[(mine, max(0.0, oldest))],
            spc_receiver_disabled=[(mine, float(self.outbox.disabled))],
        )

    def _count(self, result: str, by: int) -> None:
        self.meters.count("spc_notifications_total", (self.receiver.name, result), by)


def _signal(value: bytes | None) -> Signal | None:
    """The signal in a record, None where it is not one."""
    try:
        return msgspec.json.decode(value or b"", type=Signal)
    except msgspec.DecodeError:
        return None
