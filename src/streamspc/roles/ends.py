"""Where the log ends for `--until-end`: the offsets at start, or those that a producer leaves in a file when it has finished."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import msgspec

from streamspc.errors import Fatal
from streamspc.kafka_io.port import Place

if TYPE_CHECKING:
    from pathlib import Path

    from streamspc.kafka_io.port import Consumer


class Ends(Protocol):
    """Tells where each partition of a topic ends."""

    def of(self, topic: str, consumer: Consumer) -> dict[Place, int] | None:
        """End offsets by partition; None while they are not known yet. Once known they never change."""


@dataclass(slots=True)
class AtStart:
    """The stable end offsets when first asked: what is there at start is the whole log. Threads may share it: all get the same."""

    known: dict[str, dict[Place, int]] = field(default_factory=dict)

    def of(self, topic: str, consumer: Consumer) -> dict[Place, int] | None:
        """End offsets by partition."""
        if topic not in self.known:
            places = [Place(topic, partition) for partition in range(consumer.partitions(topic))]
            self.known.setdefault(topic, {place: end for place, (_, end) in consumer.bounds(places).items()})
        return self.known[topic]


@dataclass(slots=True)
class FromFile:
    """End offsets from a file `{"topic": [end of partition 0, ...]}` that appears (by rename) when the producer has finished."""

    path: Path
    known: dict[str, dict[Place, int]] = field(default_factory=dict)

    def of(self, topic: str, consumer: Consumer) -> dict[Place, int] | None:
        """End offsets by partition, None until the file is there. Raises Fatal when it does not fit the topic."""
        if topic in self.known:
            return self.known[topic]
        if not self.path.exists():
            return None
        try:
            ends = msgspec.json.decode(self.path.read_bytes(), type=dict[str, list[int]])[topic]
        except (msgspec.DecodeError, KeyError) as error:
            raise Fatal(f'{self.path}: expected {{"{topic}": [end offset of each partition]}}, found {error}') from None
        if len(ends) != consumer.partitions(topic):
            raise Fatal(f"{self.path}: {len(ends)} end offsets for {topic}, which has {consumer.partitions(topic)} partitions")
        return self.known.setdefault(topic, {Place(topic, partition): end for partition, end in enumerate(ends)})
