"""What check finds is what the daemon finds."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from driving import Roles, outcome, prepare, produce, run
from strategies import BEGIN_MS, quick, said, semantics, semantics_hash, source
from streamspc import check
from streamspc.bucket.tally import empty
from streamspc.check import drive, lines
from streamspc.check.drive import begin
from streamspc.demo import flights
from streamspc.flow import fold, tally
from streamspc.kafka_io import MemoryKafka
from streamspc.model import END, NEVER, Batch, Block, Points, Progress, Semantics
from streamspc.model import Span as Offsets
from streamspc.roles import span
from streamspc.roles.span import Span
from streamspc.settings import load_semantics

FLIGHTS = Path(__file__).parents[3] / "config" / "flights.yaml"
WINTER = 1_364_788_800_000  # 1 April 2013 in New York, milliseconds


def read(path: Path, spec: Semantics, steps: check.Steps | None = None, *, any_order: bool = False, timestamp: str | None = None):
    """All outputs of a file of JSON Lines."""
    name = spec.streams[0].name
    state = begin(spec, name)
    opened = check.open_input(str(path))
    try:
        batches = check.batches(opened, "jsonl", state.streams[name].stream, timestamp)
        return list(drive.run(state, batches, steps or check.Steps(), any_order=any_order))
    finally:
        opened.close()


def read_topic(kafka: MemoryKafka, spec: Semantics, steps: check.Steps | None = None, waited: set[int] | None = None):
    """All outputs of the first stream's topic; `waited` collects the partitions that had to wait."""
    steps, waited = steps or check.Steps(), set() if waited is None else waited
    opened = Span.open(kafka, spec.streams[0].topic, "earliest", "latest")

    def ahead():
        waited.update(steps.ahead)
        return steps.ahead

    return list(drive.run(begin(spec, spec.streams[0].name), opened.batches(ahead), steps, ends=opened.ends))


def by_series(all_points: list[Points]):
    """Every array of every point as its bytes, by window, metric and segment."""
    found = {}
    for points in all_points:
        arrays = {name: getattr(points, name) for name in points.__dataclass_fields__}
        arrays = {name: array for name, array in arrays.items() if isinstance(array, np.ndarray) and array.shape == points.value.shape}
        for m, metric in enumerate(points.metrics):
            for s, segment in enumerate(points.segments):
                key = points.config, points.start, points.end, metric, segment
                assert key not in found
                found[key] = (int(points.records[s]), {name: array[m, s].tobytes() for name, array in arrays.items()})
    return found


def without_place(signal):
    """A signal without what tells from which partitions it came."""
    return msgspec.structs.replace(signal, chart_partition=0, sources=(), onset_sources=())


@pytest.mark.timeout(240)
def test_a_winter_of_flights_has_the_points_of_the_daemon(tmp_path, monkeypatch):
    """Eight source partitions and four chart partitions on Kafka, or one file: the same points, signals and rejections, bit for bit."""
    quick(monkeypatch)
    spec = load_semantics(FLIGHTS, {})
    records = [record for record in flights.records(flights.load()) if record[3] < WINTER]
    (tmp_path / "flights.jsonl").write_bytes(b"\n".join(value for _, _, value, _ in records))
    kafka = MemoryKafka()
    prepare(kafka, spec, flights.PARTITIONS)
    produce(kafka, flights.TOPIC, records)
    run(Roles(kafka, spec).all()[:2])
    daemon = outcome(kafka, spec)

    outputs = read(tmp_path / "flights.jsonl", spec)

    points = by_series([points for out in outputs for points in out.points])
    assert len(points) == 90 * 20
    assert points == by_series(daemon.points)
    of_topic = [p for out in read_topic(kafka, spec) for p in out.points]
    assert by_series(of_topic) == points
    told = [
        {without_place(signal) for signal in signals if signal.kind != "end"}
        for signals in ([s for out in outputs for s in out.signals], daemon.signals)
    ]
    assert told[0] == told[1]
    assert len(told[0]) > 30
    rejections = [
        [v for v in verdicts if hasattr(v, "segment")]
        for verdicts in ([v for out in outputs for v in out.verdicts], [v for _, v in daemon.verdicts])
    ]
    assert sorted(rejections[0], key=repr) == sorted(rejections[1], key=repr)
    assert rejections[0]


def disordered(tmp_path: Path, seed: int = 3) -> tuple[Path, Semantics, list[bytes]]:
    """A file of records out of order, some of them unreadable."""
    values = [value for value in source(seed, 400).values if value is not None]
    path = tmp_path / "some.jsonl"
    path.write_bytes(b"\n".join(values))
    return path, semantics(), values


@pytest.mark.parametrize("most", [2, 10**6])
def test_a_sparse_partition_waits_for_a_dense_one(monkeypatch, most):
    """It is held back so that few windows are open; the points are those of the daemon, and the first bad record is the same."""
    monkeypatch.setattr(span, "BATCH", 50)
    quick(monkeypatch)
    spec, kafka = semantics(max_open_windows=most), MemoryKafka()
    values = sorted((v for v in source(5, 3000).values if v and v.startswith(b'{"at"')), key=lambda v: msgspec.json.decode(v)["at"])
    prepare(kafka, spec, 3)
    records = [(0 if row % 10 else 1, None, value, BEGIN_MS + 10**9) for row, value in enumerate(values)]
    produce(kafka, "source", [*records, (1, None, b"{", 1), (0, None, b"[", 1), (0, None, b"[", 1)])
    run(Roles(kafka, spec).all()[:2])
    steps, waited = check.Steps(), set[int]()

    points = by_series([points for out in read_topic(kafka, spec, steps, waited) for points in out.points])

    assert points == by_series(outcome(kafka, spec).points)
    assert (1 in waited, bool(waited)) == (most == 2, most == 2)
    first = sum(row % 10 > 0 for row in range(len(values))) + len(values) // 1000  # behind the records and markers of partition 0
    assert steps.examples["undecodable"][0] == Offsets(0, first, first)


@pytest.mark.parametrize("piece", [1, 300, 1 << 20])
def test_a_file_is_one_source_partition_however_it_is_cut(tmp_path, monkeypatch, piece):
    """Late records are those of a partition with these records, and the pieces of reading leave no trace."""
    monkeypatch.setattr(lines, "PIECE", piece)
    path, spec, values = disordered(tmp_path)
    state, steps = begin(spec, "s"), check.Steps()
    stream = state.streams["s"].stream
    n = len(values)
    every = Batch("x", 0, np.arange(1, n + 1), np.full(n, -1), [None] * n, values, None, n + 1)
    table, told = tally(stream, every, NEVER)
    end = Progress(0, n + 1, n + 1, END)
    expected = [fold(state, Block("s", semantics_hash(stream), 1, *block)) for block in (((told,), table), ((end,), empty(stream.plan)))]

    assert said(read(path, spec, steps)) == said(expected)
    assert steps.refused == told.refused
    assert {"late", "undecodable", "no_event_time"} <= set(steps.refused)
    assert steps.records == n


def test_in_any_order_a_file_is_as_if_sorted(tmp_path):
    """No record is late, and the points are those of the sorted file, whose order is no fault either."""
    _, spec, values = disordered(tmp_path)
    readable = [value for value in values if value.startswith(b'{"at"')]
    (tmp_path / "sorted.jsonl").write_bytes(b"\n".join(sorted(readable, key=lambda value: msgspec.json.decode(value)["at"])))
    (tmp_path / "not.jsonl").write_bytes(b"\n".join(readable))
    steps = check.Steps()

    shuffled = read(tmp_path / "not.jsonl", spec, steps, any_order=True)

    assert steps.refused["late"] == 0
    in_order = read(tmp_path / "sorted.jsonl", spec)
    assert by_series([p for out in shuffled for p in out.points]) == by_series([p for out in in_order for p in out.points])


def test_the_hash_is_that_of_the_whole_configuration(tmp_path):
    """So points of check and of the daemon can be told to be of one configuration, also where chart partitions are many."""
    spec = semantics(4)
    path, _, _ = disordered(tmp_path)

    assert {points.config for out in read(path, spec) for points in out.points} == {spec.hash()}


@pytest.mark.parametrize(
    ("stamp", "micros"),
    [
        (BEGIN_MS, BEGIN_MS * 1000),
        ("2013-02-08T05:15:00.123Z", 1_360_300_500_123_000),
        (None, None),
        ("noon", None),
        (True, None),
        (1e300, None),
    ],
)
def test_a_field_may_stand_for_the_kafka_timestamp(tmp_path, stamp, micros):
    """Milliseconds or ISO 8601; where it is neither the record has none."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(msgspec.json.encode({"meta": {"stamp": stamp}}))
    opened = check.open_input(str(path))
    (batch,) = check.batches(opened, "jsonl", begin(semantics(), "s").streams["s"].stream, "meta.stamp")
    opened.close()

    assert batch.timestamps.tolist() == [-1 if micros is None else micros // 1000]
