"""What the gate of a stream knows now, and what waits before it. Nothing is written, and no group is joined."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from streamspc.decide.book import Book
from streamspc.kafka_io.port import Place
from streamspc.kafka_io.topics import names
from streamspc.model import Judged, Override, Rejection, VerdictRecord
from streamspc.roles.control import read_to_end

if TYPE_CHECKING:
    from streamspc.kafka_io.port import Kafka
    from streamspc.model import Semantics, StreamSpec

PATIENCE = 60.0  # seconds without progress before reading the verdicts is given up


class Waiting(NamedTuple):
    """How far the gate has come in a source partition, and where that ends: offsets."""

    partition: int
    offset: int
    end: int


def book(kafka: Kafka, semantics: Semantics, spec: StreamSpec) -> Book:
    """The gate's book, from all verdicts."""
    found = Book(spec, semantics.chart_partitions)
    places = [Place(names(semantics.app).verdicts, partition) for partition in range(semantics.chart_partitions)]
    reader = kafka.read(places)
    try:
        for batch in read_to_end(reader, places, PATIENCE):
            for key, value in zip(batch.keys, batch.values, strict=True):
                record = msgspec.json.decode(value or b"", type=VerdictRecord) if key == spec.name.encode() else None
                if isinstance(record, Rejection | Judged | Override):
                    found.take(batch.partition, record)
    finally:
        reader.close()
    return found


def waiting(kafka: Kafka, semantics: Semantics, spec: StreamSpec) -> list[Waiting]:
    """Each source partition."""
    consumer = kafka.subscribe(f"{semantics.app}.{spec.name}.gate", [spec.topic])
    try:
        places = [Place(spec.topic, partition) for partition in range(consumer.partitions(spec.topic))]
        committed, bounds = consumer.committed(places), consumer.bounds(places)
    finally:
        consumer.close()
    return [
        Waiting(place.partition, found.offset if (found := committed[place]) else bounds[place][0], bounds[place][1]) for place in places
    ]
