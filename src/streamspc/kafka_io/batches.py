"""Columns into record batches, without the library's `send`.

`send` refuses what Kafka allows (null header values, key and value both null), and costs one future per record. Here one
batch is built from columns and handed to the library's accumulator as a whole.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError
from kafka.producer.producer_batch import ProducerBatch
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.memory_records import MemoryRecordsBuilder

from streamspc.errors import BadRecord, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from streamspc.kafka_io.port import Send
    from streamspc.model import Headers

_MAGIC = 2
_LZ4 = DefaultRecordBatchBuilder.CODEC_LZ4
_HEAD = 128  # of a batch, and of its first record
_LENGTHS = 10  # of the name and the text of a header, at most
BATCH_BYTES = 900_000  # before packing; brokers take 1,048,588 after it unless told otherwise


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


def check(sends: Iterable[Send], limit: int) -> None:
    """Refuse records that no request can carry. Raises BadRecord(TOO_LARGE) before anything is sent."""
    for send in sends:
        sizes = map(_size, send.keys, send.values, send.headers or itertools.repeat(None))
        if max(sizes, default=0) > limit:
            raise BadRecord(Reason.TOO_LARGE, f"a record for {send.place.topic} is larger than kafka.request_bytes, {limit}")


def too_large(send: Send, request: int, topic: int) -> list[int]:
    """Rows that are larger than a request, or in a batch of their own, packed, larger than the topic takes."""
    safe = min(request, topic) * 0.99 - _HEAD  # what cannot be packed grows a little
    if send.headers is None and sum(max(map(len, filter(None, column)), default=0) for column in (send.keys, send.values)) < safe:
        return []
    sizes = list(map(_size, send.keys, send.values, send.headers or itertools.repeat(None)))
    return [row for row, size in enumerate(sizes) if size > request or (size > safe and _packed(send, row) > topic)]


def _packed(send: Send, row: int) -> int:
    builder = MemoryRecordsBuilder(_MAGIC, _LZ4, BATCH_BYTES)
    builder.append(0, send.keys[row], send.values[row], send.headers[row] if send.headers else [])
    builder.close()
    return len(builder.buffer())


def _size(key: bytes | None, value: bytes | None, headers: Headers | None) -> int:
    extra = sum(len(name) * 4 + len(text or b"") + _LENGTHS for name, text in headers) if headers else 0
    return len(key or b"") + len(value or b"") + extra


def build(send: Send) -> Iterator[ProducerBatch]:
    """The batches of one send, in order; each has a `Mark` for each of its records."""
    count = len(send.values)
    stamps = map(int, send.timestamps) if send.timestamps is not None else itertools.repeat(None, count)
    headers: Iterable[Headers | None] = send.headers or itertools.repeat(None, count)
    place = TopicPartition(*send.place)
    builder = None
    for row in zip(stamps, send.keys, send.values, headers, strict=True):
        if builder is None or builder.append(*row) is None:
            if builder is not None:
                yield _batch(place, builder)
            builder = MemoryRecordsBuilder(_MAGIC, _LZ4, BATCH_BYTES)
            builder.append(*row)  # the first record of a batch always fits
    if builder is not None:
        yield _batch(place, builder)


def _batch(place: TopicPartition, builder: MemoryRecordsBuilder) -> ProducerBatch:
    batch = ProducerBatch(place, builder)
    batch._record_futures = [Mark(batch.produce_future) for _ in range(batch.record_count)]  # noqa: SLF001 - what a split rebinds
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
