"""Operators' commands on their way into the log: one entry in control, and with it a copy in each partition of the log that obeys.

That is tallies for the charts, and verdicts for the gate; entry and copies are one transaction.

The one fenced writer of control writes it: of two commands at the same moment the earlier one is fenced, and nothing of it is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from streamspc import wire
from streamspc.bucket import watermark as marks
from streamspc.bucket.merge import scatter
from streamspc.bucket.window import Calendar
from streamspc.errors import Fatal
from streamspc.kafka_io.port import Place, Send
from streamspc.kafka_io.topics import names
from streamspc.model import END, NEVER, Lesson
from streamspc.roles.control import DEADLINE, configured
from streamspc.roles.outbox import COMMAND, LESSON

if TYPE_CHECKING:
    from streamspc.kafka_io.port import Kafka
    from streamspc.model import Command, Override, Semantics, StreamSpec, TallyTable

    Row = tuple[bytes, bytes]

OVERRIDE = b"override"  # key of the entry in control
BYTES = 7_000_000  # of a part of a lesson: a record of tallies may have 8 MiB


def same(kafka: Kafka, semantics: Semantics) -> None:
    """Raises Fatal, with the cure, where control does not hold this configuration."""
    found = configured(kafka, semantics.app)
    if found is None:
        raise Fatal(f"{names(semantics.app).control} holds no configuration yet: start the daemon first")
    if found.hash != semantics.hash():
        raise Fatal(
            f"{names(semantics.app).control} holds configuration {found.hash}, the file is {semantics.hash()}: give the file that runs"
        )


def give(kafka: Kafka, semantics: Semantics, command: Command, lesson: TallyTable | None = None) -> None:
    """Write a command; each partition of tallies gets its part of the lesson.

    Raises Fenced where another writer of control has begun since; Transient where Kafka does not answer; Fatal for a lesson too large.
    """
    value, many = msgspec.json.encode(command), semantics.chart_partitions
    copies = [(COMMAND, value)] * many if lesson is None else _parts(command, lesson, many)
    _write(kafka, semantics, (COMMAND, value), names(semantics.app).tallies, copies)


def override(kafka: Kafka, semantics: Semantics, entry: Override) -> None:
    """Write an override. Raises as `give` does."""
    value, topic = msgspec.json.encode(entry), names(semantics.app).verdicts
    _write(kafka, semantics, (OVERRIDE, value), topic, [(entry.stream.encode(), value)] * semantics.chart_partitions)


def _write(kafka: Kafka, semantics: Semantics, entry: Row, topic: str, copies: list[Row]) -> None:
    control = names(semantics.app).control
    producer = kafka.producer(control)
    try:
        same(kafka, semantics)  # before that, another configuration's first start could still have come in between
        rows = [(Place(control, 0), entry), *((Place(topic, at), copy) for at, copy in enumerate(copies))]
        producer.transact([Send(place, [key], [value]) for place, (key, value) in rows], {}, None, None, DEADLINE)
    finally:
        producer.close()


def _parts(command: Command, lesson: TallyTable, partitions: int) -> list[Row]:
    parts = [(LESSON, wire.encode_lesson(Lesson(command, part))) for part in scatter(lesson, command.stream, partitions)]
    if (largest := max(len(data) for _, data in parts)) > BYTES:
        raise Fatal(f"the lesson has {largest:,} bytes for one chart partition, of {BYTES:,} that a record may have: choose fewer windows")
    return parts


def beyond(kafka: Kafka, semantics: Semantics, spec: StreamSpec) -> int:
    """The start of the first window beyond every watermark that observe has committed; NEVER where there is none yet.

    No window from there on can have closed in any chart partition, but where all source partitions are idle and time goes on without them.
    """
    consumer = kafka.subscribe(f"{semantics.app}.{spec.name}.observe", [spec.topic])
    try:
        places = [Place(spec.topic, partition) for partition in range(consumer.partitions(spec.topic))]
        committed = [one for one in consumer.committed(places).values() if one is not None]
    finally:
        consumer.close()
    found = [marks.decode(one.metadata, spec.name, semantics.hash()) for one in committed]
    known = [mark for mark in found if mark not in (NEVER, END)]
    return first_window(spec, max(known) + 1) if known else NEVER


def first_window(spec: StreamSpec, instant: int) -> int:
    """The start of the first window that does not begin before this instant."""
    calendar = Calendar(spec.window_us, spec.timezone)
    start = int(calendar.start(np.array([instant], np.int64))[0])
    return start if start == instant else calendar.after(start)
