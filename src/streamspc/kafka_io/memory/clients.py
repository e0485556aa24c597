"""Clients of the in-memory log: one `MemoryKafka` stands for one process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamspc.errors import Fatal, Fenced, Transient
from streamspc.kafka_io.batches import too_large
from streamspc.kafka_io.memory.consumer import MemoryConsumer
from streamspc.kafka_io.memory.groups import Membership
from streamspc.kafka_io.memory.log import Log, State
from streamspc.kafka_io.steps import At, nowhere

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from streamspc.kafka_io.port import Committed, Consumer, Place, Send, TopicPlan


class MemoryKafka:
    """Implements port `Kafka` over `log`, which several may share. `crash` is called at each step of each transaction."""

    def __init__(self, log: Log | None = None, crash: At = nowhere) -> None:
        """A process that has opened nothing yet."""
        self.log = log or Log()
        self._crash = crash
        self._consumers: list[MemoryConsumer] = []
        self._producers: list[MemoryProducer] = []

    def subscribe(self, group: str, topics: Sequence[str], instance: str | None = None) -> MemoryConsumer:
        """A member of a group."""
        with self.log.changed:
            for topic in topics:
                self.log.plan(topic)
            self.log.changed.notify_all()
            consumer = MemoryConsumer(self.log, group=group, member=self.log.group(group).join(topics, instance))
        self._consumers.append(consumer)
        return consumer

    def read(self, places: Sequence[Place]) -> MemoryConsumer:
        """Reads these places from their first offset on, without a group. Raises Fatal."""
        with self.log.changed:
            for place in places:
                self.log.plan(place.topic)
            return MemoryConsumer(self.log, places=places)

    def producer(self, transactional_id: str) -> MemoryProducer:
        """The holder of a transactional id, from now on."""
        producer = MemoryProducer(self.log, transactional_id, self._crash)
        self._producers.append(producer)
        return producer

    def admin(self) -> MemoryAdmin:
        """Administers topics."""
        return MemoryAdmin(self.log)

    def kill(self) -> None:
        """The process is gone, and the brokers have noticed: its sessions and transactions have timed out."""
        for consumer in self._consumers:
            consumer.close()
        for producer in self._producers:
            producer.time_out()


class MemoryProducer:
    """Implements port `Producer`."""

    _request_bytes = 67_108_864

    def __init__(self, log: Log, transactional_id: str, crash: At) -> None:
        """Take over the transactional id."""
        self._log, self._id, self._at = log, transactional_id, crash
        self._epoch = log.initialise(transactional_id)
        self._closed = False

    def transact(
        self, sends: Sequence[Send], offsets: Mapping[Place, Committed], consumer: Consumer | None, token: object, deadline: float
    ) -> None:
        """All of it or nothing; after an error the producer is spent. Raises Fenced, Transient, Fatal."""
        if self._closed:
            raise Fenced("this producer is spent: connect again")
        if offsets and (consumer is None or not isinstance(token, Membership)):
            raise Fatal("offsets need the consumer and its group token")
        try:
            self._transact(sends, offsets, token, deadline)
        except Exception:
            self.close()
            raise

    def too_large(self, send: Send, limit: int) -> list[int]:
        """Rows that no topic with that limit can carry, packed as a broker would get them."""
        return too_large(send, self._request_bytes, limit)

    def _transact(self, sends: Sequence[Send], offsets: Mapping[Place, Committed], token: object, deadline: float) -> None:
        self._at("before")
        if not offsets and not any(len(send.values) for send in sends):
            return
        if deadline <= 0:
            raise Transient("the deadline has passed")
        self._log.begin(self._id, self._epoch)
        self._at("begun")
        for send in sends:
            self._log.append(self._id, self._epoch, send)
        self._at("sent")
        self._at("acknowledged")
        if offsets and isinstance(token, Membership):
            self._log.add_offsets(self._id, self._epoch, offsets, token)
        self._at("offsets")
        self._log.end(self._id, self._epoch, State.COMMITTED)
        self._at("committed")

    def time_out(self) -> None:
        """What the coordinator does to an open transaction in the end: it aborts it and fences its producer."""
        try:
            self._log.end(self._id, self._epoch, State.ABORTED)
        except Fenced:
            return  # another holder has seen to it
        self._log.initialise(self._id)

    def close(self) -> None:
        """An open transaction is left for the next holder of the id to abort."""
        self._closed = True


class MemoryAdmin:
    """Implements port `Admin`."""

    def __init__(self, log: Log) -> None:
        """Work on this log."""
        self._log = log

    def describe(self, names: Iterable[str]) -> dict[str, TopicPlan]:
        """Those of the topics that exist."""
        return {name: self._log.plans[name] for name in names if name in self._log.plans}

    def create(self, plans: Sequence[TopicPlan], replication: int) -> None:
        """Create those that do not exist. Raises Fatal for a replication other than of one broker."""
        if replication < 1:
            raise Fatal("replication is at least 1")
        self._log.create(plans)

    def delete_before(self, offsets: Mapping[Place, int]) -> None:
        """Delete what lies below the offsets."""
        self._log.delete_before(offsets)

    def broker_version(self) -> str:
        """There is no broker."""
        return "in memory"

    def close(self) -> None:
        """Nothing is held."""
