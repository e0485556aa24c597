"""Ready or not, how far behind, and what holds it back."""

from __future__ import annotations

import time

import pytest

from driving import produce
from streamspc.errors import Transient
from streamspc.kafka_io.memory import MemoryKafka
from streamspc.kafka_io.memory.log import Entry, State, Transaction
from streamspc.kafka_io.port import Place, TopicPlan
from streamspc.roles import meters as module
from streamspc.roles.meters import Lag, Meters
from streamspc.roles.pulse import Pulse

PLACE = Place("source", 0)


@pytest.fixture
def kafka():
    """A topic of one partition with five records."""
    found = MemoryKafka()
    admin = found.admin()
    admin.create([TopicPlan("source", 1)], 1)
    produce(found, "source", [(0, None, b"x", 1)] * 5)
    return found


def joined(kafka):
    """A member of a group that knows its assignment, and the meters and the lag of its role."""
    consumer = kafka.subscribe("group", ["source"])
    consumer.poll(0.0, 1)
    for place in consumer.assignment():
        consumer.seek(place, 0)
    meters = Meters("observe")
    return consumer, meters, Lag(meters, "s", "source")


def test_ready_is_who_has_partitions_and_hears_brokers(monkeypatch):
    """Not before the first assignment; after it while a broker has answered in the last thirty seconds."""
    meters, now = Meters("observe"), [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    assert meters.view("observe.s").not_ready_because == ("observe.s: waiting for partitions",)
    meters.restored()
    now[0] += 29.0
    assert meters.view("observe.s").ready
    now[0] += 2.0
    assert meters.view("observe.s").not_ready_because == ("observe.s: no broker has answered for 31 s",)
    with meters.transaction():
        now[0] += 100.0
    assert meters.view("observe.s").ready


def test_a_member_without_partitions_asks_as_well(kafka):
    """A standby has no lag, and hears of brokers that are away."""
    _, meters, lag = joined(kafka)
    monopolist = kafka.subscribe("other", ["source"])
    monopolist.poll(0.0, 1)
    standby = kafka.subscribe("other", ["source"])
    standby.poll(0.0, 1)
    assert standby.assignment() == frozenset()
    lag.look(standby, Pulse())

    assert time.monotonic() - meters.answered < 5.0
    assert list(lag.rows) == []


def test_brokers_that_do_not_answer_leave_no_sign(kafka, monkeypatch):
    """A look that fails is no answer."""
    consumer, meters, lag = joined(kafka)

    def away(places):
        raise Transient("away")

    monkeypatch.setattr(consumer, "bounds", away)
    with pytest.raises(Transient):
        lag.look(consumer, Pulse())

    assert meters.answered < 0


def test_an_open_transaction_ages(kafka, monkeypatch):
    """Records behind an open transaction are told with the time for which they wait; when it ends, that is 0."""
    monkeypatch.setattr(module, "LAG_EVERY", 0.0)
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    consumer, _, lag = joined(kafka)

    def age():
        lag.look(consumer, Pulse())
        return dict(lag.families()["spc_last_stable_offset_age_seconds"])["observe", "s", "0"]

    assert age() == 0.0
    transaction = Transaction()
    with kafka.log.changed:
        kafka.log.partitions[PLACE].entries.append(Entry(transaction, marker=False, value=b"open"))
    assert age() == 0.0
    now[0] += 40.0
    assert age() == 40.0
    now[0] += 40.0
    assert age() == 80.0
    with kafka.log.changed:
        transaction.state = State.COMMITTED
    assert age() == 0.0
    assert dict(lag.rows)["observe", "s", "0"] == 7.0
