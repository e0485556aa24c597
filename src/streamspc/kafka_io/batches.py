"""Sends into record batches, without the library's `send`.

`send` refuses what Kafka allows (null header values, key and value both null), and costs one future per record. Here one
batch is built from columns and handed to the library's accumulator as a whole.
"""

from __future__ import annotations

import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError
from kafka.producer.producer_batch import ProducerBatch

from streamspc.errors import BadRecord, Reason
from streamspc.kafka_io.building import LONGEST, Built, Records, as_it_came, body, framed, header
from streamspc.model import sizes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from streamspc.kafka_io.port import Send
    from streamspc.model.columns import Ints

_HEAD = 128  # of a batch, and of its first record
BATCH_BYTES = 900_000  # before packing; brokers take 1,048,588 after it unless told otherwise
WHOLE_BYTES = 300_000  # a batch of so many bytes, unpacked, goes on as it came; smaller ones are cheaper to join than to send one by one


class Mark:
    """Follows one record to its batch, also when the broker's limit makes the library split the batch."""

    __slots__ = ("future",)

    def __init__(self, future: Any) -> None:
        """Start with the batch's own future."""
        self.future = future

    def rebind(self, future: Any, _index: int) -> None:
        """The library moved the record to another batch; whoever waits for the old one is woken."""
        self.future._latch.set()  # noqa: SLF001 - as the library's own futures do
        self.future = future


def too_large(send: Send, request: int, topic: int) -> list[int]:
    """Rows that are larger than a request, or in a batch of their own, packed, larger than the topic takes."""
    safe = min(request, topic) * 0.99 - _HEAD  # what cannot be packed grows a little
    size = _sizes(send)
    return [row for row in np.flatnonzero(size > safe).tolist() if size[row] > request or _packed(send, row) > topic]


def _packed(send: Send, row: int) -> int:
    headers = send.headers[row] if send.headers else []
    return Built(framed([body(send.keys[row], send.values[row], headers)], np.zeros(1, np.int64))).size_in_bytes()


def _sizes(send: Send) -> Ints:
    """Bytes of each record, at most but for a few. [n]."""
    size: Ints = np.maximum(sizes(send.keys), 0) + np.maximum(sizes(send.values), 0)
    if send.headers is not None:
        size += np.array([sum(len(header(*it)) for it in headers) for headers in send.headers], np.int64)
    return size


def build(send: Send, request: int) -> Iterator[ProducerBatch]:
    """The batches of one send, in order; each has a `Mark` for each of its records.

    Raises BadRecord(TOO_LARGE) for a record that no request can carry.
    """
    count = len(send.values)
    stamps = np.full(count, int(time.time() * 1000)) if send.timestamps is None else np.asarray(send.timestamps, np.int64)
    at = 0
    for pack in send.stored.packs if send.stored else ():
        if pack.size >= WHOLE_BYTES:
            yield from _made(send, stamps, request, at, pack.first)
            yield _batch(send, as_it_came(pack))
            at = pack.first + pack.records
    yield from _made(send, stamps, request, at, count)


def _made(send: Send, stamps: Ints, request: int, begin: int, end: int) -> Iterator[ProducerBatch]:
    """Batches of the records from `begin` up to `end`, each of BATCH_BYTES at most or of one record."""
    if begin == end:
        return
    bodies = _bodies(send, begin, end)
    size = np.array([len(text) + LONGEST for text in bodies], np.int64)
    if size.max() > request:
        raise BadRecord(Reason.TOO_LARGE, f"a record for {send.place.topic} is larger than kafka.request_bytes, {request}")
    behind = np.cumsum(size)
    cuts = [0]
    while cuts[-1] < len(bodies):
        before = int(behind[cuts[-1] - 1]) if cuts[-1] else 0
        cuts.append(max(cuts[-1] + 1, int(np.searchsorted(behind, before + BATCH_BYTES, side="right"))))
    for first, last in pairwise(cuts):
        yield _batch(send, framed(bodies[first:last], stamps[begin + first : begin + last]))


def _bodies(send: Send, begin: int, end: int) -> list[bytes]:
    """As they were polled; those that were not, or have other headers now, are made."""
    stored = send.stored.bodies[begin:end].tolist() if send.stored else [None] * (end - begin)
    if None not in stored:
        return [text for text in stored if text is not None]
    found = []
    for row, text in enumerate(stored, begin):
        found.append(body(send.keys[row], send.values[row], send.headers[row] if send.headers else []) if text is None else text)
    return found


def _batch(send: Send, records: Records) -> ProducerBatch:
    batch = ProducerBatch(TopicPartition(*send.place), Built(records))
    batch._record_futures = [Mark(batch.produce_future) for _ in range(records.n)]  # noqa: SLF001 - what a split rebinds
    return batch


def enqueue(producer: Any, batch: ProducerBatch) -> list[Mark]:
    """Hand a batch to the producer; its sender finds it at the next wake-up."""
    accumulator, place = producer._accumulator, batch.topic_partition  # noqa: SLF001 - contract-tested with the pinned version
    marks: list[Mark] = batch._record_futures  # noqa: SLF001
    producer._transaction_manager.maybe_add_partition_to_transaction(place)  # noqa: SLF001
    with accumulator._tp_lock(place):  # noqa: SLF001
        accumulator._incomplete.add(batch)  # noqa: SLF001
        accumulator._batches[place].append(batch)  # noqa: SLF001
    return marks


def await_acknowledged(marks: Iterable[Mark], remaining: Callable[[], float]) -> None:
    """Wait until the brokers have stored every record, and look at each answer. Raises the library's errors."""
    marks = list(marks)
    while waiting := next((mark.future for mark in marks if not mark.future.is_done), None):
        if not waiting.wait(remaining()):
            raise KafkaTimeoutError("the brokers did not acknowledge in time")
    for future in {mark.future for mark in marks}:
        failure = future.value[2]
        if failure is not None:
            raise failure(0)
