"""What port `Kafka` promises, run against every implementation."""

from __future__ import annotations

import contextlib
import itertools
import time

import pytest

from streamspc.errors import Fatal, Fenced, Transient
from streamspc.kafka_io import STEPS, Crash, KafkaPython, MemoryKafka
from streamspc.kafka_io.port import Committed, Place, Send, TopicPlan
from streamspc.model import Batch, Headers, KafkaLocal

_NAMES = itertools.count()
_WAIT = 60.0
_MARKER = 1.0  # seconds in which the marker of a commit is written


class Cluster:
    """One implementation, and processes that use it."""

    def __init__(self, broker=None):
        self.broker, self.memory = broker, MemoryKafka()

    def process(self, at=lambda step: None, **local):
        """A process's view of the cluster."""
        if self.broker is None:
            return MemoryKafka(self.memory.log, at)
        settings = {"fetch_wait": 0.5, "session_timeout": 6.0, "transaction_timeout": 10.0} | local
        return KafkaPython(KafkaLocal({"bootstrap_servers": self.broker.address}, **settings), at)


@pytest.fixture(params=["memory", pytest.param("python", marks=pytest.mark.kafka)])
def cluster(request):
    return Cluster(request.getfixturevalue("broker") if request.param == "python" else None)


@pytest.fixture
def open_(cluster):
    """Opens what a test needs, and closes it afterwards: `open_("producer", "id")`."""
    with contextlib.ExitStack() as stack:

        def make(kind, *args, process=None, **kwargs):
            made = getattr(process or cluster.process(), kind)(*args, **kwargs)
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def topic(open_):
    """A topic of two partitions, new for each test."""
    name = f"topic-{next(_NAMES)}"
    open_("admin").create([TopicPlan(name, 2, {"retention.ms": "-1"})], replication=1)
    return name


def write(producer, place, *values):
    """One committed transaction of values without keys."""
    producer.transact([Send(place, [None] * len(values), list(values))], {}, None, None, 10.0)


def drain(consumer, *places):
    """Values by place, read until nothing follows anywhere. A broker writes the marker of a commit after it has answered it."""
    found: dict[Place, list[bytes | None]] = {place: [] for place in places}
    begun = time.monotonic()
    while True:
        for batch in consumer.poll(0.2, 1000):
            found[Place(batch.topic, batch.partition)] += batch.values
        waited = time.monotonic() - begun
        ended = all(consumer.position(place) >= stable for place, (_, stable) in consumer.bounds(places).items())
        if ended and (any(found.values()) or waited > _MARKER):
            return found
        assert waited < _WAIT, "the end was not reached"


def await_end(consumer, place):
    """Poll an idle place until the consumer says that nothing follows."""
    end = time.monotonic() + _WAIT
    while not consumer.at_end(place):
        assert time.monotonic() < end, "at_end never came"
        assert consumer.poll(0.1, 10) == []


def join(consumer, wanted=None):
    """Poll until a new assignment came (of `wanted` partitions), and start all of it at 0."""
    before, end = consumer.generation(), time.monotonic() + _WAIT
    while consumer.generation() == before or (wanted is not None and len(consumer.assignment()) != wanted):
        assert time.monotonic() < end, "no assignment came"
        consumer.poll(0.1, 1000)
    for place in consumer.assignment():
        consumer.seek(place, 0)


def test_columns_come_back_byte_for_byte(open_, topic):
    """Null and empty keys, values and headers, repeated header names and timestamps survive in order."""
    place = Place(topic, 0)
    keys = [b"k", None, b"", None, b"\x00\xff"]
    values = [b"v", b"", None, None, b"\xff" * 70_000]
    headers: list[Headers] = [[("a", b"1"), ("a", None), ("", b"")], [], [("é", b"\x00")], [], []]
    stamps = [5, 4, 0, 1_700_000_000_000, 6]
    open_("producer", topic).transact([Send(place, keys, values, headers, stamps)], {}, None, None, 10.0)
    reader = open_("read", [place])
    batches: list[Batch] = []
    while sum(len(batch) for batch in batches) < len(keys):
        batches += reader.poll(_WAIT, 2)

    assert keys == [key for batch in batches for key in batch.keys]
    assert values == [value for batch in batches for value in batch.values]
    assert headers == [[*row] for batch in batches for row in batch.headers or [[]] * len(batch)]
    assert stamps == [stamp for batch in batches for stamp in batch.timestamps]
    assert [offset for batch in batches for offset in batch.offsets] == [0, 1, 2, 3, 4]
    assert all(len(batch) <= 2 for batch in batches)
    assert all(batch.next > batch.offsets[-1] for batch in batches)


def test_headers_are_none_where_no_record_has_any(open_, topic):
    """The common case costs nothing."""
    write(open_("producer", topic), Place(topic, 0), b"x")

    assert open_("read", [Place(topic, 0)]).poll(_WAIT, 10)[0].headers is None


@pytest.mark.parametrize("step", STEPS)
def test_a_crash_at_any_step_leaves_all_or_nothing(cluster, open_, topic, step):
    """Records of two partitions and the offsets appear together, and only when the commit was reached."""

    def crash(now):
        if now == step:
            raise Crash

    process = cluster.process(crash)
    consumer = open_("subscribe", topic, [topic], process=process)
    join(consumer, 2)
    producer = open_("producer", topic, process=process)
    places = [Place(topic, 0), Place(topic, 1)]
    with pytest.raises(Crash):
        producer.transact(
            [Send(place, [None], [b"x"]) for place in places],
            {places[0]: Committed(1, "watermark 7")},
            consumer,
            consumer.group_token(),
            10.0,
        )
    open_("producer", topic)  # the next life of the process
    done = step == "committed"

    assert {place: [b"x"] * done for place in places} == drain(open_("read", places), *places)
    assert {places[0]: Committed(1, "watermark 7") if done else None} == consumer.committed(places[:1])


def test_nothing_of_an_open_transaction_is_seen(cluster, open_, topic):
    """A reader stops before an open transaction, also at records that were committed after it began."""
    place = Place(topic, 0)
    seen: list[object] = []

    def look(step):
        if step == "offsets":
            write(other, place, b"later")
            reader.poll(1.0, 100)
            seen.append(list(itertools.chain.from_iterable(batch.values for batch in reader.poll(0.5, 100))))
            seen.append(reader.bounds([place])[place])

    reader, other = open_("read", [place]), open_("producer", f"{topic}-other")
    producer = open_("producer", topic, process=cluster.process(look))
    write(producer, place, b"first")

    assert seen == [[], (0, 0)]
    assert {place: [b"first", b"later"]} == drain(reader, place)


def test_offsets_are_found_by_time(open_, topic):
    """The first record of that Kafka timestamp or later, whatever follows it; behind all records where there is none."""
    places = [Place(topic, 0), Place(topic, 1)]
    stamps = [5_000, 9_000, 7_000, 12_000]
    producer = open_("producer", topic)
    producer.transact([Send(places[0], [None] * 4, [b"x"] * 4, timestamps=stamps)], {}, None, None, 10.0)
    reader = open_("read", places)
    drain(reader, places[0])

    found = {time: reader.offsets_at(places, time) for time in (-1, 5_000, 5_001, 9_000, 9_001)}

    assert {time: at[places[0]] for time, at in found.items()} == {-1: 0, 5_000: 0, 5_001: 1, 9_000: 1, 9_001: 3}
    assert {at[places[1]] for at in found.values()} == {0}
    assert reader.offsets_at(places, 12_001)[places[0]] in {4, 5}  # a broker may find the marker of the commit, which has a time too


def test_aborted_records_are_passed_over(cluster, open_, topic):
    """What a crash left is aborted by the next holder of the id, and readers go past it and its marker."""
    place = Place(topic, 0)

    def crash(step):
        if step == "acknowledged":
            raise Crash

    write(open_("producer", topic), place, b"a")
    with pytest.raises(Crash):
        write(open_("producer", topic, process=cluster.process(crash)), place, b"lost", b"lost too")
    write(open_("producer", topic), place, b"b")
    reader = open_("read", [place])

    assert {place: [b"a", b"b"]} == drain(reader, place)
    assert reader.position(place) == reader.bounds([place])[place][1] == 7  # three records and two lost, markers between them


def test_positions_go_past_a_marker_at_the_tail(open_, topic):
    """A log whose last offset is a marker is read to its end: position and stable end agree."""
    place = Place(topic, 0)
    producer, reader = open_("producer", topic), open_("read", [place])
    write(producer, place, b"a", b"b")

    assert {place: [b"a", b"b"]} == drain(reader, place)
    await_end(reader, place)
    assert reader.position(place) == reader.bounds([place])[place][1] == 3


def test_at_end_needs_an_answer_and_a_fetchable_place(open_, topic):
    """Neither before the first poll, nor while paused, nor with records left, nor for a foreign place."""
    place = Place(topic, 0)
    producer, reader = open_("producer", topic), open_("read", [place])
    write(producer, place, b"a", b"b")
    before = reader.at_end(place)
    reader.poll(_WAIT, 1)
    halfway = reader.at_end(place)
    drain(reader, place)
    await_end(reader, place)
    reader.pause([place])

    assert [before, halfway] == [False, False]
    assert not reader.at_end(place)
    assert not reader.at_end(Place(topic, 1))
    reader.resume([place])
    await_end(reader, place)


def test_an_older_producer_with_the_same_id_is_fenced(open_, topic):
    """The newer holder writes; the older one may not, and says so, also when asked again."""
    place = Place(topic, 0)
    old, new = open_("producer", topic), open_("producer", topic)
    write(new, place, b"new")

    for _ in range(2):
        with pytest.raises(Fenced):
            write(old, place, b"old")
    assert {place: [b"new"]} == drain(open_("read", [place]), place)


def test_a_stale_member_cannot_commit(open_, topic):
    """A token of an older generation is refused when the group has moved on, and the records go with the offsets."""
    place = Place(topic, 0)
    stale = open_("subscribe", topic, [topic], instance="one")
    join(stale, 2)
    token = stale.group_token()
    fresh = open_("subscribe", topic, [topic], instance="one")  # the same replica, started again elsewhere
    with contextlib.suppress(Fenced):
        join(fresh, 2)

    with pytest.raises(Fenced):
        open_("producer", topic).transact([Send(place, [None], [b"x"])], {place: Committed(9, "")}, stale, token, 10.0)
    assert {place: None} == fresh.committed([place])
    open_("producer", topic)
    assert {place: []} == drain(open_("read", [place]), place)


def test_two_members_share_and_see_generations_change(open_, topic):
    """A second member takes half, the first learns it at a poll that returns nothing, and gets all back in the end."""
    places = {Place(topic, 0), Place(topic, 1)}
    write(open_("producer", topic), Place(topic, 0), b"x")
    first = open_("subscribe", topic, [topic])
    join(first, 2)
    token = first.group_token()
    second = open_("subscribe", topic, [topic])
    end = time.monotonic() + _WAIT
    while len(first.assignment()) != 1 or len(second.assignment()) != 1:
        assert time.monotonic() < end
        for member in (first, second):
            generation = member.generation()
            batches = member.poll(0.1, 10)
            assert not batches or member.generation() == generation
            for place in member.assignment():
                member.seek(place, 0)

    assert first.assignment() | second.assignment() == places
    assert first.group_token() != token
    for call in (first.position, lambda place: first.seek(place, 0), lambda place: first.pause([place])):
        with pytest.raises(Fenced):
            call(*second.assignment())
    second.close()
    join(first, 2)
    assert first.assignment() == places


def test_records_of_a_poll_with_a_new_assignment_are_not_lost(open_, topic):
    """Whoever finds its committed offset and does not seek reads from there, after the empty poll that brought the assignment."""
    place = Place(topic, 0)
    producer, member = open_("producer", topic), open_("subscribe", topic, [topic])
    write(producer, place, b"a", b"b", b"c")
    join(member, 2)
    both = {place: Committed(1, "m"), Place(topic, 1): Committed(0, "")}
    producer.transact([], both, member, member.group_token(), 10.0)
    member.close()
    member = open_("subscribe", topic, [topic])
    end = time.monotonic() + _WAIT
    while member.generation() == 0:
        assert time.monotonic() < end
        assert member.poll(1.0, 10) == []

    assert both == member.committed(both)
    assert {place: [b"b", b"c"]} == drain(member, place)


def test_without_a_committed_offset_the_caller_has_to_seek(open_, topic):
    """No position is made up: polling on without a decision is an error that says so."""
    member = open_("subscribe", topic, [topic])
    end = time.monotonic() + _WAIT
    while member.generation() == 0:
        assert time.monotonic() < end
        member.poll(0.5, 10)

    assert {Place(topic, 0): None} == member.committed([Place(topic, 0)])
    with pytest.raises(Fatal):
        member.position(Place(topic, 0))
    with pytest.raises(Fatal):
        member.poll(1.0, 10)


def test_pause_seek_and_resume(open_, topic):
    """A paused place hands over nothing while others go on; after resume it goes on from where it was sought."""
    a, b = Place(topic, 0), Place(topic, 1)
    producer, reader = open_("producer", topic), open_("read", [a, b])
    write(producer, a, b"1", b"2", b"3")
    write(producer, b, b"4")
    reader.pause([a])
    paused = drain(reader, b)
    reader.seek(a, 1)
    reader.resume([a])

    assert {b: [b"4"]} == paused
    assert {a: [b"2", b"3"]} == drain(reader, a)


def test_a_resumed_place_does_not_wait_for_the_others(cluster, open_, topic):
    """Nothing new elsewhere: what was paused is there soon after resume, however long an idle fetch may wait."""
    a, b = Place(topic, 0), Place(topic, 1)
    write(open_("producer", topic), a, b"1", b"2")
    reader = open_("read", [a, b], process=cluster.process(fetch_wait=8.0))
    reader.poll(_WAIT, 1)
    reader.pause([a])
    reader.poll(0.5, 10)
    reader.resume([a])
    began = time.monotonic()
    got: list[Batch] = []
    while not got and time.monotonic() < began + _WAIT:
        got = reader.poll(1.0, 10)

    assert list(got[0].values) == [b"2"]
    assert time.monotonic() - began < 3.0


def test_one_busy_partition_is_not_held_up_by_idle_ones(cluster, open_, topic):
    """Small polls of one partition go at full speed while the other has nothing."""
    a, b = Place(topic, 0), Place(topic, 1)
    producer = open_("producer", topic)
    write(producer, a, *[b"x" * 100] * 5000)
    reader = open_("read", [a, b], process=cluster.process(fetch_wait=8.0, batch_bytes=50_000))
    began, count = time.monotonic(), 0
    while count < 5000 and time.monotonic() < began + _WAIT:
        count += sum(map(len, reader.poll(1.0, 100)))

    assert time.monotonic() - began < 6.0


def test_bounds_and_deletion_from_the_front(open_, topic):
    """First offset and stable end; a reader starts at the first that is left, one that fell behind is told."""
    place = Place(topic, 0)
    producer, behind = open_("producer", topic), open_("read", [place])
    write(producer, place, b"a", b"b", b"c")
    before = behind.bounds([place, Place(topic, 1)])
    open_("admin").delete_before({place: 2})

    assert {place: (0, 4), Place(topic, 1): (0, 0)} == before
    assert {place: (2, 4)} == behind.bounds([place])
    assert {place: [b"c"]} == drain(open_("read", [place]), place)
    with pytest.raises(Transient):
        drain(behind, place)


def test_questions_do_not_wait_for_an_idle_fetch(cluster, open_, topic):
    """Bounds, committed offsets and partitions are answered at once, however long an idle fetch may wait."""
    place = Place(topic, 0)
    member = open_("subscribe", topic, [topic], process=cluster.process(fetch_wait=8.0))
    join(member, 2)
    member.poll(0.5, 10)
    began = time.monotonic()
    answers = [member.bounds([place]), member.committed([place]), member.partitions(topic)]

    assert answers == [{place: (0, 0)}, {place: None}, 2]
    assert time.monotonic() - began < 3.0


def test_describe_and_create(open_, topic):
    """Those that exist come back with partitions and settings; creating again changes nothing."""
    admin = open_("admin")
    admin.create([TopicPlan(topic, 5, {})], replication=1)
    found = admin.describe([topic, "none-of-that-name"])

    assert [topic] == list(found)
    assert found[topic].partitions == 2
    assert found[topic].settings["retention.ms"] == "-1"
    assert admin.describe([]) == {}
    assert admin.broker_version()


def test_partitions_of_topics(open_, topic):
    """The number of partitions, or an error that names the topic."""
    reader = open_("read", [Place(topic, 0)])

    assert reader.partitions(topic) == 2
    with pytest.raises(Fatal, match="none-of-that-name"):
        reader.partitions("none-of-that-name")


def test_an_empty_transaction_is_allowed(open_, topic):
    """Nothing to send and no offsets: nothing happens, and the producer is still good."""
    place = Place(topic, 0)
    producer = open_("producer", topic)
    producer.transact([], {}, None, None, 10.0)
    producer.transact([Send(place, [], [])], {}, None, None, 10.0)
    write(producer, place, b"x")

    assert {place: [b"x"]} == drain(open_("read", [place]), place)


def test_no_token_without_membership(open_, topic):
    """Before the first assignment there is nothing to prove."""
    with pytest.raises(Fenced):
        open_("subscribe", topic, [topic]).group_token()


def test_offsets_need_a_token(open_, topic):
    """Offsets that nothing fences are refused before anything is sent."""
    with pytest.raises(Fatal):
        open_("producer", topic).transact([], {Place(topic, 0): Committed(0, "")}, None, None, 10.0)
