"""What the gate can forward. A record that no request or no topic carries goes to quarantine as a pointer to where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamspc.effect.quarantine import pointer
from streamspc.kafka_io.port import Place, Send
from streamspc.kafka_io.topics import DEFAULT_SIZE, limit
from streamspc.model import sizes, take

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streamspc.kafka_io.port import Kafka, Producer
    from streamspc.model import Batch, Bools, Headers, Ints, StreamSpec


_OUR_HEADERS = 65_536  # bytes; far more than the headers of a verdict are
_SMALLEST_REQUEST = 1_048_576  # that kafka.request_bytes may say


def limits(kafka: Kafka, spec: StreamSpec) -> dict[str, int]:
    """The largest batch of each output topic. Raises Transient, Fatal."""
    admin = kafka.admin()
    try:
        return {name: limit(plan) for name, plan in admin.describe([it for it in (spec.clean_topic, spec.quarantine_topic) if it]).items()}
    finally:
        admin.close()


def columns(topic: str, batch: Batch, rows: Ints, headers: list[Headers] | None, changed: Bools) -> Send:
    """These rows of the batch, each into the partition of its source; `changed` [n] says whose headers are not the original ones."""
    stored, fresh = batch.stored, np.flatnonzero(changed[rows])
    if stored and len(rows) < len(batch):
        stored = stored.take(rows)
    if stored and len(fresh):
        stored = stored.without(fresh)
    return Send(Place(topic, batch.partition), take(batch.keys, rows), take(batch.values, rows), headers, batch.timestamps[rows], stored)


def forwarded(
    producer: Producer, limits: Mapping[str, int], spec: StreamSpec, batch: Batch, ways: Sequence[tuple[Send, Ints]]
) -> tuple[list[Send], Ints]:
    """The sends without what is too large for its topic, pointers to it in quarantine, and its rows.

    `ways` are sends with the rows that they are made of. Without a quarantine topic nothing is taken out: sending it will fail.
    """
    sends, out = [], [np.zeros(0, np.int64)]
    for send, rows in ways:
        most = limits.get(send.place.topic, DEFAULT_SIZE)
        large = [] if spec.quarantine_topic is None or _small(batch, rows, most) else producer.too_large(send, most)
        sends.append(_without(send, large) if large else send)
        out.append(rows[large])
    pointed = np.concatenate(out)
    if spec.quarantine_topic is not None and len(pointed):
        keys, values, headers = zip(*(pointer(spec, batch, row) for row in pointed.tolist()), strict=True)
        sends.append(Send(Place(spec.quarantine_topic, batch.partition), keys, values, headers, batch.timestamps[pointed].tolist()))
    return [send for send in sends if send.values], pointed


def _small(batch: Batch, rows: Ints, most: int) -> bool:
    """Whether even with our headers these records are far smaller than what the topic and the smallest request allowed take."""
    if batch.stored is None:
        return False
    return int(sizes(batch.stored.bodies)[rows].max(initial=0)) + _OUR_HEADERS < 0.98 * min(most, _SMALLEST_REQUEST)


def _without(send: Send, rows: list[int]) -> Send:
    pick = np.setdiff1d(np.arange(len(send.values)), rows)
    headers, stamps, stored = send.headers, send.timestamps, send.stored
    return Send(
        send.place,
        take(send.keys, pick),
        take(send.values, pick),
        None if headers is None else [headers[row] for row in pick.tolist()],
        None if stamps is None else np.asarray(stamps)[pick],
        stored and stored.take(pick),
    )
