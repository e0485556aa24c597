"""Records of an input as batches of the values that Kafka would have held, in pieces of some megabytes."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

from streamspc.admit.decode import Decoder
from streamspc.admit.event_time import from_field
from streamspc.check import table
from streamspc.check.source import Unreadable
from streamspc.errors import ConfigError
from streamspc.model import Batch, Ints, MetricKind
from streamspc.model.path import split

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamspc.check.source import Format, Input
    from streamspc.flow import Stream

PIECE = 4 << 20  # bytes of lines at a time
_MARK = b"\xef\xbb\xbf"  # of UTF-8, as some editors write it


def batches(source: Input, kind: Format, stream: Stream, timestamp: str | None = None) -> Iterator[Batch]:
    """Batches of the input, whose offsets are the numbers of the records from 1; `timestamp` is the field that holds the Kafka timestamp.

    Raises ConfigError, before anything is read, where the stream needs a timestamp and there is none; Unreadable where the bytes end.
    """
    _timed(stream, timestamp)
    values = table.values(source, table.columns(stream, timestamp)) if kind == "csv" else _lines(source)
    stamps = _Stamps(timestamp) if timestamp is not None else None
    return _batches(source, values, stamps)


def _batches(source: Input, pieces: Iterator[list[bytes]], stamps: _Stamps | None) -> Iterator[Batch]:
    at = 0
    try:
        for values in pieces:
            n = len(values)
            if n:
                times = stamps(values) if stamps else np.full(n, -1, np.int64)
                yield Batch(source.name, 0, np.arange(at + 1, at + n + 1), times, [None] * n, values, None, at + n + 1)
                at += n
    except (OSError, EOFError, zlib.error) as error:
        raise Unreadable(f"{source.name}: cannot be read after record {at}: {error}") from None


def _timed(stream: Stream, timestamp: str | None) -> None:
    """Refuse what needs Kafka timestamps without them."""
    if timestamp is not None:
        return
    cure = "a file has none: name the field that holds it, in milliseconds or ISO 8601, with --timestamp FIELD"
    needs = [f"metric {metric.name}: lag needs the Kafka timestamp" for metric in stream.spec.metrics if metric.kind is MetricKind.LAG]
    if stream.spec.event_time.field is None:
        needs.append("event time is the Kafka timestamp")
    if needs:
        raise ConfigError(*(f"stream {stream.spec.name}, {need}; {cure}" for need in needs))


def _lines(source: Input) -> Iterator[list[bytes]]:
    """Lines of JSON; blank ones are none."""
    first = True
    while lines := source.bytes.readlines(PIECE):
        if first:
            lines[0], first = lines[0].removeprefix(_MARK), False
        yield [line for line in lines if not line.isspace()] if any(map(bytes.isspace, lines)) else lines


class _Stamps:
    """The field of each record that holds its Kafka timestamp: milliseconds, or a text of ISO 8601; -1 where it is neither."""

    def __init__(self, field: str) -> None:
        self._path = split(field)
        self._decode = Decoder({self._path: int | float | str})

    def __call__(self, values: list[bytes]) -> Ints:
        times = np.full(len(values), -1, np.int64)
        for rows, fields, _ in self._decode(values):
            found = fields[self._path]
            for kinds, unit in (((int, float), "ms"), ((str,), "iso8601")):
                chosen = [at for at, value in enumerate(found) if isinstance(value, kinds)]
                micros, faults = from_field([found[at] for at in chosen], unit)
                micros[list(faults)] = -1000
                times[rows[chosen]] = micros // 1000
        return times
