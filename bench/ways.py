"""The measured loops, each in a process of its own: `python -m bench.ways WAY ADDRESS TOPIC RECORDS` prints its seconds as JSON.

Imports, connecting and the first assignment are left out of the measurement.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import msgspec
from bench.stage import BEGIN_MS, PARTITIONS, WINDOW_US, local, measured, name, semantics

from streamspc.kafka_io import KafkaPython
from streamspc.kafka_io.port import Place, Send, TopicPlan
from streamspc.kafka_io.topics import create, names, plans
from streamspc.model import END, NEVER, Judged, Rejection, Semantics
from streamspc.roles.control import ensure
from streamspc.roles.ends import AtStart
from streamspc.roles.gate import GateRole
from streamspc.roles.observe import ObserveRole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafka import KafkaConsumer

REJECTED = 20  # one segment in so many is rejected in each window, where records are rejected


def _consumer(address: str, topic: str) -> KafkaConsumer:
    from kafka import KafkaConsumer, TopicPartition

    settings = {"isolation_level": "read_committed", "enable_auto_commit": False, "auto_offset_reset": "earliest"}
    consumer = KafkaConsumer(bootstrap_servers=address, group_id=None, max_partition_fetch_bytes=8_388_608, **settings)
    consumer.assign([TopicPartition(topic, p) for p in range(PARTITIONS)])
    return consumer


def bare(address: str, topic: str, records: int) -> dict[str, float]:
    """A poll loop of kafka-python that counts records."""
    consumer = _consumer(address, topic)

    def work() -> int:
        seen = 0
        while seen < records:
            for batch in consumer.poll(timeout_ms=1000, max_records=20_000).values():
                seen += len(batch)
        return seen

    result = measured(work)
    consumer.close()
    return result


def copy(address: str, topic: str, records: int) -> dict[str, float]:
    """A loop of kafka-python that polls records and sends each on, as it is, waiting for all before it polls again."""
    from kafka import KafkaProducer

    target = f"{topic}.copy-{os.getpid()}"
    admin = KafkaPython(local(address)).admin()
    create(admin, [TopicPlan(target, PARTITIONS, {"retention.ms": "-1"})], 1)
    admin.close()
    consumer = _consumer(address, topic)
    producer = KafkaProducer(bootstrap_servers=address, compression_type="lz4", batch_size=262_144, linger_ms=5, acks="all")
    producer.partitions_for(target)

    def work() -> int:
        seen = 0
        while seen < records:
            for place, batch in consumer.poll(timeout_ms=1000, max_records=20_000).items():
                for it in batch:
                    more = {"headers": it.headers, "partition": place.partition, "timestamp_ms": it.timestamp}
                    producer.send(target, value=it.value, key=it.key, **more)
                seen += len(batch)
            producer.flush()
        return seen

    result = measured(work)
    consumer.close()
    producer.close()
    return result


def fetch(address: str, topic: str, records: int) -> dict[str, float]:
    """The fetch stage of our roles: columns of keys, values, times and offsets, no value looked at."""
    consumer = KafkaPython(local(address)).read([Place(topic, p) for p in range(PARTITIONS)])

    def work() -> int:
        seen = 0
        while seen < records:
            seen += sum(map(len, consumer.poll(1.0, local(address).batch_records)))
        return seen

    result = measured(work)
    consumer.close()
    return result


def _role(role: ObserveRole | GateRole) -> dict[str, float]:
    """A role of a new application, until the end of the topic."""
    role.connect()
    while not role.sources:
        role.turn()

    def work() -> int:
        while not role.turn():
            pass
        kind = role.name.partition(".")[0]
        return int(role.meters.counts["spc_records_total", ("bench", kind, "read")])

    result = measured(work)
    role.disconnect()
    return result


def _application(address: str, topic: str, segmented: bool, clean: bool, quarantine: bool) -> tuple[KafkaPython, Semantics]:
    app = f"bench-{os.getpid()}"
    kafka = KafkaPython(local(address))
    spec = semantics(app, topic, segmented, f"{app}.clean" if clean else None, f"{app}.bad" if quarantine else None)
    admin = kafka.admin()
    create(admin, plans(spec, local(address), {topic: TopicPlan(topic, PARTITIONS)}), 1)
    admin.close()
    ensure(kafka, spec, lambda *_: [])
    return kafka, spec


def _observe(address: str, topic: str, segmented: bool) -> dict[str, Any]:
    kafka, spec = _application(address, topic, segmented, clean=False, quarantine=False)
    return {**_role(ObserveRole(kafka, spec, "bench", local(address), AtStart())), "tallies": names(spec.app).tallies}


def observe(address: str, topic: str, _records: int) -> dict[str, Any]:
    """Observe by segment."""
    return _observe(address, topic, segmented=True)


def unsegmented(address: str, topic: str, _records: int) -> dict[str, Any]:
    """Observe without segments."""
    return _observe(address, topic, segmented=False)


def _verdicts(spec: Semantics, records: int, rejecting: bool) -> Iterator[Rejection | Judged]:
    """Every window judged; with `rejecting`, some segments of each rejected."""
    begin = BEGIN_MS * 1000 // WINDOW_US * WINDOW_US - WINDOW_US
    about: dict[str, Any] = {"stream": "bench", "config": spec.hash()}
    for start in range(begin, begin + records * 500 + 3 * WINDOW_US, WINDOW_US):
        window = {**about, "start": start, "end": start + WINDOW_US}
        count = 50 // REJECTED if rejecting else 0
        for segment in range(count):
            yield Rejection(**window, segment=name(segment), n=400, metric="failed", chart="shewhart", value=0.5, ucl=0.1)
        yield Judged(**about, start=start, until=start + WINDOW_US, frontier=start, records=20_000, rejections=count)
    yield Judged(**about, start=NEVER, until=END, frontier=END)


def _gate(address: str, topic: str, records: int, clean: bool, rejecting: bool) -> dict[str, float]:
    kafka, spec = _application(address, topic, segmented=True, clean=clean, quarantine=True)
    written = [msgspec.json.encode(verdict) for verdict in _verdicts(spec, records, rejecting)]
    rest = [msgspec.json.encode(Judged(stream="bench", config=spec.hash(), start=NEVER, until=END, frontier=END))]
    producer = kafka.producer("verdicts")
    sends = [
        Send(Place(names(spec.app).verdicts, p), [b"bench"] * len(values), values)
        for p in range(spec.chart_partitions)
        if (values := rest if p else written)
    ]
    producer.transact(sends, {}, None, None, 60.0)
    producer.close()
    return _role(GateRole(kafka, spec, "bench", local(address), AtStart()))


def gate(address: str, topic: str, records: int) -> dict[str, float]:
    """The gate, clean topic on, everything accepted."""
    return _gate(address, topic, records, clean=True, rejecting=False)


def gate_some(address: str, topic: str, records: int) -> dict[str, float]:
    """The gate, clean topic on, two segments of fifty rejected in each window."""
    return _gate(address, topic, records, clean=True, rejecting=True)


def rejects(address: str, topic: str, records: int) -> dict[str, float]:
    """The gate without a clean topic: two segments of fifty go to quarantine in each window."""
    return _gate(address, topic, records, clean=False, rejecting=True)


WAYS = {way.__name__: way for way in (bare, copy, fetch, observe, unsegmented, gate, gate_some, rejects)}

if __name__ == "__main__":
    chosen, at, source, count = sys.argv[1:]
    print(json.dumps(WAYS[chosen](at, source, int(count))))
