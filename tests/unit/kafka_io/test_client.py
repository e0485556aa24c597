"""The kafka-python client against Apache Kafka: the traps of the library, one test each."""

from __future__ import annotations

import bisect
import contextlib
import dataclasses
import gc
import itertools
import logging
import os
import random
import signal
import threading
import time
import warnings

import kafka.consumer.fetcher
import kafka.producer.kafka
import pytest

from streamspc.demo.broker import Broker
from streamspc.errors import BadRecord, Fatal, Fenced, Reason, Transient
from streamspc.kafka_io import KafkaPython
from streamspc.kafka_io.fetcher import Fetcher
from streamspc.kafka_io.port import Place, Send, TopicPlan
from streamspc.kafka_io.unpack import BoundedBatch
from streamspc.model import KafkaLocal, Secret

# The library leaves a refused connection's socket to the garbage collector.
pytestmark = [pytest.mark.kafka, pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")]

_NAMES = itertools.count()


def _kafka(broker, at=lambda step: None, **local):
    return KafkaPython(KafkaLocal({"bootstrap_servers": broker.address}, **local), at)


@pytest.fixture
def place(broker):
    """A partition of a new topic; `place` has a neighbour."""
    name = f"client-{next(_NAMES)}"
    with contextlib.closing(_kafka(broker).admin()) as admin:
        admin.create([TopicPlan(name, 2, {"retention.ms": "-1", "max.message.bytes": "20000"})], 1)
    return Place(name, 0)


@pytest.fixture(scope="module")
def stoppable():
    """A broker of its own, which tests stop and kill."""
    with Broker() as running:
        yield running


@pytest.fixture(scope="module", autouse=True)
def _collected():
    """What the library leaves to the garbage collector is collected here, not in another test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def _write(producer, place, *values, deadline=10.0):
    producer.transact([Send(place, [None] * len(values), list(values))], {}, None, None, deadline)


def _values(kafka_, place, seconds=20.0):
    with contextlib.closing(kafka_.read([place])) as reader:
        found, end = [], time.monotonic() + seconds
        while reader.position(place) < reader.bounds([place])[place][1] and time.monotonic() < end:
            found += [value for batch in reader.poll(0.2, 10_000) for value in batch.values]
        return found


@pytest.mark.parametrize("late", ["sent", "acknowledged", "offsets"])
def test_a_transaction_that_the_broker_timed_out_raises(broker, place, late):
    """The library would report it as committed: here it is Fenced, and nothing of it is visible."""

    def wait(step):
        if step == late:
            time.sleep(3.5)

    producer = _kafka(broker, wait, transaction_timeout=2.0).producer(place.topic)
    with pytest.raises(Transient):
        _write(producer, place, b"late")
    with pytest.raises(Fenced):
        _write(producer, place, b"later")

    assert _values(_kafka(broker), place) == []


def test_a_stalled_broker_costs_the_deadline_and_no_more(stoppable):
    """At each step the call ends in time, Transient; afterwards the records are there once or not at all."""
    place, outcomes = Place("stalled", 0), []
    with contextlib.closing(_kafka(stoppable).admin()) as admin:
        admin.create([TopicPlan("stalled", 1)], 1)
    for number, where in enumerate(("begun", "sent", "acknowledged", "offsets")):

        def stall(step, where=where):
            if step == where:
                os.kill(stoppable.pid, signal.SIGSTOP)

        producer = _kafka(stoppable, stall, transaction_timeout=5.0).producer("stalled")
        began = time.monotonic()
        try:
            with pytest.raises(Transient):
                _write(producer, place, b"%d" % number, deadline=1.5)
            outcomes.append(time.monotonic() - began)
        finally:
            os.kill(stoppable.pid, signal.SIGCONT)
    with contextlib.closing(_kafka(stoppable).producer("stalled")) as producer:
        _write(producer, place, b"end")
    found = _values(_kafka(stoppable), place)

    assert max(outcomes) < 5.0
    assert found[-1] == b"end"
    assert len(set(found)) == len(found)
    assert b"0" not in found  # it was never asked to commit
    assert b"1" not in found


def test_what_was_acknowledged_survives_a_killed_broker(stoppable):
    """Kill -9 and start again: the records and offsets of every transaction that returned are there, none twice."""
    place = Place("killed", 0)
    with contextlib.closing(_kafka(stoppable).admin()) as admin:
        admin.create([TopicPlan("killed", 1)], 1)
    done, producer, end = [], _kafka(stoppable).producer("killed"), time.monotonic() + 60
    for number in range(6):
        if number == 3:
            stoppable.kill()
            stoppable.start()
        try:
            _write(producer, place, b"%d" % number)
            done.append(b"%d" % number)
        except Transient:
            producer = None
            while producer is None:
                assert time.monotonic() < end
                with contextlib.suppress(Transient):
                    producer = _kafka(stoppable).producer("killed")
    producer.close()
    found = _values(_kafka(stoppable), place)

    assert [value for value in found if value in done] == done
    assert len(set(found)) == len(found)


def test_an_idle_consumer_costs_next_to_nothing(broker, place):
    """Less than one per cent of a core while it polls an empty topic."""
    with contextlib.closing(_kafka(broker, fetch_wait=5.0).subscribe(place.topic, [place.topic])) as member:
        while member.generation() == 0:
            member.poll(1.0, 10)
        for own in member.assignment():
            member.seek(own, 0)
        member.poll(0.5, 10)
        cpu, began = time.process_time(), time.monotonic()
        for _ in range(4):
            assert member.poll(1.0, 10) == []
        share = (time.process_time() - cpu) / (time.monotonic() - began)

    assert share < 0.01


def test_closing_does_not_wait_for_a_long_fetch(broker, place):
    """SIGTERM is answered at once, whatever the broker holds."""
    reader = _kafka(broker, fetch_wait=10.0).read([place])
    reader.poll(0.5, 10)
    began = time.monotonic()
    reader.close()

    assert time.monotonic() - began < 1.0


def test_threads_end_with_their_clients(broker, place):
    """Clients are made anew after each error: none may leave a thread behind."""
    before = set(threading.enumerate())
    for _ in range(3):
        producer, reader = _kafka(broker).producer(place.topic), _kafka(broker).read([place])
        _write(producer, place, b"x")
        reader.poll(1.0, 10)
        producer.close()
        producer.close()
        reader.close()
    end = time.monotonic() + 5
    while set(threading.enumerate()) - before and time.monotonic() < end:
        time.sleep(0.05)

    assert set(threading.enumerate()) <= before


def test_the_librarys_log_is_not_silenced(broker, place):
    """A collected producer of the library takes the log of all others away; ours puts it back."""
    _kafka(broker).producer(place.topic).close()

    assert isinstance(kafka.producer.kafka.log, logging.Logger)


def test_batches_beyond_the_topics_limit_are_split(broker, place):
    """A batch that is too large for the topic arrives in pieces, in order and whole."""
    noise = random.Random(1)
    values = [b"%05d" % i + noise.randbytes(500) for i in range(300)]
    with contextlib.closing(_kafka(broker).producer(place.topic)) as producer:
        _write(producer, place, *values)
        _write(producer, place, b"end")

    assert _values(_kafka(broker), place) == [*values, b"end"]


def test_a_record_beyond_the_topics_limit_is_fatal_with_its_cure(broker, place):
    """It cannot be split, and no new client helps."""
    producer = _kafka(broker).producer(place.topic)
    with pytest.raises(Fatal, match=r"max\.message\.bytes"):
        _write(producer, place, random.Random(1).randbytes(30_000))

    _kafka(broker).producer(place.topic).close()
    assert _values(_kafka(broker), place) == []


def test_what_is_too_large_is_known_to_the_byte(broker, place):
    """The largest record that is said to fit does, one byte more is refused by the broker; what packs well fits at any size."""
    noise = random.Random(1).randbytes(30_000)

    def send(size):
        return Send(place, [b"k", None], [b"x", noise[:size]], [[], [("h", b"i")]])

    producer = _kafka(broker).producer(place.topic)
    fits = bisect.bisect_left(range(30_000), 1, key=lambda size: len(producer.too_large(send(size), 20_000)))
    last = fits - 1
    only = [dataclasses.replace(send(size), keys=[None], values=[noise[:size]], headers=[[("h", b"i")]]) for size in (last, fits)]
    producer.transact([only[0]], {}, None, None, 10.0)
    with pytest.raises(Fatal, match=r"max\.message\.bytes"):
        producer.transact([only[1]], {}, None, None, 10.0)

    _kafka(broker).producer(place.topic).close()
    assert producer.too_large(send(fits), 20_000) == [1]
    assert producer.too_large(Send(place, [None], [bytes(10**6)]), 20_000) == []
    assert producer.too_large(Send(place, [None], [bytes(7 * 10**7)]), 10**9) == [0]
    assert _values(_kafka(broker), place) == [noise[:last]]


def test_a_record_that_no_request_carries_is_refused_first(broker, place):
    """Before anything is sent: the producer stays good, and the record can go elsewhere."""
    with contextlib.closing(_kafka(broker, request_bytes=5000).producer(place.topic)) as producer:
        with pytest.raises(BadRecord) as caught:
            _write(producer, place, b"x", b"y" * 5001)
        _write(producer, place, b"x")

    assert caught.value.reason is Reason.TOO_LARGE
    assert _values(_kafka(broker), place) == [b"x"]


def test_a_batch_that_unpacks_too_far_raises_once_a_poll(broker, place):
    """It neither fills the memory nor spins; its neighbour is read all the same."""
    beside = Place(place.topic, 1)
    with contextlib.closing(_kafka(broker).producer(place.topic)) as producer:
        _write(producer, place, *[b"x" * 100] * 200)
        _write(producer, beside, b"y")
    raised, read = 0, []
    with contextlib.closing(_kafka(broker, max_batch_bytes=1000).read([place, beside])) as reader:
        began, cpu = time.monotonic(), time.process_time()
        for _ in range(10):
            try:
                read += [value for batch in reader.poll(1.0, 10) for value in batch.values]
            except Fatal:
                raised += 1
        elapsed, cpu = time.monotonic() - began, time.process_time() - cpu

    assert raised >= 5
    assert read == [b"y"]
    assert elapsed < 10.0
    assert cpu < 1.0


def test_a_batch_that_is_broken_for_new_clients_too_is_fatal(broker, place, monkeypatch):
    """The first ask again, in case that the reply was damaged on its way; the next end the process."""
    with contextlib.closing(_kafka(broker).producer(place.topic)) as producer:
        _write(producer, place, b"x")
    monkeypatch.setattr(BoundedBatch, "validate_crc", lambda _: False)
    client, raised = _kafka(broker), []
    for _ in range(2):
        with pytest.raises((Transient, Fatal)) as caught:
            _values(client, place)
        raised.append(caught.type)

    assert raised == [Transient, Fatal]


def test_a_missing_topic_ends_at_the_deadline(broker):
    """A writer to a topic that is not there is told in time."""
    producer = _kafka(broker).producer("missing")
    began = time.monotonic()
    with pytest.raises(Transient):
        _write(producer, Place("missing", 0), b"x", deadline=1.0)

    assert time.monotonic() - began < 4.0


def test_a_missing_partition_is_fatal(broker, place):
    """More partitions are needed: the message says of which topic."""
    with pytest.raises(Fatal, match=place.topic):
        _write(_kafka(broker).producer(place.topic), Place(place.topic, 7), b"x")


def test_no_broker_is_transient_and_leaves_nothing():
    """Nobody listens: whoever starts us may try again, for days."""
    before = set(threading.enumerate())
    local = KafkaLocal({"bootstrap_servers": "127.0.0.1:1", "bootstrap_timeout_ms": 300})
    for connect in (KafkaPython(local).admin, lambda: KafkaPython(local).producer("x"), lambda: KafkaPython(local).subscribe("x", ["x"])):
        with pytest.raises(Transient):
            connect()

    assert set(threading.enumerate()) <= before


def test_an_option_that_the_library_does_not_know_is_fatal(broker):
    """No retry will make it known."""
    local = KafkaLocal({"bootstrap_servers": broker.address, "no_such_option": 1})
    for connect in (KafkaPython(local).admin, lambda: KafkaPython(local).producer("x"), lambda: KafkaPython(local).subscribe("x", ["x"])):
        with pytest.raises(Fatal, match="no_such_option"):
            connect()


def test_secrets_reach_the_library_only():
    """Options may hold secrets; they are revealed where they are used."""
    client = KafkaPython(KafkaLocal({"sasl_plain_password": Secret("hush")}))

    assert client._common == {"sasl_plain_password": "hush"}


def test_the_private_names_that_are_leant_on_exist(broker, place):
    """The library is pinned; this says which of its insides a new release has to be looked at for."""
    reader, producer = _kafka(broker).read([place]), _kafka(broker).producer(place.topic)
    inside = {
        reader._client: ("_client", "_subscription", "_coordinator"),
        reader._client._coordinator: ("fetch_committed_offsets",),
        reader._subscription: ("is_assigned", "is_fetchable", "position", "paused_partitions"),
        reader._fetcher: ("_next_partition_records", "_completed_fetches", "_handle_fetch_error", "PartitionRecords"),
        producer._client: ("_accumulator", "_sender", "_transaction_manager", "_wait_on_metadata"),
        producer._client._accumulator: ("_batches", "_incomplete", "_tp_lock"),
        producer._client._sender: ("wakeup", "force_close", "join"),
        producer._client._transaction_manager: ("maybe_add_partition_to_transaction", "send_offsets_to_transaction", "begin_commit"),
    }
    missing = [(type(owner).__name__, name) for owner, names in inside.items() for name in names if not hasattr(owner, name)]
    reader.close()
    producer.close()

    assert missing == []
    assert reader._client._fetcher is reader._fetcher
    overridden = {name for name, it in vars(Fetcher).items() if callable(it) and not name.startswith("__")}
    assert all(hasattr(kafka.consumer.fetcher.Fetcher, name) for name in overridden)
