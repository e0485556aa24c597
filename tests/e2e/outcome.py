"""What an application wrote, decoded, in forms that can be compared: with the oracle, and between runs."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from driving import read
from e2e.oracle_windows import Record
from streamspc import wire
from streamspc.kafka_io import KafkaPython
from streamspc.kafka_io.port import Place
from streamspc.kafka_io.topics import names
from streamspc.model import END, NEVER, Judged, Points, Rejection, Signal, VerdictRecord
from streamspc.settings import load

if TYPE_CHECKING:
    from streamspc.model import Batch, Block


@dataclass
class Outcome:
    """All outputs of one run. Points, signals and verdicts are by chart partition, in their order; `config` is struck from them."""

    blocks: dict[int, list[Block]]
    points: dict[int, list[Points]]
    signals: dict[int, list[Signal]]
    verdicts: dict[int, list[Rejection | Judged]]
    clean: list[Record]
    quarantine: list[Record]


def outcome(file: Path) -> Outcome:
    """Read every output of the application that this configuration is of."""
    loaded = load(file)
    kafka, topics, spec = KafkaPython(loaded.local.kafka), names(loaded.semantics.app), loaded.semantics.streams[0]
    assert spec.clean_topic
    assert spec.quarantine_topic
    blocks: dict[int, list[Block]] = defaultdict(list)
    points: dict[int, list[Points]] = defaultdict(list)
    signals: dict[int, list[Signal]] = defaultdict(list)
    verdicts: dict[int, list[Rejection | Judged]] = defaultdict(list)
    for record in records(read(kafka, topics.tallies)):
        if record.key == b"block":
            blocks[record.partition].append(wire.decode_block(record.value or b""))
    for record in records(read(kafka, topics.points)):
        points[record.partition].append(replace(wire.decode_points(record.value or b""), config=""))
    for record in records(read(kafka, topics.signals)):
        told = msgspec.json.decode(record.value or b"", type=Signal)
        signals[told.chart_partition].append(msgspec.structs.replace(told, config=""))
    for record in records(read(kafka, topics.verdicts)):
        verdict = msgspec.json.decode(record.value or b"", type=VerdictRecord)
        if isinstance(verdict, Rejection | Judged):
            verdicts[record.partition].append(msgspec.structs.replace(verdict, config=""))
    clean, quarantine = (records(read(kafka, topic)) for topic in (spec.clean_topic, spec.quarantine_topic))
    return Outcome(blocks, points, signals, verdicts, clean, quarantine)


def records(batches: list[Batch]) -> list[Record]:
    """Batches as records, by partition and offset."""
    found = [
        Record(batch.partition, *row)
        for batch in batches
        for row in zip(
            batch.offsets.tolist(),
            batch.timestamps.tolist(),
            batch.keys,
            batch.values,
            map(tuple, batch.headers) if batch.headers is not None else [()] * len(batch),
            strict=True,
        )
    ]
    return sorted(found, key=lambda one: one[:2])


def said(points: dict[int, list[Points]]) -> dict[int, list[bytes]]:
    """Points as bytes."""
    return {partition: [wire.encode_points(one) for one in rows] for partition, rows in points.items()}


def judged(verdicts: dict[int, list[Rejection | Judged]]) -> dict[int, list[Rejection | Judged]]:
    """Verdicts without what depends on the batches: the frontier that a marker tells, and markers that are of no window.

    How far the frontier had come when a window closed follows from the order in which blocks of the source partitions were written.
    """
    kept: dict[int, list[Rejection | Judged]] = defaultdict(list)
    for partition, rows in verdicts.items():
        for one in rows:
            if isinstance(one, Rejection):
                kept[partition].append(one)
            elif one.start != NEVER or one.until == END:
                kept[partition].append(msgspec.structs.replace(one, frontier=0))
    return kept


def placed(found: list[Record]) -> dict[int, list[tuple[object, ...]]]:
    """Records by partition, in their order, without the offsets of the topic they are in."""
    by: dict[int, list[tuple[object, ...]]] = defaultdict(list)
    for one in found:
        by[one.partition].append((one.timestamp, one.key, one.value, one.headers))
    return by


def tallies_begin(file: Path) -> int:
    """First offset of the tallies log: above 0 once a snapshot stands for what came before."""
    loaded = load(file)
    place = Place(names(loaded.semantics.app).tallies, 0)
    with contextlib.closing(KafkaPython(loaded.local.kafka).read([place])) as reader:
        return reader.bounds([place])[place][0]
