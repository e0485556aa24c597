"""The control log at start: the configuration's first version is an entry there, and a process with another one does not start."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import msgspec

from streamspc.errors import Fatal, Fenced, Transient
from streamspc.kafka_io.port import Place, Send
from streamspc.kafka_io.topics import names
from streamspc.model import Configured, ControlRecord, Semantics
from streamspc.roles.pulse import LONG, Pulse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streamspc.kafka_io.port import Consumer, Kafka
    from streamspc.model import Batch

DEADLINE = 30.0  # seconds for the first entry, and for reading the log
FIRST_REST, LONGEST_REST = 0.5, 8.0  # seconds: the wait of one who was fenced at the first entry is drawn from [0, rest)


def read_to_end(consumer: Consumer, places: list[Place], deadline: float, pulse: Pulse | None = None) -> Iterator[Batch]:
    """Batches of these partitions from the consumer's positions up to the stable end that they have now. Beats `pulse` on the way.

    Raises Transient when the end is not reached in `deadline` seconds without progress.
    """
    pulse = pulse or Pulse()
    ends = {place: end for place, (_, end) in consumer.bounds(places).items()}
    until = time.monotonic() + deadline
    while any(consumer.position(place) < ends[place] for place in places):
        if time.monotonic() > until:
            raise Transient(f"cannot read {', '.join(sorted({place.topic for place in places}))} to the end")
        pulse.beat(LONG)
        for batch in consumer.poll(0.2, 10_000):
            until = time.monotonic() + deadline
            yield batch


def configured(kafka: Kafka, app: str) -> Configured | None:
    """The latest version of the semantic configuration, None before the first start."""
    return next((entry for entry in reversed(entries(kafka, app)) if isinstance(entry, Configured)), None)


def entries(kafka: Kafka, app: str) -> list[ControlRecord]:
    """Everything in the control log, oldest first. Raises Fatal for an entry of another release."""
    place = Place(names(app).control, 0)
    consumer = kafka.read([place])
    found: list[ControlRecord] = []
    try:
        for batch in read_to_end(consumer, [place], DEADLINE):
            found += [_entry(place, int(offset), value) for offset, value in zip(batch.offsets, batch.values, strict=True)]
    finally:
        consumer.close()
    return found


def _entry(place: Place, offset: int, value: bytes | None) -> ControlRecord:
    try:
        entry: ControlRecord = msgspec.json.decode(value or b"", type=ControlRecord)
    except msgspec.MsgspecError as error:
        raise Fatal(f"{place.topic} offset {offset} cannot be read ({error}): a newer streamspc wrote it. Start that version") from None
    return entry


def ensure(kafka: Kafka, semantics: Semantics, difference: Callable[[Semantics, Semantics], list[str]]) -> None:
    """Write the first version, or find that control holds this very one.

    Raises Fatal when control holds another configuration: the message says what differs and the cure.
    """
    found, rest = configured(kafka, semantics.app), FIRST_REST
    while found is None:
        try:
            found = _first(kafka, semantics)
        except Fenced:  # another process begins in the same moment; in step with it, each would fence the other for ever
            time.sleep(random.uniform(0.0, rest))  # noqa: S311 - not a secret
            rest = min(LONGEST_REST, 2 * rest)
            found = configured(kafka, semantics.app)
    if found.hash != semantics.hash():
        lines = "\n".join(f"  {line}" for line in difference(found.semantics, semantics))
        raise Fatal(
            f"{names(semantics.app).control} holds configuration {found.hash}, this process has {semantics.hash()}:\n{lines}\n"
            "Start with the configuration that the log holds, or give this one an `app` name of its own."
        )


def _first(kafka: Kafka, semantics: Semantics) -> Configured | None:
    topics = names(semantics.app)
    producer = kafka.producer(topics.control)
    try:
        if (found := configured(kafka, semantics.app)) is not None:
            return found
        entry = Configured(semantics=semantics, hash=semantics.hash())
        places = [Place(topics.control, 0)]
        places += [Place(topic, i) for topic in (topics.tallies, topics.verdicts) for i in range(semantics.chart_partitions)]
        value = msgspec.json.encode(entry)
        producer.transact([Send(place, [b"configured"], [value]) for place in places], {}, None, None, DEADLINE)
        return entry
    finally:
        producer.close()
