import threading
import time

import pytest

from streamspc.errors import Fatal, Fenced, Transient
from streamspc.kafka_io import Crash, MemoryKafka
from streamspc.kafka_io.port import Committed, Place, Send, TopicPlan

_PLACE = Place("t", 0)


@pytest.fixture
def kafka():
    made = MemoryKafka()
    made.admin().create([TopicPlan("t", 3)], 1)
    return made


def _crash_at(step):
    def crash(now):
        if now == step:
            raise Crash

    return crash


def _write(producer, *values, place=_PLACE):
    producer.transact([Send(place, [None] * len(values), values)], {}, None, None, 1.0)


def test_a_poll_wakes_when_records_come(kafka):
    """A role's thread does not sleep its time-out away."""
    reader, producer = kafka.read([_PLACE]), kafka.producer("p")
    timer = threading.Timer(0.1, _write, [producer, b"x"])
    began = time.monotonic()
    timer.start()
    batches = reader.poll(10.0, 10)

    assert [batch.values for batch in batches] == [[b"x"]]
    assert time.monotonic() - began < 5.0


def test_a_killed_process_leaves_its_groups_and_its_transactions(kafka):
    """After the time-outs of the brokers the next member owns all, and readers go past what was left open."""
    dying = MemoryKafka(kafka.log, _crash_at("acknowledged"))
    dying.subscribe("g", ["t"]).poll(0, 1)
    with pytest.raises(Crash):
        _write(dying.producer("p"), b"lost")
    survivor, reader = kafka.subscribe("g", ["t"]), kafka.read([_PLACE])
    survivor.poll(0, 1)
    _write(kafka.producer("other"), b"kept")
    before = (len(survivor.assignment()), reader.poll(0, 10))
    dying.kill()
    survivor.poll(0, 1)

    assert before == (1, [])
    assert len(survivor.assignment()) == 3
    assert [batch.values for batch in reader.poll(0, 10)] == [[b"kept"]]


def test_a_producer_whose_transaction_timed_out_is_fenced(kafka):
    """It went on after the brokers had given it up: nothing that it still sends is stored."""
    producer = kafka.producer("p")
    kafka.kill()

    with pytest.raises(Fenced):
        _write(producer, b"late")


def test_a_killed_process_does_not_hurt_its_successor(kafka):
    """The new holder of an id keeps it when the old process is declared dead."""
    dying = MemoryKafka(kafka.log)
    dying.producer("p")
    producer = kafka.producer("p")
    dying.kill()
    _write(producer, b"x")

    assert len(kafka.read([_PLACE]).poll(0, 10)) == 1


def test_committed_waits_for_the_open_transaction(kafka):
    """An offset that a crash left open is not guessed: it is there, or not, once the transaction has ended."""
    dying = MemoryKafka(kafka.log, _crash_at("offsets"))
    member = dying.subscribe("g", ["t"])
    member.poll(0, 1)
    with pytest.raises(Crash):
        dying.producer("p").transact([], {_PLACE: Committed(3, "m")}, member, member.group_token(), 1.0)
    with pytest.raises(Transient):
        member.committed([_PLACE])
    kafka.producer("p")

    assert member.committed([_PLACE]) == {_PLACE: None}


def test_members_of_a_group_share_by_range(kafka):
    """As Kafka's range assignor does: the first members get one more."""
    members = [kafka.subscribe("g", ["t"]) for _ in range(2)]
    for member in members:
        member.poll(0, 1)

    assert [sorted(place.partition for place in member.assignment()) for member in members] == [[0, 1], [2]]


def test_a_static_instance_takes_over(kafka):
    """The older holder of the instance learns that it is out."""
    old = kafka.subscribe("g", ["t"], instance="pod-0")
    old.poll(0, 1)
    new = kafka.subscribe("g", ["t"], instance="pod-0")
    new.poll(0, 1)

    assert len(new.assignment()) == 3
    with pytest.raises(Fenced):
        old.poll(0, 1)


def test_the_clock_stamps_what_brings_no_timestamp():
    """A test decides what time it is."""
    kafka = MemoryKafka()
    kafka.log.clock = lambda: 77
    kafka.admin().create([TopicPlan("t", 1)], 1)
    _write(kafka.producer("p"), b"x")

    assert kafka.read([_PLACE]).poll(0, 1)[0].timestamps.tolist() == [77]


def test_an_unknown_topic_is_an_error(kafka):
    """Readers and members are told at once, writers when they write."""
    with pytest.raises(Fatal):
        kafka.read([Place("nope", 0)])
    with pytest.raises(Fatal):
        kafka.subscribe("g", ["nope"])
    with pytest.raises(Transient):
        _write(kafka.producer("p"), b"x", place=Place("nope", 0))
    with pytest.raises(Fatal):
        kafka.read([_PLACE]).committed([_PLACE])


def test_partitions_take_turns(kafka):
    """A full partition does not starve the others."""
    a, b = Place("t", 0), Place("t", 1)
    _write(kafka.producer("p"), *[b"x"] * 10, place=a)
    _write(kafka.producer("p"), *[b"y"] * 10, place=b)
    reader = kafka.read([a, b])

    assert [reader.poll(0, 5)[0].partition for _ in range(4)] == [0, 1, 0, 1]
