"""The library's fetcher with the traps that matter closed: errors that spin, memory without bound, waits that hold others up.

Records leave a fetch as columns, whole runs of record batches at a time, without an object per record (`records.ColumnRecords`). Where the
library is not made as that needs (`shape`), they leave one by one, as the library makes them (`records.PartitionRecords`), and become
columns then: the same batches, at several times the cost.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from kafka.consumer import fetcher as library

from streamspc.kafka_io.records import ColumnRecords, PartitionRecords
from streamspc.kafka_io.shape import columns_fit

if TYPE_CHECKING:
    from kafka import TopicPartition

_PAUSED_WAIT_MS = 100  # a fetch that is under way holds up partitions that are resumed meanwhile


class Asked(NamedTuple):
    """What the last reply said of a partition: the end of what is stable, of all there is, and when (monotonic seconds)."""

    end: int
    high: int
    at: float


class Fetcher(library.Fetcher):  # type: ignore[misc]  # the library has no types
    """Fetches for one consumer; `asked` remembers the stable end of each partition, so that asking for it is free."""

    _next_partition_records: Any

    def __init__(self, client: Any, subscriptions: Any, max_batch_bytes: int, broken: set[Any], **config: Any) -> None:
        """Take over from the consumer's own fetcher: same client, same subscriptions. `broken` outlives it."""
        super().__init__(client, subscriptions, **config)
        self.asked: dict[TopicPartition, Asked] = {}
        self._long_wait_ms = self.config["fetch_max_wait_ms"]

        kind = ColumnRecords if columns_fit() else PartitionRecords
        self.PartitionRecords = type(kind.__name__, (kind,), {"bound": max_batch_bytes, "broken": broken})
        self.columns = kind.columns

    def fetched_records(self, max_records: int | None = None, *, update_offsets: bool = True, **rest: Any) -> Any:
        """What has come. Raises what the library raises."""
        # The library gives parked records of a resumed partition back only when this is None, and leaves a drained one here.
        self._next_partition_records = self._next_partition_records or None
        return super().fetched_records(max_records, update_offsets=update_offsets, **rest)

    def send_fetches(self) -> list[Any]:
        """Ask only when all that came is handed over.

        Otherwise the question would leave out the partition at hand, the broker would hold it until another one has
        news, and the partition at hand would wait for that.
        """
        if self._next_partition_records or self._completed_fetches:
            return []
        paused = self._subscriptions.paused_partitions()
        self.config["fetch_max_wait_ms"] = min(self._long_wait_ms, _PAUSED_WAIT_MS) if paused else self._long_wait_ms
        return list(super().send_fetches())

    def _append(self, drained: Any, part: Any, max_records: int, update_offsets: Any) -> int:
        before: int = part.records_read
        super()._append(drained, part, max_records, update_offsets)
        return int(part.records_read - before)  # records: what `take` returned may be fewer, larger things

    def _handle_fetch_response(self, node_id: Any, fetch_offsets: Any, send_time: float, response: Any) -> None:
        before = len(self._completed_fetches)
        super()._handle_fetch_response(node_id, fetch_offsets, send_time, response)
        now = time.monotonic()
        for fetch in list(self._completed_fetches)[before:]:
            data = fetch.partition_data
            if data.error_code == 0:
                self.asked[fetch.topic_partition] = Asked(data.last_stable_offset, data.high_watermark, now)
            else:
                self.asked.pop(fetch.topic_partition, None)
        if response.error_code == 0:  # partitions without news are left out of the reply: what was known of them still holds
            for place in fetch_offsets:
                if place in self.asked:
                    self.asked[place] = self.asked[place]._replace(at=now)

    def _handle_fetch_error(self, node_id: Any, exception: Any) -> None:
        super()._handle_fetch_error(node_id, exception)
        self.asked.clear()
