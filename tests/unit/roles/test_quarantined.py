"""Quarantined records seen again, released and discarded."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from driving import prepare, read
from strategies import quick, semantics
from streamspc.errors import Fatal, Fenced, Transient
from streamspc.kafka_io.memory import MemoryKafka
from streamspc.kafka_io.port import Place, Send
from streamspc.kafka_io.steps import STEPS, Crash
from streamspc.model import Handled
from streamspc.roles import quarantined
from streamspc.roles.control import configured, entries
from streamspc.roles.quarantined import RELEASED, Order, Quarantine, Selection, shown

SPEC = semantics(2)
STREAM = SPEC.streams[0]
ORDER = Order("released", "c1", "clean", "me", "mended", 7)
ALL = Selection()
ORIGINAL = [("trace", b"\x00"), ("__connect.errors.topic", b"of an earlier life")]


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """No waiting, small transactions."""
    quick(monkeypatch)
    monkeypatch.setattr(quarantined, "CHUNK", 4)


def why(window: int, segment: str = "north", reason: str = "rejected") -> list[tuple[str, bytes | None]]:
    """Headers as the gate adds them."""
    said = {
        "reason": reason,
        "window": f"w{window}",
        "segment": segment,
        "metric": "failed",
        "rule": "shewhart",
        "episode": f"e{window // 2}",
    }
    ours = [("__connect.errors.topic", b"source"), ("__connect.errors.partition", b"1"), ("__connect.errors.offset", b"%d" % window)]
    return [*ours, *((f"streamspc.{name}", text.encode()) for name, text in said.items())]


def filled() -> MemoryKafka:
    """Twelve records in two partitions of the quarantine: windows 0 to 5, episodes e0 to e2."""
    kafka = MemoryKafka()
    prepare(kafka, SPEC, 2)
    for partition in (0, 1):
        windows = range(6)
        keys = [b"%d-%d" % (partition, window) for window in windows]
        values = [None if window == 3 else b"v%d" % window for window in windows]
        headers = [[*ORIGINAL, *why(window)] for window in windows]
        send = Send(Place("quarantine", partition), keys, values, headers, [1000 + window for window in windows])
        kafka.producer("gate").transact([send], {}, None, None, 5.0)
    return kafka


def of(kafka: MemoryKafka) -> Quarantine:
    """The stream's quarantine."""
    return Quarantine(kafka, SPEC, STREAM)


def clean(kafka: MemoryKafka) -> list[tuple[int, bytes | None, bytes | None, int, list[tuple[str, bytes | None]]]]:
    """All records of the clean topic."""
    return [
        (batch.partition, batch.keys[i], batch.values[i], int(batch.timestamps[i]), (batch.headers or [])[i])
        for batch in read(kafka, "clean")
        for i in range(len(batch))
    ]


def last(kafka: MemoryKafka, order: Order = ORDER, selection: Selection = ALL, **more):
    """What a command says at its end."""
    return list(of(kafka).carry_out(order, selection, **more))[-1]


def test_an_episode_goes_back_as_it_was():
    """Key, value, null too, timestamp, partition and the headers before ours; one header more names the command."""
    kafka = filled()
    done = last(kafka, selection=Selection(episode="e1"))

    assert (done.records, done.before, dict(done.by_window)) == (4, 0, {"w2": 2, "w3": 2})
    mark = [*ORIGINAL, (RELEASED, b"c1")]
    expected = [(p, b"%d-%d" % (p, w), None if w == 3 else b"v%d" % w, 1000 + w, mark) for p in (0, 1) for w in (2, 3)]
    assert sorted(clean(kafka), key=repr) == sorted(expected, key=repr)


def test_no_record_is_released_twice_whatever_names_it():
    """By its episode, by its window, then all: each command takes what is left."""
    kafka = filled()
    told = [last(kafka, selection=s) for s in (Selection(episode="e0"), Selection(window="w1"), Selection(), Selection())]

    assert [(done.records, done.before) for done in told] == [(4, 0), (0, 2), (8, 4), (0, 12)]
    assert max(Counter(key for _, key, *_ in clean(kafka)).values()) == 1
    assert len(clean(kafka)) == 12


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("transaction", [0, 1])
def test_a_command_that_was_cut_off_and_given_again_releases_each_record_once(step, transaction):
    """At each step of each of its transactions."""
    kafka = filled()
    seen: Counter[str] = Counter()

    def crash(at: str) -> None:
        seen[at] += 1
        if at == step and seen[at] == transaction + 1:
            raise Crash

    with pytest.raises(Crash):
        list(of(MemoryKafka(kafka.log, crash)).carry_out(ORDER, Selection()))
    last(MemoryKafka(kafka.log))

    assert Counter(key for _, key, *_ in clean(kafka)) == Counter({b"%d-%d" % (p, w): 1 for p in (0, 1) for w in range(6)})


def test_of_two_at_once_the_earlier_is_fenced():
    """It says so, and what both did together is each record once."""
    kafka = filled()
    first = of(kafka).carry_out(ORDER, Selection())
    next(first)
    last(kafka)

    with pytest.raises((Fenced, Transient)):
        list(first)
    assert max(Counter(key for _, key, *_ in clean(kafka)).values()) == 1
    assert len(clean(kafka)) == 12


def test_a_dry_run_changes_nothing():
    """It counts."""
    kafka = filled()
    assert last(kafka, selection=Selection(segment="north", reason="rejected"), dry_run=True).records == 12
    assert last(kafka, selection=Selection(segment="south"), dry_run=True).records == 0
    assert not clean(kafka)
    assert not [entry for entry in entries(kafka, "app") if isinstance(entry, Handled)]


def test_the_audit_says_who_when_why_and_what():
    """In the control log, beside the configuration, which is found as before."""
    kafka = filled()
    last(kafka, ORDER._replace(action="discarded", to=""), Selection(episode="e2"))

    handled = [entry for entry in entries(kafka, "app") if isinstance(entry, Handled)]
    assert [(one.action, one.by, one.why, one.at, one.selection, one.partition) for one in handled] == [
        ("discarded", "me", "mended", 7, "episode e2", 0),
        ("discarded", "me", "mended", 7, "episode e2", 1),
    ]
    assert {one.records for one in handled} == {2}
    assert {found.done for found in of(kafka).records(Selection(episode="e2"))} == {"discarded"}
    assert {found.done for found in of(kafka).records(Selection(episode="e1"))} == {""}
    found = configured(kafka, "app")
    assert found is not None
    assert found.semantics == SPEC


def test_another_topic_may_have_fewer_partitions():
    """Then partitions share one."""
    kafka = filled()
    last(kafka, ORDER._replace(to="app.signals"), Selection(window="w0"))
    assert [batch.partition for batch in read(kafka, "app.signals")] == [0]
    with pytest.raises(Fatal, match="no topic nowhere"):
        last(kafka, ORDER._replace(to="nowhere"))


def test_a_pointer_is_counted_and_stays():
    """The record itself was too large to be here."""
    kafka = filled()
    value = json.dumps({"streamspc.pointer": {"topic": "source"}}).encode()
    kafka.producer("gate").transact([Send(Place("quarantine", 0), [b"k"], [value], [why(9)])], {}, None, None, 5.0)
    done = last(kafka, selection=Selection(window="w9"))
    assert (done.records, done.pointers) == (0, 1)


def test_what_is_shown_is_json():
    """Bytes that are no text are hexadecimal digits."""
    [found] = [one for one in of(filled()).records(Selection(window="w3")) if one.partition == 0]
    told = json.loads(json.dumps(shown(found)))
    assert (told["reason"], told["episode"], told["value"], told["key"]) == ("rejected", "e1", None, "0-3")
    assert told["source"] == {"partition": 1, "offset": 3}
    assert told["headers"][1] == ["__connect.errors.topic", "of an earlier life"]


def test_a_stream_without_a_quarantine_says_so():
    """The cure is in the configuration."""
    bare = semantics(2, clean_topic=None, quarantine_topic=None)
    with pytest.raises(Fatal, match="has no gate"):
        Quarantine(MemoryKafka(), bare, bare.streams[0])
