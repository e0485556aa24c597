"""The reader of a stream: a batch of values becomes columns."""

from __future__ import annotations

from functools import reduce
from itertools import repeat
from operator import is_, or_
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from streamspc.admit import event_time
from streamspc.admit.decode import Chunk, Decoder, Path
from streamspc.admit.segment import Segments
from streamspc.errors import BadRecord, ConfigError, Reason
from streamspc.model import Bools, Column, Columns, FieldKind, Ints, StreamSpec
from streamspc.model.path import join, split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamspc.model import Batch

LARGEST = 2.0**500  # of a wanted number: its square and sums of squares stay finite
_TYPES: dict[FieldKind, frozenset[type]] = {
    FieldKind.NUMBER: frozenset({int, float}),
    FieldKind.TEXT: frozenset({str}),
    FieldKind.FLAG: frozenset({bool}),
}
_SCALARS = frozenset({str, int, float, bool})


class _Part(NamedTuple):
    """Decoded records of a chunk as columns."""

    rows: Ints  # [k] index in the batch
    times: Ints  # [k] event time, 0 where it is Kafka's
    codes: Ints  # [k] of segments; anything where the stream has none
    fields: dict[str, Column]
    faults: dict[int, BadRecord]  # event times that cannot be read, by index in the batch
    bad: dict[int, BadRecord]  # what did not decode


class Reader:
    """Admission for one stream; see the contract in `admit`. Not to be shared by threads."""

    def __init__(self, spec: StreamSpec, fields: Mapping[str, FieldKind]) -> None:
        """Prepare for `fields`, all that metrics use, by dotted path. Raises ConfigError where two uses of a field disagree."""
        self._spec = spec
        self._fields = {name: (split(name), kind) for name, kind in fields.items()}
        self._event = None if spec.event_time.field is None else split(spec.event_time.field)
        self._segment_by = [split(name) for name in spec.segment_by]
        self._decoder = Decoder(self._wanted())
        self._segments = Segments()

    def _wanted(self) -> dict[Path, Any]:
        """The type of each field: what all of its uses allow."""
        uses: list[tuple[Path, frozenset[type]]] = [(path, _TYPES[kind]) for path, kind in self._fields.values() if kind in _TYPES]
        if self._event is not None:
            uses.append((self._event, frozenset({str} if self._spec.event_time.unit == "iso8601" else {int, float})))
        mixed = {self._event, *self._segment_by}  # their integers must stay exact
        uses += [(path, _SCALARS) for path in self._segment_by]
        wanted: dict[Path, Any] = {path: Any for path, _ in self._fields.values()}
        for path in dict.fromkeys(path for path, _ in uses):
            allowed = frozenset.intersection(*(types for other, types in uses if other == path))
            if not allowed:
                raise ConfigError(f"field {join(path)} of stream {self._spec.name} is used both as a number and as a text or flag")
            if allowed == _TYPES[FieldKind.NUMBER] and path not in mixed:
                allowed = frozenset({float})
            wanted[path] = reduce(or_, sorted(allowed, key=str))
        return wanted

    def __call__(self, batch: Batch) -> Columns:
        """Columns of the admitted records, and the reasons of the others."""
        self._segments.forget()
        parts = [self._part(chunk) for chunk in self._decoder(batch.values)]
        rows, times, codes = (np.concatenate(column) for column in zip(*(part[:3] for part in parts), strict=True))
        fields = {name: Column(*map(np.concatenate, zip(*(part.fields[name] for part in parts), strict=True))) for name in self._fields}
        kafka = event_time.kafka_time(batch.timestamps[rows])
        if self._event is None:
            times, timing = event_time.from_kafka(kafka)
        else:
            timing = self._early(times, kafka)
        faults = {int(rows[at]): fault for at, fault in timing.items()}
        for part in parts:
            faults |= part.faults
        faults |= {int(rows[at]): fault for at, fault in _too_large(fields).items()}
        if faults:
            keep = ~np.isin(rows, list(faults))
            rows, kafka, times, codes = rows[keep], kafka[keep], times[keep], codes[keep]
            fields = {name: Column(column.values[keep], column.null[keep]) for name, column in fields.items()}
        bad = {row: problem for part in parts for row, problem in part.bad.items()} | faults
        segment, names = self._segments.named(codes) if self._segment_by else (np.full(len(rows), -1, dtype=np.int32), ())
        worst = sorted(bad)
        return Columns(
            rows=rows,
            event_time=times,
            kafka_time=kafka,
            fields=fields,
            segment=segment,
            names=names,
            bad_rows=np.array(worst, dtype=np.int64),
            bad_reasons=tuple(bad[row].reason for row in worst),
            bad_details=tuple(bad[row].detail for row in worst),
        )

    def _part(self, chunk: Chunk) -> _Part:
        """The fields of a chunk as columns, before its texts and numbers are forgotten."""
        raw = chunk.fields
        times, faults = np.zeros(len(chunk.rows), dtype=np.int64), {}
        if self._event is not None:
            times, wrong = event_time.from_field(raw[self._event], self._spec.event_time.unit)
            faults = {int(chunk.rows[at]): fault for at, fault in wrong.items()}
        fields = {name: _column(raw[path], kind) for name, (path, kind) in self._fields.items()}
        codes = self._segments.codes([raw[path] for path in self._segment_by]) if self._segment_by else times
        return _Part(chunk.rows, times, codes, fields, faults, chunk.bad)

    def _early(self, times: Ints, kafka: Ints) -> dict[int, BadRecord]:
        """What is too far ahead of Kafka's timestamp, by position."""
        ahead: Bools = (kafka >= 0) & (times - min(self._spec.max_future_us, 2**62) > kafka)
        return {
            int(at): BadRecord(Reason.FUTURE, f"{(times[at] - kafka[at]) / 1e6:.6g} s after the Kafka timestamp")
            for at in np.flatnonzero(ahead)
        }


def _column(raw: list[Any], kind: FieldKind) -> Column:
    if kind is FieldKind.NUMBER:
        values = event_time.numbers(raw)
        null = np.isnan(values)
        values[null] = 0.0
        return Column(values, null)
    return Column(np.fromiter(raw, dtype=object, count=len(raw)), np.fromiter(map(is_, raw, repeat(None)), dtype=bool, count=len(raw)))


def _too_large(fields: Mapping[str, Column]) -> dict[int, BadRecord]:
    """Numbers beyond LARGEST, by position."""
    return {
        int(at): BadRecord(Reason.NUMBER_OUT_OF_RANGE, f"{name} is {column.values[at]:.3g}")
        for name, column in fields.items()
        if column.values.dtype == np.float64
        for at in np.flatnonzero(np.abs(column.values) > LARGEST)
    }
