"""The two ways in which a consumer reads, columns at once and the library's records one by one, on logs of Apache Kafka."""

from __future__ import annotations

import itertools
import time

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from structlog.testing import capture_logs

from streamspc.kafka_io import KafkaPython, fetcher, shape
from streamspc.kafka_io.port import Place, TopicPlan
from streamspc.kafka_io.records import ColumnRecords, PartitionRecords
from streamspc.model import KafkaLocal

pytestmark = pytest.mark.kafka

_NAMES = itertools.count()
_WAIT = 20.0
_HEADERS = [None, [], [("a", b"1"), ("a", None), ("", b""), ("é", b"\xff" * 200)]]


@pytest.fixture
def kafka(broker):
    return KafkaPython(KafkaLocal({"bootstrap_servers": broker.address}, fetch_wait=0.5))


@pytest.fixture
def topic(kafka):
    """Makes topics of one partition with settings."""
    admin = kafka.admin()

    def make(**settings):
        name = f"both-{next(_NAMES)}"
        admin.create([TopicPlan(name, 1, {key.replace("_", "."): text for key, text in ({"retention_ms": "-1"} | settings).items()})], 1)
        return Place(name, 0)

    yield make
    admin.close()


def write(broker, place, rows, **options):
    """Records of a foreign client, in small batches; returns when the broker has them."""
    producer = Producer({"bootstrap.servers": broker.address, "linger.ms": 5, "batch.num.messages": 7} | options)
    fill(producer, place, rows)
    assert producer.flush(_WAIT) == 0


def fill(producer, place, rows):
    """Null and empty keys and values, headers of all kinds, times that go back and forth."""
    for row in rows:
        producer.produce(
            place.topic,
            partition=place.partition,
            key=[None, b"", b"key-%d" % row][row % 3],
            value=[b"%d" % row, None, b"", b"x" * (row * 37 % 700)][row % 4],
            headers=_HEADERS[row % 5 % 3],
            timestamp=1_700_000_000_000 + row * 997 % 100_000,
        )


def alter(broker, kind, name, setting, text):
    """One setting of the broker or of a topic."""
    entry = ConfigEntry(setting, text, incremental_operation=AlterConfigOpType.SET)
    client = AdminClient({"bootstrap.servers": broker.address})
    for done in client.incremental_alter_configs([ConfigResource(kind, name, incremental_configs=[entry])]).values():
        done.result(_WAIT)


def read(kafka, place, n, begin=0):
    """All records from `begin` on by polls of n, as rows that hold every column; and where it ends."""
    reader = kafka.read([place])
    found: list[tuple[object, ...]] = []
    try:
        reader.seek(place, begin)
        stable, end = reader.bounds([place])[place][1], time.monotonic() + _WAIT
        while reader.position(place) < stable:
            assert time.monotonic() < end, "the end was not reached"
            for batch in reader.poll(0.5, n):
                assert 0 < len(batch) <= n
                assert batch.next > batch.offsets[-1]
                assert batch.headers is None or any(batch.headers)
                assert {type(text) for text in [*batch.keys, *batch.values]} <= {bytes, type(None)}
                assert batch.offsets.dtype == batch.timestamps.dtype == "int64"
                headers = batch.headers or [[]] * len(batch)
                found += zip(batch.offsets.tolist(), batch.timestamps.tolist(), batch.keys, batch.values, headers, strict=True)
        return found, reader.position(place)
    finally:
        reader.close()


def both(kafka, place, n, begin=0):
    """What both ways find; they are checked to be two ways, and to agree."""
    found = []
    for kind in (ColumnRecords, PartitionRecords):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fetcher, "columns_fit", lambda kind=kind: kind is ColumnRecords)
            other = PartitionRecords if kind is ColumnRecords else ColumnRecords
            patch.setattr(other, "columns", None)  # it is not to be asked
            found.append(read(kafka, place, n, begin))
    assert found[0] == found[1]
    return found[0][0]


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_every_codec(broker, kafka, topic, codec):
    """Packed by a foreign client in many small batches and one large one, read in polls of any size, from within a batch."""
    place = topic()
    write(broker, place, range(200), **{"compression.type": codec})
    write(broker, place, range(200, 900), **{"compression.type": codec, "batch.num.messages": 10_000, "linger.ms": 100})

    assert [row[0] for row in both(kafka, place, 10_000)] == list(range(900))
    for n, begin in ((1, 870), (3, 850), (50, 3), (10_000, 5), (10_000, 899)):
        assert [row[0] for row in both(kafka, place, n, begin)] == list(range(begin, 900))


def test_transactions_that_were_aborted(broker, kafka, topic):
    """Two writers at once, one commits and one aborts: neither way shows aborted records or markers, from whatever offset."""
    place = topic()
    good, bad = (Producer({"bootstrap.servers": broker.address, "transactional.id": f"{place.topic}-{name}"}) for name in "ab")
    for producer in (good, bad):
        producer.init_transactions(_WAIT)
    for turn in range(3):
        for producer in (good, bad):
            producer.begin_transaction()
        for half in range(2):
            for producer in (good, bad):
                fill(producer, place, range(turn * 100 + half * 10, turn * 100 + half * 10 + 10))
                producer.flush(_WAIT)
        bad.abort_transaction(_WAIT)
        good.commit_transaction(_WAIT)
    rows = both(kafka, place, 1000)

    assert len(rows) == 60
    assert rows[-1][0] == 2 * 42 + 29  # each turn is ten and ten twice, and two markers; the last ten are aborted
    for begin in range(0, 126, 23):
        assert both(kafka, place, 13, begin) == [row for row in rows if row[0] >= begin]


def test_a_compacted_topic(broker, kafka, topic):
    """Gaps within batches, batches without any record left, and a start at an offset that is gone."""
    alter(broker, ResourceType.BROKER, "1", "log.cleaner.backoff.ms", "200")
    tight = {"segment_ms": "100", "min_cleanable_dirty_ratio": "0.0", "delete_retention_ms": "0", "max_compaction_lag_ms": "100"}
    place = topic(cleanup_policy="compact", **tight)
    for turn in range(3):
        producer = Producer({"bootstrap.servers": broker.address, "linger.ms": 50, "enable.idempotence": True})
        for row in range(40):
            key = b"%d-%d" % (turn, row) if turn and row % 2 else b"the same"
            producer.produce(place.topic, b"%d" % row, key, partition=0, timestamp=1_600_000_000_000 + turn * 1000)
        assert producer.flush(_WAIT) == 0
    end = time.monotonic() + 60
    while len(read(kafka, place, 1000)[0]) > 80:
        assert time.monotonic() < end, "the log was not compacted"
        write(broker, place, [2])  # a segment ends when something comes after it
    alter(broker, ResourceType.TOPIC, place.topic, "cleanup.policy", "delete")  # it is to stay as it is now
    while read(kafka, place, 1000) != read(kafka, place, 1000):
        assert time.monotonic() < end, "the log did not come to rest"
    rows = both(kafka, place, 1000)

    assert rows[0][0] > 0
    assert any(later[0] - row[0] > 1 for row, later in itertools.pairwise(rows))
    for begin in (0, 1, rows[0][0] + 1, rows[-1][0]):
        assert both(kafka, place, 9, begin) == [row for row in rows if row[0] >= begin]


def test_the_time_of_the_broker(broker, kafka, topic):
    """Where the log's time is the broker's, it is that of the batch, not what the records say."""
    place, before = topic(message_timestamp_type="LogAppendTime"), time.time() * 1000 - 1000
    write(broker, place, range(50))
    rows = both(kafka, place, 20)

    assert len(rows) == 50
    assert all(before < row[1] < before + 60_000 for row in rows)


def test_another_shape_of_the_library_costs_speed_and_nothing_else(broker, kafka, topic, monkeypatch):
    """With a release that was not tried there is one warning, and the same records come one by one."""
    place = topic()
    write(broker, place, range(30))
    shape.columns_fit.cache_clear()
    monkeypatch.setattr("kafka.__version__", "3.1.0")
    monkeypatch.setattr(ColumnRecords, "columns", None)
    with capture_logs() as logs:
        slow = [read(kafka, place, 1000) for _ in range(2)]
    monkeypatch.undo()
    shape.columns_fit.cache_clear()

    assert slow == [read(kafka, place, 1000)] * 2
    assert [(entry["log_level"], entry["differs"]) for entry in logs] == [("warning", ["version 3.1.0"])]
