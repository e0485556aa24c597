"""Records that go on as they were polled, on logs of Apache Kafka, as a client sees them that is not ours."""

from __future__ import annotations

import itertools
import time
from typing import Any

import numpy as np
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from streamspc.kafka_io import KafkaPython, batches
from streamspc.kafka_io.port import Place, Send, TopicPlan
from streamspc.model import KafkaLocal, take

pytestmark = pytest.mark.kafka

_NAMES = itertools.count()
_WAIT = 20.0
_HEADERS = [None, [("a", b"1"), ("a", None), ("", b""), ("é", b"\xff" * 200)], []]


@pytest.fixture
def kafka(broker):
    return KafkaPython(KafkaLocal({"bootstrap_servers": broker.address}, fetch_wait=0.5))


@pytest.fixture
def topic(kafka):
    """Makes topics of one partition with settings."""
    admin = kafka.admin()

    def make(**settings):
        name = f"on-{next(_NAMES)}"
        admin.create([TopicPlan(name, 1, {key.replace("_", "."): text for key, text in ({"retention_ms": "-1"} | settings).items()})], 1)
        return Place(name, 0)

    yield make
    admin.close()


def write(broker, place, count, **options):
    """Records of a foreign client in batches of 50: null, empty and large keys and values, headers of all kinds, any order of time."""
    producer = Producer({"bootstrap.servers": broker.address, "linger.ms": 50, "batch.num.messages": 50} | options)
    for row in range(count):
        producer.produce(
            place.topic,
            partition=place.partition,
            key=[None, b"", b"key-%d" % row][row % 3],
            value=[b"%d" % row, None, b"", b"x" * (row * 37 % 700)][row % 4],
            headers=_HEADERS[row % 5 % 3],
            timestamp=1_700_000_000_000 + row * 997 % 100_000,
        )
    assert producer.flush(_WAIT) == 0


def polled(kafka, place):
    """All of a place."""
    reader = kafka.read([place])
    try:
        end, found = reader.bounds([place])[place][1], []
        while reader.position(place) < end:
            found += reader.poll(0.5, 400)
        return found
    finally:
        reader.close()


def foreign(broker, place, count):
    """What a foreign client reads: time, key, value, headers; that many and no more."""
    reader = Consumer(
        {"bootstrap.servers": broker.address, "group.id": "x", "isolation.level": "read_committed", "enable.auto.commit": False}
    )
    reader.assign([TopicPartition(place.topic, place.partition, 0)])
    rows: list[Any] = []
    end = time.monotonic() + _WAIT
    while len(rows) < count and time.monotonic() < end:
        for message in reader.consume(1000, 0.5):
            assert message.error() is None
            rows.append((message.timestamp(), message.key(), message.value(), message.headers() or []))
    rows += [message.value() for message in reader.consume(10, 0.5)]
    reader.close()
    assert len(rows) == count
    return rows


def on(kafka, place, found, keep=lambda batch: np.arange(len(batch))):
    """One transaction that carries these batches on."""
    producer = kafka.producer(f"on-{place.topic}")
    sends = []
    for batch in found:
        rows = keep(batch)
        headers = batch.headers and [batch.headers[row] for row in rows.tolist()]
        stored = batch.stored.take(rows)
        sends.append(Send(place, take(batch.keys, rows), take(batch.values, rows), headers, batch.timestamps[rows], stored))
    try:
        producer.transact(sends, {}, None, None, 20.0)
    finally:
        producer.close()


@pytest.mark.parametrize(("codec", "whole_from"), [*itertools.product(["none", "gzip", "snappy", "lz4", "zstd"], [1, 10**9])])
def test_a_foreign_client_reads_what_it_would_have_read_at_the_source(codec, whole_from, broker, kafka, topic):
    """Time, key, value, headers and order, of every codec, of batches that go on packed as they came and of those that do not."""
    source, clean = topic(), topic()
    write(broker, source, 900, **{"compression.type": codec})
    found = polled(kafka, source)
    assert any(batch.stored.packs for batch in found)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "WHOLE_BYTES", whole_from)
        on(kafka, clean, found)

    assert foreign(broker, clean, 900) == foreign(broker, source, 900)


def test_some_go_on_and_some_do_not(broker, kafka, topic, monkeypatch):
    """Whole batches between such that lost records: the rest comes in order, once."""
    monkeypatch.setattr(batches, "WHOLE_BYTES", 1)
    source, clean = topic(), topic()
    write(broker, source, 900, **{"compression.type": "zstd"})
    on(kafka, clean, polled(kafka, source), lambda batch: np.flatnonzero(batch.offsets % 170 > 3))
    kept = [row for offset, row in enumerate(foreign(broker, source, 900)) if offset % 170 > 3]

    assert foreign(broker, clean, len(kept)) == kept


def test_the_time_of_the_broker_goes_on_as_the_records_time(broker, kafka, topic, monkeypatch):
    """The producer may not say that the broker set it: such batches are made anew, with the time that readers saw."""
    monkeypatch.setattr(batches, "WHOLE_BYTES", 1)
    source, clean = topic(message_timestamp_type="LogAppendTime"), topic()
    write(broker, source, 100)
    on(kafka, clean, polled(kafka, source))
    seen = [(row[0][1], *row[1:]) for row in foreign(broker, source, 100)]

    assert [(row[0][1], *row[1:]) for row in foreign(broker, clean, 100)] == seen


def test_whole_batches_beyond_the_topics_limit_are_split(broker, kafka, topic, monkeypatch):
    """The library takes them apart; nothing is lost, nothing comes twice."""
    monkeypatch.setattr(batches, "WHOLE_BYTES", 1)
    source, clean = topic(), topic(max_message_bytes="3000")
    write(broker, source, 400)
    on(kafka, clean, polled(kafka, source))

    assert foreign(broker, clean, 400) == foreign(broker, source, 400)


def test_a_transaction_that_is_sent_again_after_a_crash_is_there_once(broker, kafka, topic, monkeypatch):
    """Whole batches bear the sequence of their new producer: an aborted try leaves nothing that a reader sees."""
    monkeypatch.setattr(batches, "WHOLE_BYTES", 1)
    source, clean = topic(), topic()
    write(broker, source, 300)
    found = polled(kafka, source)

    def crash(step):
        if step == "acknowledged":
            raise KeyboardInterrupt

    dying = KafkaPython(KafkaLocal({"bootstrap_servers": broker.address}), at=crash)
    with pytest.raises(KeyboardInterrupt):
        on(dying, clean, found)
    for _ in range(2):
        on(kafka, clean, found)

    assert foreign(broker, clean, 600) == foreign(broker, source, 300) * 2
