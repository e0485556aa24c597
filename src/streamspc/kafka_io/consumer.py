"""The consumer of the port on kafka-python.

How it is safe: read committed; it never commits and never resets a position by itself; the group's generation is looked at
after each poll on the caller's thread, so that no listener runs on the library's I/O thread; what was fetched in a poll that
brought a new assignment is handed back, because the caller has not loaded what it needs for it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import NoOffsetForPartitionError

from streamspc.errors import Fatal, Fenced
from streamspc.kafka_io.connect import connect
from streamspc.kafka_io.faults import mapped
from streamspc.kafka_io.fetcher import Fetcher
from streamspc.kafka_io.port import Committed, Place
from streamspc.model import Batch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from streamspc.model import KafkaLocal

_LATE_REPLY = 2.0  # seconds after the fetch wait until silence of the broker is no news
_CLOSE = 5.0  # seconds


class PythonConsumer:
    """Implements port `Consumer`. One thread uses it."""

    def __init__(self, config: Mapping[str, Any], local: KafkaLocal, broken: set[Any]) -> None:
        """Connect. `config` is the library's; `broken` are the places of batches that others could not read. Raises Transient, Fatal."""
        self._local = local
        self._generation = 0
        self._identity: object = None
        self._config = config
        self._asking: KafkaConsumer | None = None
        with mapped("connect a consumer"):
            self._client = connect(KafkaConsumer, config)
            self._subscription = self._client._subscription  # noqa: SLF001 - contract-tested with the pinned version
            client, bound = self._client, local.max_batch_bytes
            self._fetcher = Fetcher(client._client, self._subscription, bound, broken, **client.config)  # noqa: SLF001
            self._client._fetcher = self._fetcher  # noqa: SLF001

    def subscribe(self, topics: Sequence[str]) -> None:
        """Join the group at the next poll."""
        self._client.subscribe(topics=list(topics))

    def assign(self, places: Sequence[Place]) -> None:
        """Read these from their first offset on. Raises Transient, Fatal."""
        with mapped("find the first offsets"):
            ours = [TopicPartition(*place) for place in places]
            self._client.assign(ours)
            for place, (first, _) in self.bounds(places).items():
                self._client.seek(TopicPartition(*place), first)
        self._generation = 1

    def poll(self, timeout: float, max_records: int) -> list[Batch]:
        """Batches, one for each partition that had records. Empty after an assignment changed: see `generation`."""
        with mapped("poll"):
            try:
                got = self._client.poll(timeout_ms=timeout * 1000, max_records=max_records)
            except NoOffsetForPartitionError:
                if not self._rejoined():
                    raise
                return []
            if self._rejoined():
                for place, taken in got.items():
                    self._client.seek(place, int(self._fetcher.columns(taken).offsets[0]))
                return []
            return [self._batch(place, taken) for place, taken in got.items()]

    def _batch(self, place: TopicPartition, taken: list[Any]) -> Batch:
        columns = self._fetcher.columns(taken)
        position = self._subscription.position(place).offset
        return Batch(place.topic, place.partition, *columns[:5], position, columns.stored)

    def _rejoined(self) -> bool:
        """Whether membership or assignment is another one than after the last poll."""
        if not self._client.config["group_id"]:
            return False
        group = self._client.group_metadata()
        identity = (group.generation_id, group.member_id, frozenset(self._client.assignment()))
        if identity == self._identity or (self._identity is None and group.generation_id < 0):
            return False
        self._identity = identity
        self._generation += 1
        self._fetcher.asked.clear()
        return True

    def assignment(self) -> frozenset[Place]:
        """The partitions of this member."""
        return frozenset(Place(*place) for place in self._client.assignment())

    def generation(self) -> int:
        """Changes with each assignment."""
        return self._generation

    def committed(self, places: Iterable[Place]) -> dict[Place, Committed | None]:
        """Committed offsets. Waits until no transaction holds them, at most its time-out and a little. Raises Transient."""
        wait = (self._local.transaction_timeout + 5.0) * 1000
        theirs = {place: TopicPartition(*place) for place in places}
        with mapped("wait for stable committed offsets"):
            coordinator = self._client._coordinator  # noqa: SLF001 - the public call asks one partition at a time
            found = coordinator.fetch_committed_offsets(list(theirs.values()), timeout_ms=wait)
        return {
            place: Committed(found[their].offset, found[their].metadata or "") if their in found else None
            for place, their in theirs.items()
        }

    def position(self, place: Place) -> int:
        """The next offset to be read. Raises Fenced for a place of another member, Fatal before it is known."""
        position = self._subscription.position(self._own(place))
        if position is None:
            raise Fatal(f"{place} has no position yet: seek first")
        return int(position.offset)

    def seek(self, place: Place, offset: int) -> None:
        """Go on from `offset`. Raises Fenced for a place of another member."""
        own = self._own(place)
        known = self._subscription.position(own)
        if known is None or known.offset != offset:  # else what is under way from there is not thrown away
            self._client.seek(own, offset)

    def pause(self, places: Iterable[Place]) -> None:
        """Hand over nothing of these until `resume`. Raises Fenced for a place of another member."""
        self._client.pause(*[self._own(place) for place in places])

    def resume(self, places: Iterable[Place]) -> None:
        """End `pause`. Raises Fenced for a place of another member."""
        self._client.resume(*[self._own(place) for place in places])

    def bounds(self, places: Iterable[Place]) -> dict[Place, tuple[int, int]]:
        """First offset and stable end, asked of the brokers. Raises Transient, Fatal."""
        theirs = {place: TopicPartition(*place) for place in places}
        with mapped("find first and last offsets"):
            for topic in {place.topic for place in theirs}:
                self.partitions(topic)
            asking = self._asks()
            first = asking.beginning_offsets(list(theirs.values()))
            end = asking.end_offsets(list(theirs.values()))
        return {place: (first[their], end[their]) for place, their in theirs.items()}

    def offsets_at(self, places: Iterable[Place], time_ms: int) -> dict[Place, int]:
        """The first offset whose Kafka timestamp is not before `time_ms`, the stable end where there is none. Raises Transient, Fatal."""
        bounds = self.bounds(places)
        wanted = {TopicPartition(*place): max(0, time_ms) for place in bounds}
        with mapped("find offsets by time"):
            found = self._asks().offsets_for_times(wanted) if wanted else {}
        return {place: at.offset if (at := found.get(TopicPartition(*place))) else end for place, (_, end) in bounds.items()}

    def at_end(self, place: Place) -> bool:
        """Whether it is fetchable, and the brokers have lately said that nothing follows."""
        their = TopicPartition(*place)
        asked = self._fetcher.asked.get(their)
        if asked is None or not self._subscription.is_fetchable(their):
            return False
        fresh = time.monotonic() - asked.at <= self._local.fetch_wait + _LATE_REPLY
        return bool(fresh and self._subscription.position(their).offset >= asked.end)

    def held_back(self, place: Place) -> bool:
        """Whether the brokers last said that there are records beyond the stable end."""
        asked = self._fetcher.asked.get(TopicPartition(*place))
        return asked is not None and asked.high > asked.end

    def partitions(self, topic: str) -> int:
        """How many partitions the topic has. Raises Fatal where there is none of that name."""
        with mapped(f"look up topic {topic}"):
            found = self._client.partitions_for_topic(topic)
        if not found:
            raise Fatal(f"topic {topic} does not exist: create it, or correct the name")
        return len(found)

    def group_token(self) -> object:
        """Proof of membership as it was after the last poll. Raises Fenced when membership is lost since, or not yet there."""
        # A lost membership reads as generation -1 and member '', which the broker takes for a consumer without a group and
        # does not fence: it must never get that far.
        group = self._client.group_metadata()
        identity = (group.generation_id, group.member_id, frozenset(self._client.assignment()))
        if group.generation_id < 1 or not group.member_id or identity != self._identity:
            raise Fenced(f"this member is no longer in group {group.group_id}")
        return group

    def close(self) -> None:
        """Leave: at once for a dynamic member, by session time-out for a static one."""
        with mapped("close a consumer"):
            for client in filter(None, (self._client, self._asking)):
                client.close(autocommit=False, timeout_ms=_CLOSE * 1000)

    def _asks(self) -> KafkaConsumer:
        # A broker answers one request of a connection at a time: behind an idle fetch, a question waits until that ends.
        if self._asking is None:
            if not self._fetcher.in_flight_fetches():
                return self._client
            self._asking = connect(KafkaConsumer, {**self._config, "group_id": None, "group_instance_id": None})
        return self._asking

    def _own(self, place: Place) -> TopicPartition:
        their = TopicPartition(*place)
        if not self._subscription.is_assigned(their):
            raise Fenced(f"{place} belongs to another member")
        return their
