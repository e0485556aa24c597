"""Records a second, and a CPU second, of observe beside a bare kafka-python poll loop on the same topic in the same run.

    make bench [ARGS="--records 1000000 --rounds 3 --segments 50 --json"]

Each measurement is a process of its own (imports and connecting are left out); CPU is user and system time of all its threads.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from streamspc.demo.broker import Broker
from streamspc.kafka_io import KafkaPython
from streamspc.kafka_io.port import Place, Send, TopicPlan
from streamspc.kafka_io.topics import create, plans
from streamspc.model import EventTime, KafkaLocal, MetricKind, MetricSpec, Semantics, StreamSpec
from streamspc.roles.control import ensure
from streamspc.roles.ends import AtStart
from streamspc.roles.observe import ObserveRole

TOPIC, PARTITIONS = "bench.records", 8
WINDOW_US = 10_000_000
RATE = 2_000  # records a second of event time


def semantics(app: str, segments: int) -> Semantics:
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
        topic=TOPIC,
        event_time=EventTime(field="at", unit="ms"),
        window_us=WINDOW_US,
        disorder_us=2_000_000,
        segment_by=("country",) if segments > 1 else (),
        metrics=metrics,
        clock="log",
        max_open_windows=1_000_000,  # nothing answers here: observe alone is measured
    )
    return Semantics(app=app, chart_partitions=4, streams=(stream,))


def local(address: str) -> KafkaLocal:
    """One broker on this machine."""
    return KafkaLocal({"bootstrap_servers": address}, replication_factor=1, min_insync_replicas=1)


def fill(address: str, records: int, segments: int) -> float:
    """Produce the records; mean bytes of a value."""
    chance, encode = random.Random(7), msgspec.json.encode
    kafka = KafkaPython(local(address))
    admin = kafka.admin()
    create(admin, [TopicPlan(TOPIC, PARTITIONS, {"retention.ms": "-1"})], 1)
    admin.close()
    producer, total, begin = kafka.producer("bench"), 0, 1_700_000_000_000
    for chunk in range(0, records, 40_000):
        values: list[list[bytes | None]] = [[] for _ in range(PARTITIONS)]
        stamps: list[list[int]] = [[] for _ in range(PARTITIONS)]
        for i in range(chunk, min(records, chunk + 40_000)):
            at = begin + i * 1000 // RATE
            record = {
                "id": f"{i:012d}",
                "at": at - chance.randrange(1500),
                "country": f"C{chance.randrange(segments):03d}",
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
        sends = [Send(Place(TOPIC, p), [None] * len(values[p]), values[p], None, stamps[p]) for p in range(PARTITIONS)]
        producer.transact(sends, {}, None, None, 60.0)
    producer.close()
    return total / records


def measured(work) -> dict[str, float]:
    """Wall and CPU seconds of a call that returns the number of records."""
    wall, cpu = time.perf_counter(), sum(os.times()[:2])
    records = work()
    return {"records": records, "wall": time.perf_counter() - wall, "cpu": sum(os.times()[:2]) - cpu}


def bare(address: str, records: int, _segments: int) -> dict[str, float]:
    """A poll loop of kafka-python that counts records."""
    from kafka import KafkaConsumer, TopicPartition

    settings = {"isolation_level": "read_committed", "enable_auto_commit": False, "auto_offset_reset": "earliest"}
    consumer = KafkaConsumer(bootstrap_servers=address, group_id=None, max_partition_fetch_bytes=8_388_608, **settings)
    consumer.assign([TopicPartition(TOPIC, p) for p in range(PARTITIONS)])

    def work() -> int:
        seen = 0
        while seen < records:
            for batch in consumer.poll(timeout_ms=1000, max_records=20_000).values():
                seen += len(batch)
        return seen

    result = measured(work)
    consumer.close()
    return result


def observe(address: str, records: int, segments: int) -> dict[str, float]:
    """The observe role of a new application, until the end."""
    kafka, spec = KafkaPython(local(address)), semantics(f"bench-{os.getpid()}", segments)
    admin = kafka.admin()
    create(admin, plans(spec, local(address), {TOPIC: TopicPlan(TOPIC, PARTITIONS)}), 1)
    admin.close()
    ensure(kafka, spec, lambda *_: [])
    role = ObserveRole(kafka, spec, "bench", local(address), AtStart())
    role.connect()
    while not role.sources:
        role.turn()

    def work() -> int:
        while not role.turn():
            pass
        return int(role.meters.counts["spc_records_total", ("bench", "observe", "read")])

    result = measured(work)
    role.disconnect()
    assert result["records"] == records, f"{result['records']} of {records} records"
    return result


WAYS = {"bare": bare, "observe": observe}


def one(way: str, address: str, records: int, segments: int) -> dict[str, float]:
    """One measurement in a process of its own."""
    command = [sys.executable, str(Path(__file__)), "--way", way, "--address", address, "--records", str(records)]
    done = subprocess.run([*command, "--segments", str(segments)], check=True, stdout=subprocess.PIPE, timeout=900)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def compare(records: int, segments: int, rounds: int, as_json: bool) -> int:
    """Interleaved rounds; medians and the ratio of each round."""
    with Broker() as broker:
        size = fill(broker.address, records, segments)
        runs: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
        for _ in range(rounds):
            for way, done in runs.items():
                done.append(one(way, broker.address, records, segments))
    speed = {way: [run["records"] / run["cpu"] for run in done] for way, done in runs.items()}
    wall = {way: [run["records"] / run["wall"] for run in done] for way, done in runs.items()}
    ratios = [o / b for o, b in zip(speed["observe"], speed["bare"], strict=True)]
    result = {
        "records": records,
        "record_bytes": round(size),
        "segments": segments,
        "rounds": rounds,
        "broker": broker.version,
        "records_per_cpu_second": {way: round(statistics.median(values)) for way, values in speed.items()},
        "records_per_second": {way: round(statistics.median(values)) for way, values in wall.items()},
        "ratio_per_cpu_second": {"median": statistics.median(ratios), "min": min(ratios), "max": max(ratios)},
    }
    if as_json:
        print(json.dumps(result))
        return 0
    print(f"{records:,} records of {size:.0f} B, 7 metrics, {segments} segments, {rounds} rounds, Apache Kafka {broker.version}")
    for way in WAYS:
        print(f"{way:>8}  {statistics.median(wall[way]):>9,.0f} records/s  {statistics.median(speed[way]):>9,.0f} records/CPU s")
    print(f"observe / bare per CPU second: {statistics.median(ratios):.2f} (rounds {min(ratios):.2f} to {max(ratios):.2f}); required 0.70")
    return 0 if statistics.median(ratios) >= 0.7 else 1


def main() -> int:
    """Compare, or be one of the measured processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--segments", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--way", choices=list(WAYS), help=argparse.SUPPRESS)
    parser.add_argument("--address", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.way:
        print(json.dumps(WAYS[args.way](args.address, args.records, args.segments)))
        return 0
    return compare(args.records, args.segments, args.rounds, args.json)


if __name__ == "__main__":
    sys.exit(main())
