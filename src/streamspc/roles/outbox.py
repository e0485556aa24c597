"""What one turn of chart sends, encoded as it comes, so that it can be measured."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from streamspc import wire
from streamspc.kafka_io.port import Place, Send

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streamspc.flow import Outputs
    from streamspc.kafka_io.topics import Names
    from streamspc.model import Points

POINTS_BYTES = 6_000_000  # larger points are split: one record of the points topic may have 8 MiB

COUNTED = b"counted"  # key of what chart partitions tell each other, among the blocks
COMMAND, LESSON = b"command", b"lesson"  # and of what operators tell all of them

Row = tuple[bytes | None, bytes | None]


class Outbox:
    """Records by place, in the order in which they came."""

    def __init__(self, topics: Names, chart_partitions: int) -> None:
        """Empty."""
        self._topics, self._partitions = topics, chart_partitions
        self._rows: dict[Place, list[Row]] = defaultdict(list)
        self.bytes = 0

    def put(self, place: Place, rows: Iterable[Row]) -> None:
        """Add records to a place."""
        held = self._rows[place]
        for row in rows:
            held.append(row)
            self.bytes += len(row[0] or b"") + len(row[1] or b"")

    def answer(self, partition: int, out: Outputs) -> None:
        """Add what a step of a chart partition made."""
        encode = msgspec.json.encode
        points = ((p.stream.encode(), data) for p in out.points for data in records(p))
        self.put(Place(self._topics.points, partition), points)
        self.put(Place(self._topics.signals, 0), ((s.episode.encode() or s.stream.encode(), encode(s)) for s in out.signals))
        self.put(Place(self._topics.verdicts, partition), ((v.stream.encode(), encode(v)) for v in out.verdicts))
        for other in range(self._partitions if out.counted else 0):
            self.put(Place(self._topics.tallies, other), ((COUNTED, encode(counted)) for counted in out.counted))

    def sends(self) -> list[Send]:
        """All of it."""
        return [Send(place, [key for key, _ in rows], [value for _, value in rows]) for place, rows in self._rows.items() if rows]


def records(points: Points) -> Iterator[bytes]:
    """The points as records: one, or where that were too large several, by segment. Each says all that there is to say of the window."""
    whole = wire.encode_points(points)
    half = len(points.segments) // 2
    if len(whole) <= POINTS_BYTES or not half:
        yield whole
        return
    del whole
    yield from records(_of_segments(points, slice(half)))
    yield from records(_of_segments(points, slice(half, None)))


def _of_segments(points: Points, some: slice) -> Points:
    arrays: dict[str, Any] = {}
    for name in (it.name for it in fields(points)):
        if isinstance(array := getattr(points, name), np.ndarray):
            arrays[name] = array[..., some]
    return replace(points, segments=points.segments[some], **arrays)
