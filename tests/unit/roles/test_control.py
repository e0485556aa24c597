from __future__ import annotations

import itertools
import threading

import msgspec
import pytest

from driving import prepare, read
from strategies import semantics
from streamspc.errors import Fatal, Transient
from streamspc.kafka_io.memory import MemoryKafka
from streamspc.kafka_io.port import Place, Send, TopicPlan
from streamspc.kafka_io.steps import STEPS, Crash
from streamspc.kafka_io.topics import create, names, plans
from streamspc.model import Configured, KafkaLocal, Semantics
from streamspc.roles.control import configured, ensure, read_to_end
from streamspc.roles.pulse import LONG, Pulse
from streamspc.settings.build import difference

SPEC = semantics(2)


@pytest.fixture
def kafka():
    """A cluster with the topics of the application, and nothing in them."""
    made = MemoryKafka()
    create(made.admin(), plans(SPEC, KafkaLocal({}, replication_factor=1), {"source": TopicPlan("source", 1)}), 1)
    return made


def entries(kafka: MemoryKafka) -> dict[str, list[tuple[int, str]]]:
    """(partition, hash) of the configurations in each log."""
    topics = names("app")
    return {
        topic.removeprefix("app."): sorted(
            (batch.partition, msgspec.json.decode(v or b"", type=Configured).hash) for batch in read(kafka, topic) for v in batch.values
        )
        for topic in (topics.control, topics.tallies, topics.verdicts)
    }


ONCE = {name: [(i, SPEC.hash()) for i in range(n)] for name, n in (("control", 1), ("tallies", 2), ("verdicts", 2))}


def test_the_first_start_writes_one_entry_and_a_copy_into_every_fold(kafka):
    """Control, every partition of tallies and every partition of verdicts get it, in one transaction."""
    ensure(kafka, SPEC, difference)

    assert entries(kafka) == ONCE
    found = configured(kafka, "app")
    assert found is not None
    assert found.semantics == SPEC


def test_later_starts_write_nothing(kafka):
    """The same configuration is found and taken for its own."""
    for _ in range(3):
        ensure(kafka, SPEC, difference)

    assert entries(kafka) == ONCE


def test_another_configuration_is_refused_and_the_message_says_what_differs(kafka):
    """And where, and what to do; nothing is written."""
    ensure(kafka, SPEC, difference)
    other = semantics(2, lateness_us=7_000_000)

    with pytest.raises(Fatal) as refused:
        ensure(kafka, other, difference)
    text = str(refused.value)
    assert all(part in text for part in ("app.control", SPEC.hash(), other.hash(), "lateness", "`app` name"))
    assert entries(kafka) == ONCE


@pytest.mark.parametrize("step", STEPS)
def test_a_crash_at_the_first_start_is_mended_by_the_next(kafka, step):
    """The entry is in all logs or in none."""

    def crash(at: str) -> None:
        if at == step:
            raise Crash

    first = MemoryKafka(kafka.log, crash)
    with pytest.raises(Crash):
        ensure(first, SPEC, difference)
    first.kill()
    ensure(kafka, SPEC, difference)

    assert entries(kafka) == ONCE


@pytest.mark.parametrize("step", STEPS)
def test_two_processes_that_start_at_once_write_one_entry(kafka, step):
    """The second comes in at any step of the first one's transaction: one of them writes, both go on."""
    once = itertools.count()

    def second(at: str) -> None:
        if at == step and next(once) == 0:
            ensure(MemoryKafka(kafka.log), SPEC, difference)

    ensure(MemoryKafka(kafka.log, second), SPEC, difference)

    assert entries(kafka) == ONCE


def test_many_processes_that_start_at_once_write_one_entry(kafka):
    """Threads that run into each other as they like."""
    failures: list[BaseException] = []

    def start() -> None:
        try:
            ensure(MemoryKafka(kafka.log), SPEC, difference)
        except BaseException as error:  # noqa: BLE001 - told to the test
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert failures == []
    assert entries(kafka) == ONCE


def filled(spec: Semantics = SPEC) -> tuple[MemoryKafka, list[Place]]:
    """Two partitions that hold records, lost ones too, and end in markers."""
    kafka = MemoryKafka()
    prepare(kafka, spec, 2)
    places = [Place("source", 0), Place("source", 1)]
    producer = kafka.producer("p")
    producer.transact([Send(places[0], [None] * 3, [b"1", b"2", b"3"])], {}, None, None, 5.0)
    producer.transact([Send(place, [None], [b"4"]) for place in places], {}, None, None, 5.0)
    crashed = MemoryKafka(kafka.log, lambda at: (_ for _ in ()).throw(Crash) if at == "offsets" else None)
    with pytest.raises(Crash):
        crashed.producer("q").transact([Send(places[1], [None], [b"lost"])], {}, None, None, 5.0)
    crashed.kill()
    return kafka, places


def test_logs_are_read_to_their_end_also_where_it_is_a_marker():
    """Every committed record, no lost one, and then it is over."""
    kafka, places = filled()
    found = [value for batch in read_to_end(kafka.read(places), places, 5.0) for value in batch.values]

    assert sorted(v or b"" for v in found) == [b"1", b"2", b"3", b"4", b"4"]


def test_an_empty_log_is_read_at_once():
    """Nothing to wait for."""
    kafka = MemoryKafka()
    prepare(kafka, SPEC, 2)

    assert list(read_to_end(kafka.read([Place("source", 0)]), [Place("source", 0)], 0.0)) == []


def test_an_end_that_does_not_come_is_given_up():
    """Without progress for that long, somebody else may try."""
    kafka, places = filled()
    reader = kafka.read(places)
    reader.pause(places)

    with pytest.raises(Transient, match="source to the end"):
        list(read_to_end(reader, places, 0.05))


def test_a_long_read_beats():
    """Reading may take as long as it wants while records come: each poll is a sign of life."""
    kafka, places = filled()
    pulse = Pulse(longest=1.0, turned=0.0)
    read = read_to_end(kafka.read(places), places, 5.0, pulse)
    next(read)

    assert pulse.due == pulse.turned + 1.0 + LONG
