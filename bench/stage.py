"""What the measured loops share: a topic of records like those of a shop, the stream that watches it, and a measurement."""

from __future__ import annotations

import os
import random
import time
from typing import TYPE_CHECKING

import msgspec

from streamspc.kafka_io import KafkaPython
from streamspc.kafka_io.port import Place, Send, TopicPlan
from streamspc.kafka_io.topics import create
from streamspc.model import EventTime, KafkaLocal, MetricKind, MetricSpec, Semantics, StreamSpec

if TYPE_CHECKING:
    from collections.abc import Callable

PARTITIONS = 8
WINDOW_US = 10_000_000
BEGIN_MS = 1_700_000_000_000
RATE = 2_000  # records a second of event time
_CHUNK = 40_000  # records a transaction


def semantics(app: str, topic: str, segmented: bool, clean: str | None = None, quarantine: str | None = None) -> Semantics:
    """Seven metrics in windows of ten seconds, by segment or in all."""
    metrics = (
        MetricSpec(name="volume", kind=MetricKind.COUNT),
        MetricSpec(name="amount", kind=MetricKind.MEAN, field="amount"),
        MetricSpec(name="spread", kind=MetricKind.SD, field="amount"),
        MetricSpec(name="slow", kind=MetricKind.QUANTILE, field="latency", q=0.95),
        MetricSpec(name="no_email", kind=MetricKind.NULL_RATE, field="email"),
        MetricSpec(name="failed", kind=MetricKind.PROPORTION, where="status == 'failed'"),
        MetricSpec(name="late_by", kind=MetricKind.LAG),
    )
    stream = StreamSpec(
        name="bench",
        topic=topic,
        event_time=EventTime(field="at", unit="ms"),
        window_us=WINDOW_US,
        disorder_us=2_000_000,
        segment_by=("country",) if segmented else (),
        metrics=metrics,
        clock="log",
        max_open_windows=1_000_000,  # nothing answers here: one role alone is measured
        clean_topic=clean,
        quarantine_topic=quarantine,
    )
    return Semantics(app=app, chart_partitions=4, streams=(stream,))


def local(address: str) -> KafkaLocal:
    """One broker on this machine."""
    return KafkaLocal({"bootstrap_servers": address}, replication_factor=1, min_insync_replicas=1)


def name(segment: int) -> str:
    """Of a segment."""
    return f"C{segment:03d}"


def fill(address: str, topic: str, records: int, segments: int) -> float:
    """Produce the records; mean bytes of a value."""
    chance, encode = random.Random(7), msgspec.json.encode
    kafka = KafkaPython(local(address))
    admin = kafka.admin()
    create(admin, [TopicPlan(topic, PARTITIONS, {"retention.ms": "-1"})], 1)
    admin.close()
    producer, total = kafka.producer(f"bench-{topic}"), 0
    for chunk in range(0, records, _CHUNK):
        values: list[list[bytes | None]] = [[] for _ in range(PARTITIONS)]
        stamps: list[list[int]] = [[] for _ in range(PARTITIONS)]
        for i in range(chunk, min(records, chunk + _CHUNK)):
            at = BEGIN_MS + i * 1000 // RATE
            record = {
                "id": f"{i:012d}",
                "at": at - chance.randrange(1500),
                "country": name(chance.randrange(segments)),
                "amount": round(chance.lognormvariate(3, 0.6), 2),
                "latency": round(chance.expovariate(0.02), 3),
                "status": "failed" if chance.random() < 0.01 else "done",
                "email": None if chance.random() < 0.02 else "someone@example.org",
                "note": "x" * 40,
            }
            value = encode(record)
            total += len(value)
            values[i % PARTITIONS].append(value)
            stamps[i % PARTITIONS].append(at)
        sends = [Send(Place(topic, p), [None] * len(values[p]), values[p], None, stamps[p]) for p in range(PARTITIONS)]
        producer.transact(sends, {}, None, None, 60.0)
    producer.close()
    return total / records


def measured(work: Callable[[], int]) -> dict[str, float]:
    """Wall and CPU seconds (all threads, user and system) of a call that returns the number of records."""
    wall, cpu = time.perf_counter(), sum(os.times()[:2])
    records = work()
    return {"records": records, "wall": time.perf_counter() - wall, "cpu": sum(os.times()[:2]) - cpu}
