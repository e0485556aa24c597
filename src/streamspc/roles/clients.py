"""What the roles share in handling their clients and batches."""

from __future__ import annotations

import contextlib
import uuid
from typing import TYPE_CHECKING, NamedTuple

import structlog

from streamspc.bucket import watermark as marks
from streamspc.errors import Fatal
from streamspc.kafka_io.port import Place
from streamspc.model import NEVER, Batch

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamspc.kafka_io.port import Consumer
    from streamspc.model import KafkaLocal

log = structlog.get_logger()


class Start(NamedTuple):
    """Where a role begins in a source partition."""

    offset: int
    watermark: int  # NEVER at the first start
    committed: bool
    lost: int  # offsets that the topic's retention has deleted before they were read


def transactional_id(group: str, local: KafkaLocal) -> str:
    """Stable for a static member, so that its next life aborts at once what it left open; else unique, fenced by the group."""
    return f"{group}.{local.instance or uuid.uuid4().hex}"


def close_all(role: object, *clients: str) -> None:
    """Close these attributes where they are there. Errors are swallowed: the clients are spent, and new ones will be made."""
    for attribute in clients:
        client = getattr(role, attribute, None)
        if client is not None:
            with contextlib.suppress(Exception):
                client.close()
            setattr(role, attribute, None)


def starts(consumer: Consumer, stream: str, config: str, worked_before: Callable[[], bool]) -> dict[Place, Start]:
    """Begin every assigned source partition at its committed offset, with the watermark that was committed with it.

    Raises Fatal, with the cure, for metadata that is not this stream's, where the partition is shorter than what was committed, and
    where the group has `worked_before` but no partition has an offset: Kafka forgets those of a group that nobody uses for a week.
    """
    found = {}
    places = sorted(consumer.assignment())
    committed = consumer.committed(places)  # before the bounds: another owner may have been at work until just now
    if places and not any(committed.values()):
        _refuse_to_begin_again(consumer, places[0].topic, worked_before)
    for place, (first, end) in consumer.bounds(places).items():
        known = committed[place]
        if known is None:
            found[place] = Start(first, NEVER, committed=False, lost=0)
        elif known.offset > end:
            raise Fatal(
                f"{place.topic}-{place.partition} ends at offset {end}, but offset {known.offset} was committed: the topic was made anew, "
                "or has lost records. Start again under another `app` name"
            )
        else:
            watermark = marks.decode(known.metadata, stream, config)
            found[place] = Start(max(first, known.offset), watermark, committed=True, lost=max(0, first - known.offset))
        if found[place].lost:
            log.error("records were deleted before they were read", topic=place.topic, partition=place.partition, offsets=found[place].lost)
        consumer.seek(place, found[place].offset)
    consumer.resume(places)
    return found


def _refuse_to_begin_again(consumer: Consumer, topic: str, worked_before: Callable[[], bool]) -> None:
    everywhere = [Place(topic, partition) for partition in range(consumer.partitions(topic))]
    if not any(consumer.committed(everywhere).values()) and worked_before():
        raise Fatal(
            f"the committed offsets of {topic} are gone, though its records were worked on before: Kafka deletes those of a group without "
            "members (offsets.retention.minutes). To begin again would write every record twice. Start under another `app` name"
        )


def head(batch: Batch, keep: int) -> Batch:
    """The first `keep` records of a longer batch; `next` is the offset of the first one left out."""
    headers = None if batch.headers is None else batch.headers[:keep]
    columns = (batch.offsets[:keep], batch.timestamps[:keep], batch.keys[:keep], batch.values[:keep], headers)
    stored = batch.stored and batch.stored.part(0, keep)
    return Batch(batch.topic, batch.partition, *columns, int(batch.offsets[keep]), stored)
