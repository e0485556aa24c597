"""A range of a topic, read once."""

from __future__ import annotations

import pytest

from driving import produce
from streamspc.errors import Fatal, Transient
from streamspc.kafka_io import MemoryKafka
from streamspc.kafka_io.port import Place, Send, TopicPlan
from streamspc.roles import span as module
from streamspc.roles.span import At, Offsets, Span


@pytest.fixture
def kafka():
    """Topic t: ten records in each of two partitions, one a second, in transactions of four; the third partition is empty."""
    made = MemoryKafka()
    made.admin().create([TopicPlan("t", 3)], 1)
    produce(made, "t", [(partition, None, b"%d" % row, 1000 * row) for row in range(10) for partition in range(2)], chunk=8)
    return made


def read(kafka, begin, end, ahead=frozenset()):
    """Values by partition, and where the last batch of each ends."""
    opened = Span.open(kafka, "t", begin, end)
    values: dict[int, list[int]] = {}
    ends = {}
    for batch in opened.batches(lambda: ahead):
        values[batch.partition] = values.get(batch.partition, []) + [int(value or b"") for value in batch.values]
        ends[batch.partition] = batch.next
    assert opened.position() == opened.size
    assert all(ends[partition] >= end for partition, end in opened.ends.items())
    assert ends.keys() == opened.ends.keys()
    return values


def test_all_of_a_topic_is_read_once(kafka):
    """An empty partition is ended by an empty batch."""
    assert read(kafka, "earliest", "latest") == {0: [*range(10)], 1: [*range(10)], 2: []}


def test_a_range_has_its_begin_and_not_its_end(kafka):
    """Times are those of Kafka, in milliseconds; offsets count markers of transactions too."""
    assert read(kafka, At(2000), At(7000)) == {0: [*range(2, 7)], 1: [*range(2, 7)], 2: []}
    assert read(kafka, At(7000), At(2000 + 6000)) == {0: [7], 1: [7], 2: []}
    assert read(kafka, Offsets((1, 8, 0)), Offsets((3, 11, 0))) == {0: [1, 2], 1: [7, 8], 2: []}
    assert read(kafka, "latest", "latest") == {0: [], 1: [], 2: []}


def test_a_range_that_ends_with_a_marker_ends(kafka):
    """Offset 4 is the marker of a transaction: no record is to come, and yet there is a last batch."""
    assert read(kafka, Offsets((4, 3, 0)), Offsets((5, 5, 0))) == {0: [], 1: [3], 2: []}


def test_a_partition_that_is_ahead_waits(kafka):
    """It is read once it is no longer ahead."""
    ahead = {0}
    opened = Span.open(kafka, "t", "earliest", "latest")
    order = []
    for batch in opened.batches(lambda: ahead):
        order += [batch.partition] * len(batch)
        if opened.position() == 13:
            ahead.clear()

    assert order == [1] * 10 + [0] * 10


@pytest.mark.parametrize(
    ("topic", "begin", "end", "message"),
    [
        ("u", "earliest", "latest", "topic u does not exist"),
        ("t", Offsets((0, 0)), "latest", "2 offsets for t, which has 3 partitions"),
        ("t", Offsets((0, 2, 0)), "latest", "t-1 begins at offset 3: what lies from 2 on was deleted by retention; begin at 3"),
        ("t", "earliest", Offsets((13, 14, 0)), "t-1 ends at offset 13, with what is committed, and not at 14"),
        ("t", At(7000), At(2000), "t-0: the range begins at offset 8 and ends before, at 2"),
    ],
)
def test_a_range_that_is_not_there_is_refused(kafka, topic, begin, end, message):
    """By the place and its cure."""
    kafka.admin().delete_before({Place("t", 1): 3})

    with pytest.raises(Fatal, match=message):
        Span.open(kafka, topic, begin, end)


def test_only_what_is_committed_is_there(kafka):
    """An open transaction ends the range."""
    producer = kafka.producer("left open")
    kafka.log.begin("left open", 0)
    kafka.log.append("left open", 0, Send(Place("t", 0), [None], [b"99"]))
    producer.close()

    assert read(kafka, "earliest", "latest")[0] == [*range(10)]


def test_a_range_that_cannot_be_read_is_given_up(kafka, monkeypatch):
    """After so long without progress, by the place where it stood."""
    monkeypatch.setattr(module, "PATIENCE", -1.0)
    monkeypatch.setattr(module, "POLL", 0.0)

    with pytest.raises(Transient, match="t-0 cannot be read beyond offset 0"):
        read(kafka, "earliest", "latest", ahead={0, 1})
