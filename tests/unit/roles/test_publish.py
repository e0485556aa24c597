"""The role that notifies a topic, on Kafka in memory."""

from __future__ import annotations

import contextlib

import msgspec
import pytest

from streamspc.effect.sender import build
from streamspc.kafka_io import STEPS, Crash, MemoryKafka, topics
from streamspc.kafka_io.memory import Log
from streamspc.kafka_io.port import Place, Send, TopicPlan
from streamspc.model import Alerting, KafkaLocal, ReceiverLocal, Route, Semantics, Signal, StreamSpec
from streamspc.roles import hearing
from streamspc.roles.hearing import Times
from streamspc.roles.publish import PublishRole

SEMANTICS = Semantics(app="app", chart_partitions=1, streams=(StreamSpec(name="s", topic="t", metrics=()),))
LOCAL = KafkaLocal({}, replication_factor=1, min_insync_replicas=1)
SIGNALS = Place(topics.names("app").signals, 0)
PLACES = [Place("alerts", partition) for partition in range(3)]
RECEIVER = ReceiverLocal("topic", "kafka", topic="alerts")


@pytest.fixture
def log(monkeypatch):
    """A Kafka in which no poll waits."""
    monkeypatch.setattr(hearing, "POLL", 0.0)
    log = Log(clock=lambda: 0)
    MemoryKafka(log).admin().create([*topics.plans(SEMANTICS, LOCAL, {"t": TopicPlan("t", 1)}), TopicPlan("alerts", 3)], 1)
    return log


def say(log, *signals):
    """Chart says these."""
    sends = [Send(SIGNALS, [b"k"] * len(signals), list(map(msgspec.json.encode, signals)))]
    MemoryKafka(log).producer("chart").transact(sends, {}, None, None, 10.0)


def signal(number, kind="open"):
    """A signal of an episode."""
    return Signal(kind=kind, stream="s", config="c", episode=f"e{number}", metric="m", opened=number)


def role(log, at=lambda step: None, until_end=False):
    """A process that publishes, connected."""
    alerting, times = Alerting(Route(("topic",), {}, ("episode",), 0, 0, 10**15)), Times(lambda: 10**12, lambda: 0.0, lambda: 0.5)
    made = PublishRole(MemoryKafka(log, at), SEMANTICS, build(RECEIVER, SEMANTICS), alerting, LOCAL, until_end, times)
    made.connect()
    return made


def turns(one, n=4):
    """Some turns; True when the last one finished."""
    return [one.turn() for _ in range(n)][-1]


def published(log):
    """What is in the topic, by partition: headers and (episode, status)."""
    reader = MemoryKafka(log).read(PLACES)
    found = []
    while batches := reader.poll(0.0, 100):
        for batch in batches:
            for headers, value in zip(batch.headers or [], batch.values, strict=True):
                body = msgspec.json.decode(value or b"")
                found.append((batch.partition, dict(headers), body["episodes"][0]["id"], body["status"]))
    return found


def test_messages_are_records_with_headers(log):
    """Each is a CloudEvent; those of a group are in one partition, in their order; groups spread."""
    say(log, *(signal(i) for i in range(12)))
    one = role(log)
    turns(one)
    say(log, *(signal(i, "resolve") for i in range(12)))
    turns(one)
    found = published(log)

    assert {headers["ce_type"] for _, headers, _, _ in found} == {b"io.streamspc.episodes.v1"}
    assert len({headers["ce_id"] for _, headers, _, _ in found}) == 24
    for i in range(12):
        mine = [(partition, status) for partition, _, episode, status in found if episode == f"e{i}"]
        assert [status for _, status in mine] == ["firing", "resolved"]
        assert len({partition for partition, _ in mine}) == 1
    assert len({partition for partition, *_ in found}) > 1
    assert one.meters.counts["spc_notifications_total", ("topic", "sent")] == 24


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("transaction", range(2))
def test_crash_at_every_step(log, step, transaction):
    """Killed anywhere, each message is in the topic exactly once."""
    steps = []

    def at(name):
        steps.append(name)
        if name == step and steps.count(name) == transaction + 1:
            raise Crash

    say(log, signal(1), signal(2))
    one = role(log, at)
    with contextlib.suppress(Crash):
        turns(one)
        say(log, signal(1, "resolve"))
        turns(one)
    crashed = steps[-1] == step and steps.count(step) == transaction + 1
    one.kafka.kill()
    heir = role(log)
    turns(heir)
    if len(log.partitions[SIGNALS].entries) < 4:
        say(log, signal(1, "resolve"))
    turns(heir)

    assert crashed
    assert sorted((episode, status) for _, _, episode, status in published(log)) == [("e1", "firing"), ("e1", "resolved"), ("e2", "firing")]


def test_finishes_at_the_end_of_time(log):
    """With until_end it finishes when all is published, however long a group would wait."""
    one = role(log, until_end=True)
    one.alerting = one.book.alerting = Alerting(Route(("topic",), {}, group_wait=10**12))
    say(log, signal(1), Signal(kind="end", stream="s", config="c"))

    assert turns(one)
    assert [status for *_, status in published(log)] == ["firing"]
