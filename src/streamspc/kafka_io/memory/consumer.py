"""The consumer of the in-memory log."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from streamspc.errors import Fatal, Fenced, Transient
from streamspc.kafka_io.memory.groups import Membership
from streamspc.model import Batch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from streamspc.kafka_io.memory.log import Log
    from streamspc.kafka_io.port import Committed, Place

_STABLE_WAIT = 1.0  # seconds that `committed` waits for an open transaction


class MemoryConsumer:
    """Implements port `Consumer`: a member of `group`, or a reader of `places`."""

    def __init__(self, log: Log, group: str = "", member: str = "", places: Sequence[Place] = ()) -> None:
        """Made by `MemoryKafka`, under the log's lock."""
        self._log, self._group, self._member = log, group, member
        self._seen = 0  # the group's generation that this member knows
        self._generation = 0 if group else 1
        self._positions: dict[Place, int | None] = {place: log.partitions[place].start for place in places}
        self._paused: set[Place] = set()
        self._asked: dict[Place, int] = {}

    def poll(self, timeout: float, max_records: int) -> list[Batch]:
        """Batches, one for each partition that had records. Empty after an assignment changed: see `generation`."""
        end = time.monotonic() + timeout
        with self._log.changed:
            while True:
                if self._rejoined():
                    return []
                batches = self._take(max_records)
                left = end - time.monotonic()
                if batches or left <= 0:
                    return batches
                self._log.changed.wait(left)

    def _rejoined(self) -> bool:
        if not self._group:
            return False
        group = self._log.group(self._group)
        if self._member not in group.members:
            raise Fenced(f"{self._member} is no longer in group {self._group}")
        if group.generation == self._seen:
            return False
        own = group.assigned(self._member, {topic: plan.partitions for topic, plan in self._log.plans.items()})
        self._positions = {place: self._positions[place] if place in self._positions else self._stored(place) for place in own}
        self._paused &= own
        self._asked.clear()
        self._seen = group.generation
        self._generation += 1
        return True

    def _stored(self, place: Place) -> int | None:
        try:
            stored = self._log.committed(self._group, place)
        except Transient:
            return None
        return stored.offset if stored else None

    def _take(self, max_records: int) -> list[Batch]:
        batches, left = [], max_records
        for place in list(self._positions):
            if place in self._paused or left <= 0:
                continue
            batch = self._take_from(place, left)
            if len(batch):
                batches.append(batch)
                left -= len(batch)
                self._positions[place] = self._positions.pop(place)  # it goes to the end of the queue
        return batches

    def _take_from(self, place: Place, limit: int) -> Batch:
        partition, at = self._log.partitions[place], self.position(place)
        if not partition.start <= at <= len(partition.entries):
            raise Transient(f"offset {at} of {place} is out of range")
        end = self._asked[place] = max(at, partition.stable_end())
        offsets: list[int] = []
        while at < end and (len(offsets) < limit or not partition.entries[at].visible):
            if partition.entries[at].visible:
                offsets.append(at)
            at += 1
        self._positions[place] = at
        rows = [partition.entries[offset] for offset in offsets]
        return Batch(
            topic=place.topic,
            partition=place.partition,
            offsets=np.array(offsets, np.int64),
            timestamps=np.array([row.timestamp for row in rows], np.int64),
            keys=[row.key for row in rows],
            values=[row.value for row in rows],
            headers=[row.headers for row in rows] if any(row.headers for row in rows) else None,
            next=at,
        )

    def assignment(self) -> frozenset[Place]:
        """The partitions of this member, as it learnt at its last poll."""
        return frozenset(self._positions)

    def generation(self) -> int:
        """Changes with each assignment."""
        return self._generation

    def committed(self, places: Iterable[Place]) -> dict[Place, Committed | None]:
        """Committed offsets. Raises Transient when an open transaction still holds one after a moment."""
        if not self._group:
            raise Fatal("a reader without a group has no committed offsets")
        places, end = list(places), time.monotonic() + _STABLE_WAIT
        with self._log.changed:
            while True:
                try:
                    return {place: self._log.committed(self._group, place) for place in places}
                except Transient:
                    if not self._log.changed.wait(end - time.monotonic()):
                        raise

    def position(self, place: Place) -> int:
        """The next offset to be read. Raises Fenced for a place of another member, Fatal before it is known."""
        position = self._positions[self._own(place)]
        if position is None:
            raise Fatal(f"{place} has no position yet: seek first")
        return position

    def seek(self, place: Place, offset: int) -> None:
        """Go on from `offset`. Raises Fenced for a place of another member."""
        self._positions[self._own(place)] = offset

    def pause(self, places: Iterable[Place]) -> None:
        """Hand over nothing of these until `resume`. Raises Fenced for a place of another member."""
        self._paused |= {self._own(place) for place in places}

    def resume(self, places: Iterable[Place]) -> None:
        """End `pause`. Raises Fenced for a place of another member."""
        self._paused -= {self._own(place) for place in places}

    def bounds(self, places: Iterable[Place]) -> dict[Place, tuple[int, int]]:
        """First offset and stable end. Raises Fatal where there is no such topic."""
        with self._log.changed:
            found = {}
            for place in places:
                self._log.plan(place.topic)
                partition = self._log.partitions[place]
                found[place] = (partition.start, max(partition.start, partition.stable_end()))
            return found

    def offsets_at(self, places: Iterable[Place], time_ms: int) -> dict[Place, int]:
        """The first offset whose Kafka timestamp is not before `time_ms`, the stable end where there is none. Raises Fatal."""
        with self._log.changed:
            found = {}
            for place, (first, end) in self.bounds(places).items():
                rows = self._log.partitions[place].entries
                found[place] = next((at for at in range(first, end) if rows[at].visible and rows[at].timestamp >= time_ms), end)
            return found

    def at_end(self, place: Place) -> bool:
        """Whether it is fetchable, and nothing followed when last asked."""
        at = self._positions.get(place)
        return at is not None and place not in self._paused and place in self._asked and at >= self._asked[place]

    def held_back(self, place: Place) -> bool:
        """Whether there are entries beyond the stable end."""
        with self._log.changed:
            return self._log.partitions[place].stable_end() < len(self._log.partitions[place].entries)

    def partitions(self, topic: str) -> int:
        """How many partitions the topic has. Raises Fatal where there is none of that name."""
        return self._log.plan(topic).partitions

    def group_token(self) -> object:
        """Proof of membership as it was after the last poll. Raises Fenced when membership is lost since, or not yet there."""
        token = Membership(self._group, self._member, self._seen)
        with self._log.changed:
            if self._group:
                self._log.group(self._group).check(token)
        return token

    def close(self) -> None:
        """Leave the group."""
        with self._log.changed:
            if self._group:
                self._log.group(self._group).leave(self._member)
                self._log.changed.notify_all()

    def _own(self, place: Place) -> Place:
        if place not in self._positions:
            raise Fenced(f"{place} belongs to another member")
        return place
