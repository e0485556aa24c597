"""Operators' commands on their way into the log: one entry in control and, in the same transaction, a copy in each partition of tallies.

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
    from streamspc.model import Command, Semantics, StreamSpec, TallyTable

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
    topics = names(semantics.app)
    producer = kafka.producer(topics.control)
    try:
        same(kafka, semantics)  # before that, another configuration's first start could still have come in between
        value, places = msgspec.json.encode(command), [Place(topics.tallies, i) for i in range(semantics.chart_partitions)]
        copies = [(COMMAND, value)] * len(places) if lesson is None else _parts(command, lesson, len(places))
        sends = [Send(place, [key], [value]) for place, (key, value) in zip(places, copies, strict=True)]
        producer.transact([Send(Place(topics.control, 0), [COMMAND], [value]), *sends], {}, None, None, DEADLINE)
    finally:
        producer.close()


def _parts(command: Command, lesson: TallyTable, partitions: int) -> list[tuple[bytes, bytes]]:
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
