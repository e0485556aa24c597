"""What the charts know now, read as chart would restore it: the latest snapshot, and the log of tallies behind it. Nothing is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from streamspc import wire
from streamspc.decide import shift
from streamspc.decide.episodes import identity, number
from streamspc.errors import Fatal, Transient
from streamspc.flow import State
from streamspc.kafka_io.port import Place
from streamspc.kafka_io.topics import names
from streamspc.model import Doubt, Phase
from streamspc.roles.control import read_to_end
from streamspc.roles.folding import Answered, Owned
from streamspc.state import restore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamspc.flow import StreamState
    from streamspc.kafka_io.port import Kafka
    from streamspc.model import Points, Semantics

RESTORE = 60.0  # seconds without progress before reading is given up
AGAIN = 10  # times that a snapshot is looked for, while chart deletes what older ones need
TAIL = 64  # offsets of the points topic that are looked at first


def standing(kafka: Kafka, semantics: Semantics, partition: int) -> State:
    """The state of a chart partition at the end of its log. Raises Transient, Fatal."""
    for _ in range(AGAIN):
        found = restore(semantics, partition, _snapshot(kafka, semantics, partition))
        state, offset = found or (State.begin(semantics, partition), 0)
        place = Place(names(semantics.app).tallies, partition)
        reader = kafka.read([place])
        try:
            reader.seek(place, offset)
            owned = Owned(state, offset, Answered(offset), 0.0, offset)
            for batch in read_to_end(reader, [place], RESTORE):
                owned.take(batch)
                for _ in owned.advance(semantics.hash(), lambda: None, one=False):
                    pass
        except Transient:
            if reader.bounds([place])[place][0] <= offset:
                raise
            # else chart has made a newer snapshot meanwhile, and deleted what this one needs
        else:
            return state
        finally:
            reader.close()
    raise Fatal(f"{place.topic}-{partition} begins behind the latest snapshot, at {offset}: the log was cut")


def _snapshot(kafka: Kafka, semantics: Semantics, partition: int) -> dict[bytes, bytes]:
    place = Place(names(semantics.app).snapshots, partition)
    reader, records = kafka.read([place]), dict[bytes, bytes]()
    try:
        for batch in read_to_end(reader, [place], RESTORE):
            records.update((key or b"", value or b"") for key, value in zip(batch.keys, batch.values, strict=True))
    finally:
        reader.close()
    return records


def last_points(kafka: Kafka, semantics: Semantics, partition: int, stream: str) -> list[Points]:
    """The points of the stream's last window in a chart partition: several where one record could not hold them."""
    place = Place(names(semantics.app).points, partition)
    reader, span = kafka.read([place]), TAIL
    try:
        first, end = reader.bounds([place])[place]
        while True:
            reader.seek(place, max(first, end - span))
            found: list[Points] = []
            for batch in read_to_end(reader, [place], RESTORE):
                rows = zip(batch.keys, batch.values, strict=True)
                for points in (wire.decode_points(value or b"") for key, value in rows if key == stream.encode()):
                    found = [one for one in found if one.start == points.start] + [points]
            if found or end - span <= first:
                return found
            span *= 8
    finally:
        reader.close()


def rows(of: StreamState, points: list[Points]) -> Iterator[dict[str, Any]]:
    """What is known of each series of metrics: its baseline, the limits of its last window, its open episode."""
    spec, bank = of.stream.spec, of.bank
    shown = {segment: (one, at) for one in points for at, segment in enumerate(one.segments)}
    places = {column: place for place, column in enumerate(bank.columns.tolist())}
    baseline = bank.baseline
    for row, column in np.ndindex(baseline.version.shape):
        segment, learns = bank.segments[column], not baseline.version[row, column]
        doubts = Doubt.named(int(baseline.doubt[row, column]))
        told: dict[str, Any] = {
            "stream": spec.name,
            "metric": spec.metrics[row].name,
            "segment": segment,
            "phase": (Phase.LEARNING if learns else Phase.PROVISIONAL if doubts else Phase.MONITORING).value,
            "doubt": [doubt.value for doubt in doubts],
            "version": int(baseline.version[row, column]),
            "centre": number(float(bank.fit.centre[row, column])),
            "kept": int(baseline.kept[row, column]),
            "dropped": int(baseline.dropped[row, column]),
            "seen": int(bank.learning.seen[row, places[column]]) if learns else None,
            "windows": spec.baseline.windows,
            "last": _last(*shown[segment], row) if segment in shown else None,
            "episode": None,
            "commands": [
                {"kind": one.kind, "id": one.id, "since": one.since, "by": one.by}
                for one in of.commands
                if one.metric in {None, spec.metrics[row].name} and one.segment in {None, segment}
            ],
        }
        if of.episodes.state.open[row, column]:
            told["episode"] = _episode(of, (row, column))
        yield told


def _episode(of: StreamState, series: tuple[int, int]) -> dict[str, Any]:
    """The open episode of a series."""
    state, spec, (row, column) = of.episodes.state, of.stream.spec, series
    opened = int(state.opened[series])
    return {
        "id": identity(spec.name, spec.metrics[row].name, of.bank.segments[column], opened),
        "opened": opened,
        "windows": int(state.windows[series]),
        "rejecting": int(abs(state.rejecting[series])),
        "side": "up" if state.side[series] > 0 else "down",
        "awaiting": bool(shift.awaiting(spec.episodes.max_reject, state)[series]),
    }


def _last(points: Points, column: int, row: int) -> dict[str, Any]:
    """A series at its last window."""
    names = ("value", "sigma", "lcl", "ucl", "z", "shewhart_limit", "cusum_limit")
    numbers = {name: number(float(getattr(points, name)[row, column])) for name in names}
    return {"start": points.start, "end": points.end, "n": int(points.n[row, column]), **numbers}
