"""Records of one partition from one fetch reply: as columns, or one by one as the library makes them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from kafka.consumer import fetcher as library
from kafka.errors import CorruptRecordError
from kafka.protocol.consumer import IsolationLevel

from streamspc.errors import Fatal
from streamspc.kafka_io.framing import Columns, Framed, decode, joined, of_records
from streamspc.kafka_io.unpack import BoundedBatch, BoundedRecords

if TYPE_CHECKING:
    from collections.abc import Iterator

_RUN_RECORDS = 4096  # decoded together: more gain nothing, and the bytes would leave the processor's caches
_RUN_BYTES = 4_194_304


class PartitionRecords(library.Fetcher.PartitionRecords):  # type: ignore[misc]  # the library has no types
    """One by one. An error ends them: it is raised once, and the next poll asks the broker again.

    What is broken may have been damaged on its way, so that new clients ask once more; `broken` remembers where for all of them, and
    what is broken there again is so at the broker.
    """

    bound: int
    broken: set[tuple[Any, int]]

    @staticmethod
    def columns(taken: list[Any]) -> Columns:
        """What `take` returned, at least one thing, as columns."""
        return of_records(taken)

    def take(self, n: int | None = None) -> list[Any]:
        """At most n records. Raises what the library or a codec raises, once; Fatal for what was broken before."""
        with self._ends():
            return list(super().take(n))

    @contextlib.contextmanager
    def _ends(self) -> Iterator[None]:
        """An error within ends the records, and says where they are."""
        try:
            yield
        except BaseException as error:
            spot = self.topic_partition, self.next_fetch_offset
            self.drain()
            place = f"{spot[0].topic}-{spot[0].partition}, from offset {spot[1]} on"
            if isinstance(error, Fatal):
                raise Fatal(f"{place}: {error}") from error
            if not isinstance(error, CorruptRecordError):
                raise
            if spot in self.broken:
                raise Fatal(
                    f"{place}: {error}. It was so twice: the broker's log is damaged. Restore it from a replica, or pass the batch "
                    "of a source topic: delete the records up to its end (kafka-delete-records), which counts them as lost"
                ) from error
            self.broken.add(spot)
            raise

    def _unpack_records(self, tp: Any, records: Any, key_deserializer: Any, value_deserializer: Any) -> Any:
        return super()._unpack_records(tp, BoundedRecords(records._buffer, self.bound), key_deserializer, value_deserializer)  # noqa: SLF001


class Spot(NamedTuple):
    """Where reading goes on, and the leader epoch of what lies before."""

    offset: int
    leader_epoch: int


class Run(NamedTuple):
    """Records that were decoded together, of one leader epoch. `behind` is after all that was looked at until then."""

    columns: Columns
    leader_epoch: int
    behind: Spot


class ColumnRecords(PartitionRecords):
    """The same records as columns. A batch is handed over if all of it can be read; those before a broken one go first."""

    record_iterator: Iterator[Run] | None
    fetch_offset: int
    _run: Run | None = None
    _taken = 0  # records of the run that are handed over

    @staticmethod
    def columns(taken: list[Any]) -> Columns:
        """What `take` returned, at least one thing, as columns."""
        return joined(taken)

    def take(self, n: int | None = None) -> list[Columns]:
        """Columns of at most n records, or nothing at the end. Raises CorruptRecordError, Fatal, once."""
        with self._ends():
            if self._run is None and self.record_iterator is not None:
                self._run, self._taken = next(self.record_iterator, None), 0
        if self._run is None:
            return []
        columns, leader_epoch, behind = self._run
        begin, count = self._taken, len(columns.values)
        end = count if n is None else min(begin + n, count)
        if end < count:
            self._goes_on(Spot(int(columns.offsets[end - 1]) + 1, leader_epoch))
        else:
            self._run = None
            self._goes_on(behind)
        self._taken = end
        self.records_read += end - begin
        return [columns.part(begin, end)]

    def _goes_on(self, spot: Spot) -> None:
        self.next_fetch_offset, self.leader_epoch = spot

    def _maybe_skip_record(self, _run: Any) -> bool:
        return False  # what lies before the fetch offset is cut off already

    def _unpack_records(self, _tp: Any, records: Any, _key_deserializer: Any, _value_deserializer: Any) -> Iterator[Run]:
        batches = BoundedRecords(records._buffer, self.bound)  # noqa: SLF001
        self.bytes_read = batches.size_in_bytes()
        run: list[Framed] = []
        count = size = 0
        behind, failure = Spot(self.fetch_offset, -1), None
        try:
            while (batch := batches.next_batch()) is not None:
                framed = self._framed(batch)
                if framed is not None:
                    if run and (count >= _RUN_RECORDS or size >= _RUN_BYTES or framed.leader_epoch != run[0].leader_epoch):
                        full, run, count, size = run, [], 0, 0
                        yield from self._decoded(full, behind)
                    run.append(framed)
                    count, size = count + framed.records, size + len(framed.data)
                behind = Spot(batch.next_offset, batch.leader_epoch)
        except Exception as error:  # noqa: BLE001 - raised below, after what comes before it
            failure = error
        yield from self._decoded(run, behind)
        if failure is not None:
            raise failure
        self._goes_on(behind)
        self.drain()

    def _decoded(self, run: list[Framed], behind: Spot) -> Iterator[Run]:
        if not run:
            return
        try:
            columns = decode(run)
        except CorruptRecordError:
            if len(run) == 1:
                raise
            for framed in run:
                yield from self._decoded([framed], Spot(framed.next_offset, framed.leader_epoch))
            return
        columns = columns.part(int(np.searchsorted(columns.offsets, self.fetch_offset)), len(columns.values))
        if columns.values:
            yield Run(columns, run[0].leader_epoch, behind)

    def _framed(self, batch: BoundedBatch) -> Framed | None:
        """The batch, or None where there is nothing to hand over. Raises CorruptRecordError, Fatal."""
        if self.check_crcs and not batch.validate_crc():
            raise CorruptRecordError(f"the batch of {self.topic_partition} at offset {batch.base_offset} fails its checksum")
        if self._hidden(batch) or not batch.records_count:
            return None
        return Framed.of(batch)

    def _hidden(self, batch: BoundedBatch) -> bool:
        """Whether it is a marker, or of a transaction that was aborted. Remembers which producers' transactions are."""
        if self.isolation_level == IsolationLevel.READ_COMMITTED and batch.has_producer_id():
            self._consume_aborted_transactions_up_to(batch.last_offset)
            if self._contains_abort_marker(batch):
                self.aborted_producer_ids.discard(batch.producer_id)
            elif self._is_batch_aborted(batch):
                return True
        return bool(batch.is_control_batch)
