"""The producer of the port on kafka-python: one transaction in one call, by a recipe that leaves the library no way to lie.

Left to itself the library reports a commit as done although a batch expired or the broker had timed the transaction out. So
nothing may be outstanding when the commit begins: every batch is acknowledged, and every answer looked at, before the
offsets are added. None of the library's transactional calls has a time-out; here each waits for the same deadline. After
any error the producer is closed, since the library carries offsets of an aborted transaction into the next one.
"""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any

import kafka.producer.kafka as library
from kafka import KafkaProducer, TopicPartition
from kafka.errors import KafkaTimeoutError
from kafka.structs import ConsumerGroupMetadata, OffsetAndMetadata

from streamspc.errors import Fatal, Fenced
from streamspc.kafka_io import batches
from streamspc.kafka_io.connect import connect
from streamspc.kafka_io.faults import mapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from streamspc.kafka_io.port import Committed, Consumer, Place, Send
    from streamspc.kafka_io.steps import At

_CLOSE = 1.0  # seconds


class _Quiet(KafkaProducer):  # type: ignore[misc]  # the library has no types
    def __del__(self) -> None:
        """Not the library's: that one silences the logger of all producers. Ours are closed by hand."""


class PythonProducer:
    """Implements port `Producer`. One thread uses it."""

    def __init__(self, config: Mapping[str, Any], at: At) -> None:
        """Connect, fence older holders of the transactional id, abort what they left. Raises Transient, Fenced, Fatal."""
        self._at = at
        self._limit: int = config["max_request_size"]
        self._closed = False
        with mapped("connect a producer"):
            self._client = connect(_Quiet, config)
        try:
            with mapped(f"take over transactional id {config['transactional_id']}"):
                self._client.init_transactions()
        except BaseException:
            self.close()
            raise

    def transact(
        self, sends: Sequence[Send], offsets: Mapping[Place, Committed], consumer: Consumer | None, token: object, deadline: float
    ) -> None:
        """All of it or nothing, within `deadline` seconds.

        Raises BadRecord, before anything is sent, for a record that no request can carry; Transient, Fenced or Fatal
        otherwise: then the producer is closed, and the outcome is known to whoever opens the transactional id next.
        """
        if self._closed:
            raise Fenced("this producer is spent: connect again")
        if offsets and (consumer is None or not isinstance(token, ConsumerGroupMetadata)):
            raise Fatal("offsets need the consumer and its group token")
        built = [batch for send in sends for batch in batches.build(send, self._limit)]
        try:
            with mapped("transaction"):
                self._transact(built, offsets, token, _until(deadline))
        except Exception:
            self.close()
            raise

    def too_large(self, send: Send, limit: int) -> list[int]:
        """Rows that no request, or no topic with that limit, can carry, packed as they will be."""
        return batches.too_large(send, self._limit, limit)

    def _transact(self, built: Sequence[Any], offsets: Mapping[Place, Committed], token: object, remaining: Callable[[], float]) -> None:
        client, manager = self._client, self._client._transaction_manager  # noqa: SLF001 - contract-tested with the pinned version
        # 1. Nothing is open; an empty transaction is none.
        self._at("before")
        if not offsets and not built:
            return
        self._await_topics({batch.topic_partition for batch in built}, remaining)
        # 2. Begin.
        client.begin_transaction()
        self._at("begun")
        # 3. Send every batch to the partition it names.
        marks = [mark for batch in built for mark in batches.enqueue(client, batch)]
        client._sender.wakeup()  # noqa: SLF001
        self._at("sent")
        # 4. Wait for every batch and look at every answer: from here on nothing is outstanding.
        batches.await_acknowledged(marks, remaining)
        self._at("acknowledged")
        # 5. The group's offsets, fenced by its generation.
        if offsets:
            theirs = {TopicPartition(*place): OffsetAndMetadata(it.offset, it.metadata, -1) for place, it in offsets.items()}
            self._finish(manager.send_offsets_to_transaction(theirs, token), remaining)
        self._at("offsets")
        # 6. Commit.
        self._finish(manager.begin_commit(), remaining)
        self._at("committed")

    def _await_topics(self, places: Iterable[TopicPartition], remaining: Callable[[], float]) -> None:
        for topic, partition in places:
            if partition not in self._client._wait_on_metadata(topic, remaining() * 1000):  # noqa: SLF001
                raise Fatal(f"{topic} has no partition {partition}: add partitions to it")

    def _finish(self, result: Any, remaining: Callable[[], float]) -> None:
        self._client._sender.wakeup()  # noqa: SLF001
        if not result.wait(timeout_ms=remaining() * 1000):
            raise KafkaTimeoutError("the transaction coordinator did not answer in time")

    def close(self) -> None:
        """Close at once: nothing is flushed, an open transaction is left for the next holder of the id to abort."""
        if self._closed:
            return
        self._closed = True
        sender = self._client._sender  # noqa: SLF001
        sender.force_close()
        sender.join(_CLOSE)
        with contextlib.suppress(Exception):  # it is closed; what the library says about it helps nobody
            self._client.close(timeout=0)
        library.log = logging.getLogger(library.__name__)


def _until(seconds: float) -> Callable[[], float]:
    end = time.monotonic() + seconds
    return lambda: max(0.0, end - time.monotonic())
