"""A range of a topic, read once: no group, nothing written, read committed. What `check` reads where it reads no file."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from streamspc.errors import Fatal, Transient
from streamspc.kafka_io.port import Place
from streamspc.model import Batch
from streamspc.roles.observe import up_to

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

    from streamspc.kafka_io.port import Consumer, Kafka

POLL = 0.5  # seconds
BATCH = 20_000  # records
PATIENCE = 60.0  # seconds without progress before reading is given up


class At(NamedTuple):
    """An instant: the offset of the first record whose Kafka timestamp, in milliseconds, is not before it."""

    time: int


class Offsets(NamedTuple):
    """An offset for each partition, in their order."""

    offsets: tuple[int, ...]


Where = Literal["earliest", "latest"] | At | Offsets


@dataclass(slots=True)
class Span:
    """An open range of a topic: offsets from `begins` up to and without `ends`, by partition."""

    consumer: Consumer
    topic: str
    begins: dict[int, int]
    ends: dict[int, int]
    _read: dict[int, int]

    @classmethod
    def open(cls, kafka: Kafka, topic: str, begin: Where, end: Where) -> Span:
        """Find the offsets and go to the first of them. Raises Transient; Fatal where the topic or the range does not exist."""
        looking = kafka.read([Place(topic, 0)])
        try:
            places = [Place(topic, partition) for partition in range(looking.partitions(topic))]
        finally:
            looking.close()
        consumer = kafka.read(places)
        try:
            bounds = consumer.bounds(places)
            begins, ends = (_offsets(consumer, bounds, where) for where in (begin, end))
            _check(bounds, begins, ends)
            for place, offset in begins.items():
                consumer.seek(place, offset)
        except BaseException:
            consumer.close()
            raise
        first, last = ({place.partition: offset for place, offset in found.items()} for found in (begins, ends))
        return cls(consumer, topic, first, last, dict(first))

    def batches(self, ahead: Callable[[], Container[int]]) -> Iterator[Batch]:
        """The records in batches, each partition in its order; partitions that are in `ahead()` wait.

        Where offsets at the end of a partition hold no record, an empty batch ends it: `next` of a partition's last batch is its end or
        beyond, and so every partition has one. Raises Transient, Fatal.
        """
        yield from (self._rest(partition) for partition, offset in self._read.items() if offset >= self.ends[partition])
        until = time.monotonic() + PATIENCE
        while unread := [partition for partition, offset in self._read.items() if offset < self.ends[partition]]:
            self._pace(ahead())
            for batch in self.consumer.poll(POLL, BATCH):
                wanted = up_to(batch, self.ends[batch.partition]) if self._read[batch.partition] < self.ends[batch.partition] else None
                if wanted is not None:
                    until, self._read[batch.partition] = time.monotonic() + PATIENCE, wanted.next
                    yield wanted
            for partition in unread:
                if self._read[partition] < self.ends[partition] <= self.consumer.position(Place(self.topic, partition)):
                    self._read[partition] = self.ends[partition]
                    yield self._rest(partition)
            if time.monotonic() > until:
                raise Transient(f"{self.topic}-{unread[0]} cannot be read beyond offset {self._read[unread[0]]}")

    def _pace(self, ahead: Container[int]) -> None:
        """Fetch from those alone that are wanted now."""
        for partition, offset in self._read.items():
            wanted = offset < self.ends[partition] and partition not in ahead
            (self.consumer.resume if wanted else self.consumer.pause)([Place(self.topic, partition)])

    def _rest(self, partition: int) -> Batch:
        nothing = np.zeros(0, np.int64)
        return Batch(self.topic, partition, nothing, nothing, [], [], None, max(self.ends[partition], self._read[partition]))

    @property
    def name(self) -> str:
        """For people."""
        return f"topic {self.topic}"

    @property
    def size(self) -> int:
        """Offsets in the range."""
        return sum(self.ends.values()) - sum(self.begins.values())

    def position(self) -> int:
        """How many of them were read."""
        return sum(min(offset, self.ends[partition]) - self.begins[partition] for partition, offset in self._read.items())

    def close(self) -> None:
        """Close the connection."""
        self.consumer.close()


def _offsets(consumer: Consumer, bounds: dict[Place, tuple[int, int]], where: Where) -> dict[Place, int]:
    if isinstance(where, Offsets):
        if len(where.offsets) != len(bounds):
            topic = next(iter(bounds)).topic
            raise Fatal(f"{len(where.offsets)} offsets for {topic}, which has {len(bounds)} partitions: one for each is expected")
        return dict(zip(bounds, where.offsets, strict=True))
    if isinstance(where, At):
        found = consumer.offsets_at(bounds, where.time)
        return {place: min(found[place], end) for place, (_, end) in bounds.items()}
    return {place: bound[where == "latest"] for place, bound in bounds.items()}


def _check(bounds: dict[Place, tuple[int, int]], begins: dict[Place, int], ends: dict[Place, int]) -> None:
    """Raises Fatal where a partition does not hold the range."""
    for place, (first, end) in bounds.items():
        name = f"{place.topic}-{place.partition}"
        if begins[place] < first:
            raise Fatal(f"{name} begins at offset {first}: what lies from {begins[place]} on was deleted by retention; begin at {first}")
        if ends[place] > end:
            raise Fatal(f"{name} ends at offset {end}, with what is committed, and not at {ends[place]}")
        if begins[place] > ends[place]:
            raise Fatal(f"{name}: the range begins at offset {begins[place]} and ends before, at {ends[place]}")
