"""A pause in event time: one block closes a thousand windows, and still no turn, transaction or restart has more than its share."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
import numpy as np
import pytest

from driving import LOCAL, outcome, prepare
from strategies import BEGIN_MS, WINDOW_MS, comparable, quick, semantics, value
from streamspc import wire
from streamspc.bucket.merge import scatter
from streamspc.bucket.tally import empty
from streamspc.flow import Outputs, State, fold, ready, tally
from streamspc.kafka_io.memory import Log, MemoryKafka
from streamspc.kafka_io.port import Place, Send
from streamspc.kafka_io.steps import STEPS, At, Crash, nowhere
from streamspc.model import END, NEVER, BaselineSpec, Batch, Block, MetricKind, MetricSpec, Semantics
from streamspc.roles import chart, outbox
from streamspc.roles.chart import ChartRole
from streamspc.roles.pulse import Pulse

DAY_MS = 86_400_000
METRICS = (MetricSpec(name="volume", kind=MetricKind.COUNT), MetricSpec(name="price", kind=MetricKind.MEAN, field="price"))
QUIET = METRICS[1:]


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """No waiting."""
    quick(monkeypatch)


def paused(charts: int, most: int, metrics: tuple[MetricSpec, ...] = METRICS, window_ms: int = WINDOW_MS) -> Semantics:
    """Windows of which so many may pass empty."""
    more = {"judge_by": (), "clean_topic": None, "quarantine_topic": None, "baseline": BaselineSpec(windows=2)}
    late = {"window_us": window_ms * 1000, "disorder_us": 0, "lateness_us": 0, "min_records": 1}
    return semantics(charts, max_empty_windows=most, metrics=metrics, **late, **more)


def blocks(spec: Semantics, segments: int) -> list[Block]:
    """Three windows with records of all segments, one record a day later, one that closes its window, and the end."""
    stream, watermark, offset, made = ready(spec.streams[0]), NEVER, 0, []
    width = spec.streams[0].window_us // 1000
    everyone, one = [f"shop{i}" for i in range(segments)], ["shop0"]
    for when, names in ((0, everyone), (width, everyone), (2 * width, everyone), (DAY_MS, one), (DAY_MS + width, one)):
        values: list[bytes | None] = [value(BEGIN_MS + when, name, 1.0 + len(name)) for name in names]
        n = len(values)
        batch = Batch("source", 0, np.arange(offset, offset + n), np.full(n, BEGIN_MS + 2 * DAY_MS), [None] * n, values, None, offset + n)
        table, told = tally(stream, batch, watermark)
        watermark, offset = told.watermark, offset + n
        made.append(Block("s", spec.hash(), 1, (told,), table))
    end = msgspec.structs.replace(made[-1].progress[0], watermark=END)
    return [*made, Block("s", spec.hash(), 1, (end,), empty(stream.plan))]


def part(block: Block, charts: int, partition: int) -> Block:
    """What a chart partition gets of the block."""
    return Block(block.stream, block.config, block.source_partitions, block.progress, scatter(block.table, "s", charts)[partition])


def filled(spec: Semantics, log: list[Block]) -> Log:
    """A cluster with those blocks in the tallies topic."""
    kafka = MemoryKafka()
    prepare(kafka, spec, 1)
    producer, charts = kafka.producer("observe"), spec.chart_partitions
    for block in log:
        rows = [wire.encode_block(part(block, charts, i)) for i in range(charts)]
        producer.transact([Send(Place("app.tallies", i), [b"block"], [row]) for i, row in enumerate(rows)], {}, None, None, 5.0)
    return kafka.log


def charted(log: Log, spec: Semantics, crash: At = nowhere, every: float = 1e9) -> int:
    """Run chart to the end of time, a new process after a crash; how many turns it took."""
    ticks = itertools.count()

    def begin(at: At) -> tuple[MemoryKafka, ChartRole]:
        kafka = MemoryKafka(log, at)
        role = ChartRole(kafka, spec, LOCAL, every, until_end=True, clock=lambda: float(next(ticks)))
        role.connect()
        return kafka, role

    kafka, role = begin(crash)
    for turns in range(1, 5000):
        try:
            if role.turn():
                role.disconnect()
                return turns
        except Crash:
            kafka.kill()
            kafka, role = begin(nowhere)
    pytest.fail("chart does not come to an end")


def told(log: Log, spec: Semantics) -> dict[str, Any]:
    """All that chart said, in the order of each partition."""
    found = outcome(MemoryKafka(log), spec)
    verdicts = defaultdict(list)
    for partition, verdict in found.verdicts:
        verdicts[partition].append(verdict)
    signals = sorted(map(msgspec.json.encode, found.signals))
    return {"points": sorted(map(repr, map(comparable, found.points))), "signals": signals, "verdicts": dict(verdicts)}


def expected(spec: Semantics, log: list[Block]) -> dict[str, Any]:
    """What the fold says of whole blocks."""
    outs, charts = [], spec.chart_partitions
    for partition in range(charts):
        state, whole = State.begin(spec, partition), Outputs.none()
        for block in log:
            whole.add(fold(state, part(block, charts, partition)))
        outs.append(whole)
    return {
        "points": sorted(repr(comparable(points)) for out in outs for points in out.points),
        "signals": sorted(msgspec.json.encode(signal) for out in outs for signal in out.signals),
        "verdicts": {partition: out.verdicts for partition, out in enumerate(outs)},
    }


def transactions(log: Log, topic: str) -> list[int]:
    """Bytes that each transaction wrote to the topic's first partition."""
    sizes: dict[int, int] = defaultdict(int)
    for entry in log.partitions[Place(topic, 0)].entries:
        sizes[id(entry.transaction)] += len(entry.value or b"")
    return list(sizes.values())


SMALL = paused(2, 40)
SMALL_LOG = blocks(SMALL, 6)


@cache
def undisturbed() -> dict[str, Any]:
    """What the small log makes."""
    return expected(SMALL, SMALL_LOG)


def test_a_day_without_records_goes_out_in_transactions_of_bounded_size(monkeypatch):
    """A thousand empty windows of two thousand segments: many small transactions, a beat for each window, the same to the last bit."""
    spec = paused(1, 1000, QUIET, 1000)
    log = blocks(spec, 2000)
    cluster = filled(spec, log)
    beats = [0]
    monkeypatch.setattr(Pulse, "beat", lambda *_: beats.__setitem__(0, beats[0] + 1))
    monkeypatch.setattr(chart, "TURN_BYTES", 4_000_000)
    charted(cluster, spec)
    sizes = transactions(cluster, "app.points")
    largest = max(len(entry.value or b"") for entry in cluster.partitions[Place("app.points", 0)].entries)

    assert max(sizes) <= 4_000_000 + largest
    assert len(sizes) > 4
    assert beats[0] > 1000
    found = outcome(MemoryKafka(cluster), spec)
    state, whole = State.begin(spec, 0), Outputs.none()
    for block in log:
        whole.add(fold(state, block))
    assert len(whole.points) == 1006  # three and two with records, a thousand empty ones, and the gap
    assert all(comparable(mine) == comparable(theirs) for mine, theirs in zip(found.points, whole.points, strict=True))
    assert [verdict for _, verdict in found.verdicts] == whole.verdicts


@pytest.mark.parametrize("series", [1, 3_000, 10**9])
def test_how_much_a_turn_takes_leaves_no_trace(monkeypatch, series):
    """One window a turn, some, or all of them: the same outputs, in the same order."""
    monkeypatch.setattr(chart, "TURN_SERIES", series)
    cluster = filled(SMALL, SMALL_LOG)
    turns = charted(cluster, SMALL)

    assert (turns > 45) == (series == 1)
    assert told(cluster, SMALL) == undisturbed()


@pytest.mark.parametrize("every", [1e9, 5.0])
@pytest.mark.parametrize("times", [1, 2, 7, 23])
@pytest.mark.parametrize("step", STEPS)
def test_a_crash_within_a_block_repeats_nothing_and_loses_nothing(monkeypatch, step, times, every):
    """Wherever among a block's transactions the process ends, with snapshots or without: the outcome is that of one that lived."""
    monkeypatch.setattr(chart, "TURN_SERIES", 600)
    crashed = []
    left = itertools.count(1)

    def crash(at: str) -> None:
        if at == step and next(left) == times:
            crashed.append(at)
            raise Crash

    cluster = filled(SMALL, SMALL_LOG)
    charted(cluster, SMALL, crash, every)

    assert crashed == [step]
    assert told(cluster, SMALL) == undisturbed()


def test_a_second_process_takes_over_within_a_block(monkeypatch):
    """A partition that moves while its block is half done is answered to the end by its new owner, each window once."""
    monkeypatch.setattr(chart, "TURN_SERIES", 1)
    cluster = filled(SMALL, SMALL_LOG)
    one = ChartRole(MemoryKafka(cluster), SMALL, LOCAL, until_end=True)
    one.connect()
    for _ in range(20):
        one.turn()
    assert all(owned.within for owned in one.owned.values())
    two = ChartRole(MemoryKafka(cluster), SMALL, LOCAL, until_end=True)
    two.connect()
    done = [False, False]
    for _ in range(300):
        done = [before or role.turn() for before, role in zip(done, (one, two), strict=True)]

    assert done == [True, True]
    assert told(cluster, SMALL) == undisturbed()


def test_points_too_large_for_a_record_are_split_by_segments(monkeypatch):
    """Each record holds whole series, and together they hold all of them."""
    monkeypatch.setattr(outbox, "POINTS_BYTES", 1_000)
    cluster = filled(SMALL, SMALL_LOG)
    charted(cluster, SMALL)
    whole: Callable[[Any], Any] = lambda points: {  # noqa: E731
        (p.start, name): (p.records[i], p.n[:, i].tolist(), p.phase[:, i].tolist(), p.end)
        for p in points
        for i, name in enumerate(p.segments)
    }
    split = outcome(MemoryKafka(cluster), SMALL).points
    monkeypatch.setattr(outbox, "POINTS_BYTES", 10**9)
    cluster = filled(SMALL, SMALL_LOG)
    charted(cluster, SMALL)
    entire = outcome(MemoryKafka(cluster), SMALL).points

    assert len(split) > len(entire)
    assert sum(len(p.segments) for p in split) == sum(len(p.segments) for p in entire)
    assert whole(split) == whole(entire)
    assert max(len(wire.encode_points(p)) for p in split if len(p.segments) > 1) <= 1_000
