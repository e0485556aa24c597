"""Operators' commands on their way into the log: one entry in control and, in the same transaction, a copy in each partition of tallies.

The one fenced writer of control writes it: of two commands at the same moment the earlier one is fenced, and nothing of it is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from streamspc.bucket import watermark as marks
from streamspc.bucket.window import Calendar
from streamspc.errors import Fatal
from streamspc.kafka_io.port import Place, Send
from streamspc.kafka_io.topics import names
from streamspc.model import END, NEVER
from streamspc.roles.control import DEADLINE, configured
from streamspc.roles.outbox import COMMAND

if TYPE_CHECKING:
    from streamspc.kafka_io.port import Kafka
    from streamspc.model import Command, Semantics, StreamSpec


def same(kafka: Kafka, semantics: Semantics) -> None:
    """Raises Fatal, with the cure, where control does not hold this configuration."""
    found = configured(kafka, semantics.app)
    if found is None:
        raise Fatal(f"{names(semantics.app).control} holds no configuration yet: start the daemon first")
    if found.hash != semantics.hash():
        raise Fatal(
            f"{names(semantics.app).control} holds configuration {found.hash}, the file is {semantics.hash()}: give the file that runs"
        )


def give(kafka: Kafka, semantics: Semantics, command: Command) -> None:
    """Write a command. Raises Fenced where another writer of control has begun since; Transient where Kafka does not answer."""
    topics = names(semantics.app)
    producer = kafka.producer(topics.control)
    try:
        same(kafka, semantics)  # before that, another configuration's first start could still have come in between
        value = msgspec.json.encode(command)
        places = [Place(topics.control, 0), *(Place(topics.tallies, i) for i in range(semantics.chart_partitions))]
        producer.transact([Send(place, [COMMAND], [value]) for place in places], {}, None, None, DEADLINE)
    finally:
        producer.close()


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
