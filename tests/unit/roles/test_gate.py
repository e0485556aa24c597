from __future__ import annotations

import json
import random
from dataclasses import replace

import msgspec
import pytest

from driving import LOCAL, prepare, read
from strategies import BEGIN_MS, WINDOW_MS, at, put, quick, semantics
from streamspc.bucket import watermark as marks
from streamspc.errors import BadRecord, Fatal, Reason
from streamspc.kafka_io.memory import MemoryKafka
from streamspc.kafka_io.port import Place, Send, TopicPlan
from streamspc.model import END, NEVER, WHOLE, Headers, Judged, Override, Rejection, Semantics, StormSpec
from streamspc.roles.commanding import override
from streamspc.roles.control import entries
from streamspc.roles.ends import AtStart
from streamspc.roles.gate import GateRole

US = WINDOW_MS * 1000
BEGIN = BEGIN_MS * 1000
SPEC = semantics(disorder_us=0, lateness_us=0)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """No waiting."""
    quick(monkeypatch)


@pytest.fixture
def kafka():
    """A cluster of its own."""
    return MemoryKafka()


def gate(kafka: MemoryKafka, spec: Semantics = SPEC, records: int = 500, ends: AtStart | None = None) -> GateRole:
    """A gate that is connected and has its partitions."""
    role = GateRole(kafka, spec, "s", replace(LOCAL, batch_records=records), ends)
    role.connect()
    role.turn()
    return role


def turn(role: GateRole, times: int = 4) -> None:
    """Some turns."""
    for _ in range(times):
        role.turn()


def say(kafka: MemoryKafka, *records: Judged | Rejection, chart_partition: int = 0) -> None:
    """Verdicts of one chart partition."""
    values = [msgspec.json.encode(record) for record in records]
    send = Send(Place("app.verdicts", chart_partition), [b"s"] * len(values), values)
    kafka.producer(f"chart.{chart_partition}").transact([send], {}, None, None, 5.0)


def judged(window: int, records: int = 10) -> Judged:
    """The marker of a window."""
    start = BEGIN + window * US
    return Judged(stream="s", config=SPEC.hash(), start=start, until=start + US, frontier=0, records=records)


def rejected(window: int, segment: str = WHOLE, n: int = 10) -> Rejection:
    """A rejection."""
    start = BEGIN + window * US
    end = start + US
    why = Rejection(
        stream="s", config=SPEC.hash(), start=start, end=end, segment=segment, n=n, metric="failed", chart="shewhart", value=0.5
    )
    return msgspec.structs.replace(why, value=0.5, ucl=0.25, episode="e1")


def values(kafka: MemoryKafka, topic: str) -> list[bytes | None]:
    """Values of a topic, read committed."""
    return [value for batch in read(kafka, topic) for value in batch.values]


def headers(kafka: MemoryKafka, topic: str) -> list[Headers]:
    """Headers of a topic's records."""
    return [found for batch in read(kafka, topic) for found in (batch.headers or [[]] * len(batch))]


def test_it_holds_without_a_verdict(kafka):
    """No verdict, no record: neither clean nor quarantine, and nothing is committed."""
    prepare(kafka, SPEC, 1)
    put(kafka, 0, at(0), at(1))
    role = gate(kafka)
    turn(role)

    assert values(kafka, "clean") == values(kafka, "quarantine") == []
    assert kafka.log.committed("app.s.gate", Place("source", 0)) is None
    assert [family.values for family in role.view.families if family.name == "spc_gate_waiting_partitions"] == [[1.0]]


def test_records_pass_as_their_windows_are_judged(kafka):
    """Each verdict lets its window through; the rest stays in Kafka."""
    prepare(kafka, SPEC, 1)
    put(kafka, 0, at(0), at(1), at(2))
    role = gate(kafka)
    passed = []
    for window in range(3):
        say(kafka, judged(window))
        turn(role)
        passed.append(len(values(kafka, "clean")))

    assert passed == [1, 2, 3]


def test_a_window_passes_when_every_chart_partition_has_passed_it(kafka):
    """One chart partition's word is not enough, and either may reject."""
    spec = semantics(2, disorder_us=0, lateness_us=0)
    prepare(kafka, spec, 1)
    put(kafka, 0, at(0), at(0, "south"), at(1))
    role = gate(kafka, spec)
    say(kafka, judged(0), judged(1))
    turn(role)
    assert values(kafka, "clean") == []
    say(kafka, rejected(0, "south"), judged(0), chart_partition=1)
    turn(role)

    assert values(kafka, "clean") == [at(0)]
    assert values(kafka, "quarantine") == [at(0, "south")]


def test_a_partition_that_waits_does_not_hold_up_the_others(kafka):
    """Each source partition goes as far as its own records are judged."""
    prepare(kafka, SPEC, 2)
    put(kafka, 0, at(0), at(5))
    put(kafka, 1, at(0, "south"), at(1, "south"))
    say(kafka, judged(0), judged(1))
    turn(gate(kafka))

    assert sorted(v or b"" for v in values(kafka, "clean")) == sorted([at(0), at(0, "south"), at(1, "south")])


def test_records_are_forwarded_byte_for_byte_into_the_partition_of_their_source(kafka):
    """Key, value, timestamp and headers as they came; key and value both null, and null header values, too."""
    prepare(kafka, SPEC, 2)
    rows: list[tuple[bytes | None, bytes | None, Headers]] = [
        (b"k", at(0), [("a", None), ("a", b"2")]),
        (None, None, []),
        (b"\xff\x00", None, [("t", b"")]),
        (None, at(0, price=None), []),
    ]
    keys, bodies, their = zip(*rows, strict=True)
    send = Send(Place("source", 1), list(keys), list(bodies), list(their), [BEGIN_MS + n for n in range(4)])
    kafka.producer("p").transact([send], {}, None, None, 5.0)
    say(kafka, judged(0))
    turn(gate(kafka))
    (batch,) = read(kafka, "clean")

    assert batch.partition == 1
    assert list(zip(batch.keys, batch.values, batch.headers or [], strict=True)) == rows
    assert batch.timestamps.tolist() == [BEGIN_MS + n for n in range(4)]


def test_quarantined_records_say_why(kafka):
    """Original headers first, then where the record was, then what was out of control."""
    prepare(kafka, SPEC, 1)
    send = Send(Place("source", 0), [b"k"], [at(0)], [[("trace", b"1"), ("streamspc.stream", b"mine")]], [BEGIN_MS])
    kafka.producer("p").transact([send], {}, None, None, 5.0)
    say(kafka, rejected(0), judged(0))
    turn(gate(kafka))
    (found,) = headers(kafka, "quarantine")
    ours = dict(found[2:])

    assert found[:2] == [("trace", b"1"), ("streamspc.stream", b"mine")]
    assert {name.removeprefix("streamspc."): v for name, v in ours.items() if name.startswith("streamspc.")} == {
        "reason": b"rejected",
        "stream": b"s",
        "window": b"2023-11-14T22:13:20Z/2023-11-14T22:13:30Z",
        "segment": b"*",
        "metric": b"failed",
        "rule": b"shewhart",
        "value": b"0.5",
        "limits": b"[-, 0.25]",
        "episode": b"e1",
    }
    assert [ours[f"__connect.errors.{name}"] for name in ("topic", "partition", "offset")] == [b"source", b"0", b"0"]


def test_records_that_cannot_be_read_go_to_quarantine_with_their_reason(kafka):
    """They wait for nobody; a tombstone beside them passes, in its order."""
    prepare(kafka, SPEC, 1)
    put(kafka, 0, b"{", None)
    role = gate(kafka)
    turn(role)

    assert (values(kafka, "quarantine"), values(kafka, "clean")) == ([b"{"], [None])
    assert ("streamspc.reason", b"undecodable") in headers(kafka, "quarantine")[0]
    assert role.meters.counts["spc_records_refused_total", ("s", "gate", "undecodable")] == 1


def test_late_records_wait_for_their_windows_verdict_and_are_marked(kafka):
    """A late record of a rejected window is quarantined, another one passes; both say that they are late."""
    prepare(kafka, SPEC, 1)
    put(kafka, 0, at(3), at(0), at(1))
    say(kafka, rejected(0), judged(0), judged(1), judged(2))
    role = gate(kafka)
    turn(role)
    assert values(kafka, "clean") == values(kafka, "quarantine") == []
    say(kafka, judged(3))
    turn(role)

    assert (values(kafka, "clean"), values(kafka, "quarantine")) == ([at(3), at(1)], [at(0)])
    assert headers(kafka, "clean") == [[], [("streamspc.late", b"true")]]
    assert headers(kafka, "quarantine")[0][-1] == ("streamspc.late", b"true")


@pytest.mark.parametrize(("policy", "clean", "quarantined"), [("accept", 2, 0), ("quarantine", 1, 1)])
def test_records_before_the_first_verdict_follow_the_policy(kafka, policy, clean, quarantined):
    """They are counted whichever it is."""
    spec = semantics(before_verdicts=policy, disorder_us=0, lateness_us=0)
    prepare(kafka, spec, 1)
    put(kafka, 0, at(0), at(5))
    say(kafka, judged(5))
    role = gate(kafka, spec)
    turn(role)

    assert (len(values(kafka, "clean")), len(values(kafka, "quarantine"))) == (clean, quarantined)
    assert role.meters.counts["spc_records_refused_total", ("s", "gate", "before_verdicts")] == 1


def test_in_a_storm_rejections_are_lifted_and_marked(kafka):
    """Window after window rejected: from the one that trips the guard, records pass, with a mark, and a gauge says so."""
    spec = semantics(storm=StormSpec(max_share=0.5, windows=2), disorder_us=0, lateness_us=0)
    prepare(kafka, spec, 1)
    put(kafka, 0, at(0), at(1), at(2))
    say(kafka, *(verdict for window in range(3) for verdict in (rejected(window), judged(window))))
    role = gate(kafka, spec)
    turn(role)

    assert values(kafka, "quarantine") == [at(0)]
    assert headers(kafka, "clean") == [[("streamspc.storm", b"true")]] * 2
    assert [family.values for family in role.view.families if family.name == "spc_storm_active"] == [[1.0]]


def test_without_a_clean_topic_it_only_copies_what_is_rejected(kafka):
    """Nothing else is written, and the offsets go on all the same."""
    spec = semantics(clean_topic=None, disorder_us=0, lateness_us=0)
    prepare(kafka, spec, 1)
    put(kafka, 0, at(0), at(1), b"{")
    say(kafka, judged(0), rejected(1), judged(1))
    role = gate(kafka, spec)
    turn(role)
    found = kafka.log.committed("app.s.gate", Place("source", 0))

    assert values(kafka, "quarantine") == [at(1), b"{"]
    assert found is not None
    assert found.offset == 4
    counted = {labels[-1]: n for (name, labels), n in role.meters.counts.items() if name == "spc_records_total"}
    assert counted == {"read": 3, "quarantine": 2, "clean": 0}


def test_verdicts_are_read_to_the_end_before_the_first_record_is_routed(kafka):
    """After a restart the rejection at the end of a long log of verdicts still holds for the first record that is left."""
    prepare(kafka, SPEC, 1)
    put(kafka, 0, at(0), at(900))
    say(kafka, judged(0))
    first = gate(kafka)
    turn(first)
    first.disconnect()
    say(kafka, *(judged(window) for window in range(1, 900)), rejected(900), judged(900))
    turn(gate(kafka))

    assert (values(kafka, "clean"), values(kafka, "quarantine")) == ([at(0)], [at(900)])


def test_the_watermark_travels_with_the_committed_offset(kafka):
    """So that the next owner calls the same records late."""
    prepare(kafka, SPEC, 1)
    put(kafka, 0, at(3), at(0))
    say(kafka, judged(0), *(judged(window) for window in range(1, 4)))
    first = gate(kafka, records=1)
    first.turn()
    found = kafka.log.committed("app.s.gate", Place("source", 0))
    first.disconnect()
    turn(gate(kafka))

    assert found is not None
    assert (found.offset, marks.decode(found.metadata, "s", SPEC.hash())) == (1, BEGIN + 3 * US)
    assert headers(kafka, "clean")[1] == [("streamspc.late", b"true")]


def test_a_new_owner_goes_on_in_the_middle_of_a_batch(kafka):
    """Partitions that move between two gates while records wait are neither lost nor written twice."""
    prepare(kafka, SPEC, 2)
    for partition in range(2):
        put(kafka, partition, *(at(window, f"p{partition}") for window in range(6)))
    say(kafka, judged(0), judged(1))
    one = gate(kafka)
    turn(one)
    other = GateRole(MemoryKafka(kafka.log), SPEC, "s", LOCAL)
    other.connect()
    for _ in range(4):
        one.turn()
        other.turn()
    say(kafka, *(judged(window) for window in range(2, 6)))
    for _ in range(6):
        one.turn()
        other.turn()
    found: dict[int, list[bytes | None]] = {0: [], 1: []}
    for batch in read(kafka, "clean"):
        found[batch.partition] += batch.values

    assert [len(role.sources) for role in (one, other)] == [1, 1]
    assert found == {partition: [at(window, f"p{partition}") for window in range(6)] for partition in range(2)}


def test_until_end_it_finishes_when_all_is_routed(kafka):
    """Not before the records that wait have gone, and not one record beyond the end."""
    prepare(kafka, SPEC, 2)
    put(kafka, 0, at(0), at(1))
    role = gate(kafka, ends=AtStart())
    turn(role, 2)
    put(kafka, 0, at(2))
    assert not role.turn()
    say(kafka, judged(0), Judged(stream="s", config=SPEC.hash(), start=NEVER, until=END, frontier=END))
    finished = [role.turn() for _ in range(4)]

    assert finished[-1]
    assert values(kafka, "clean") == [at(0), at(1)]


def test_verdicts_of_other_streams_are_not_its_own(kafka):
    """Streams share the topic of verdicts."""
    prepare(kafka, SPEC, 1)
    put(kafka, 0, at(0))
    other = msgspec.structs.replace(judged(0), stream="t")
    send = Send(Place("app.verdicts", 0), [b"t"], [msgspec.json.encode(other)])
    kafka.producer("x").transact([send], {}, None, None, 5.0)
    turn(gate(kafka))

    assert values(kafka, "clean") == []


def noted(note: str) -> bytes:
    """A record of the first window with a text in it."""
    return msgspec.json.encode({**msgspec.json.decode(at(0)), "note": note})


def _small_topics(kafka: MemoryKafka, spec: Semantics = SPEC) -> None:
    """Topics of which the outputs take 2000 bytes."""
    outputs = [TopicPlan(name, 1, {"max.message.bytes": "2000"}) for name in ("clean", "quarantine")]
    kafka.admin().create(outputs, 1)
    prepare(kafka, spec, 1)


def test_a_record_that_no_topic_takes_is_pointed_to_in_quarantine(kafka):
    """The rest of the batch goes on; key, place and size stand for the record, and each record is counted once."""
    _small_topics(kafka)
    noise = random.Random(1).randbytes(1500).hex()
    put(kafka, 0, at(0, "a"), noted(noise), at(0, "b"), noted("packs" * 1000))
    say(kafka, judged(0))
    role = gate(kafka)
    turn(role)
    (found,) = read(kafka, "quarantine")
    source = next(iter(read(kafka, "source")))
    counts = {key[1][2]: count for key, count in role.meters.counts.items() if key[0].startswith("spc_records_") and count}

    assert values(kafka, "clean") == [at(0, "a"), at(0, "b"), noted("packs" * 1000)]
    assert [json.loads(value or b"") for value in found.values] == [
        {"streamspc.pointer": {"topic": "source", "partition": 0, "offset": 1, "bytes": len(noted(noise))}}
    ]
    assert found.timestamps[0] == source.timestamps[1]
    assert ("streamspc.reason", b"unforwardable") in headers(kafka, "quarantine")[0]
    assert ("__connect.errors.offset", b"1") in headers(kafka, "quarantine")[0]
    assert counts == {"read": 4, "clean": 3, "quarantine": 1, "unforwardable": 1}


def test_a_rejected_record_that_no_topic_takes_is_pointed_to_too(kafka):
    """It is in quarantine once, as a pointer, behind those that are whole."""
    _small_topics(kafka)
    noise = random.Random(1).randbytes(1500).hex()
    put(kafka, 0, noted(noise), at(0, "a"))
    say(kafka, rejected(0), judged(0))
    role = gate(kafka)
    turn(role)

    assert values(kafka, "clean") == []
    assert [b"streamspc.pointer" in (value or b"") for value in values(kafka, "quarantine")] == [False, True]
    assert role.meters.counts["spc_records_total", ("s", "gate", "quarantine")] == 2


def test_a_record_that_no_request_can_carry_ends_the_role_with_the_cure_where_there_is_no_quarantine(kafka):
    """It is not dropped, and it is not tried for ever."""
    prepare(kafka, SPEC, 1)
    put(kafka, 0, at(0))
    say(kafka, judged(0))
    role = GateRole(kafka, SPEC, "s", LOCAL)
    role.connect()

    def refuse(*_):
        raise BadRecord(Reason.TOO_LARGE, "a record for clean is larger than kafka.request_bytes, 9")

    role.producer.transact = refuse  # type: ignore[method-assign]
    with pytest.raises(Fatal, match=r"kafka\.request_bytes"):
        turn(role)


def test_what_was_not_committed_is_not_counted(kafka):
    """A turn that fails is repeated; its records are counted once."""
    prepare(kafka, SPEC, 1)
    put(kafka, 0, at(0))
    say(kafka, judged(0))
    role = gate(kafka)
    role.producer.close()
    with pytest.raises(Exception, match="spent"):
        role.turn()
    role.disconnect()
    role.connect()
    turn(role)

    assert role.meters.counts["spc_records_total", ("s", "gate", "read")] == 1
    assert len(values(kafka, "clean")) == 1


def test_offsets_that_are_gone_are_not_begun_again(kafka):
    """Where an output topic has records, but no source partition an offset, to begin again would write every record twice."""
    prepare(kafka, SPEC, 2)
    put(kafka, 0, at(0))
    say(kafka, judged(0), chart_partition=0)
    kafka.producer("foreign").transact([Send(Place("clean", 1), [None], [b"{}"])], {}, None, None, 5.0)
    role = GateRole(kafka, SPEC, "s", LOCAL)
    role.connect()

    with pytest.raises(Fatal, match=r"offsets of .* are gone.*`app` name"):
        role.turn()


def decide_on(kafka: MemoryKafka, kind, until: int, spec: Semantics = SPEC, **fields) -> None:
    """An operator's override of the windows before this one."""
    override(kafka, spec, Override(kind=kind, id=f"{kind}{until}", config=spec.hash(), stream="s", until=BEGIN + until * US, **fields))


def test_an_operator_lets_windows_pass_that_nobody_judges(kafka):
    """What waits goes out at once, in order and marked so, and nothing behind it; verdicts that come later change nothing."""
    prepare(kafka, SPEC, 1)
    put(kafka, 0, at(0), at(1), at(0, "late"), at(2), at(3))
    role = gate(kafka)
    turn(role)
    assert values(kafka, "clean") == []
    decide_on(kafka, "open", 3, by="ann", why="chart is down")
    turn(role)
    assert values(kafka, "clean") == [at(0), at(1), at(0, "late"), at(2)]
    assert [dict(found).get("streamspc.gate") for found in headers(kafka, "clean")] == [b"open"] * 4

    say(kafka, rejected(1), judged(1), judged(2), judged(3))
    put(kafka, 0, at(1, "later still"))
    turn(role)
    assert values(kafka, "clean")[4:] == [at(3), at(1, "later still")]
    assert values(kafka, "quarantine") == []
    assert [dict(found).get("streamspc.gate") for found in headers(kafka, "clean")[4:]] == [None, b"open"]


def test_an_operator_keeps_windows_back(kafka):
    """Their records are in quarantine with who and why, whatever the charts say; a window that was judged before stays as it was."""
    prepare(kafka, SPEC, 1)
    put(kafka, 0, at(0), at(1), at(2), None, at(3))
    say(kafka, judged(0))
    role = gate(kafka)
    turn(role)
    decide_on(kafka, "closed", 3, by="ann", why="test orders")
    say(kafka, judged(1), judged(2), judged(3))
    turn(role)

    assert values(kafka, "clean") == [at(0), None, at(3)]
    assert values(kafka, "quarantine") == [at(1), at(2)]
    said = [dict(found) for found in headers(kafka, "quarantine")]
    assert [one["streamspc.reason"] for one in said] == [b"gate_closed"] * 2
    assert [one["__connect.errors.exception.message"] for one in said] == [b"by ann: test orders"] * 2
    refused = {labels: value for (name, labels), value in role.meters.counts.items() if name == "spc_records_refused_total"}
    assert refused["s", "gate", "gate_closed"] == 2


def test_a_gate_that_begins_later_does_the_same(kafka):
    """It reads overrides and verdicts in the order of each partition: one that came after the marker decides nothing."""
    spec = semantics(2, disorder_us=0, lateness_us=0)
    prepare(kafka, spec, 1)
    put(kafka, 0, at(0), at(1), at(2))
    say(kafka, rejected(0), judged(0), judged(1))
    say(kafka, judged(0), chart_partition=1)
    decide_on(kafka, "open", 2, spec)
    decide_on(kafka, "closed", 3, spec)
    say(kafka, judged(1), judged(2), chart_partition=1)
    say(kafka, judged(2))
    turn(gate(kafka, spec))

    assert values(kafka, "clean") == [at(1)]
    assert values(kafka, "quarantine") == [at(0), at(2)]
    assert [dict(found)["streamspc.reason"] for found in headers(kafka, "quarantine")] == [b"rejected", b"gate_closed"]
    assert [type(entry).__name__ for entry in entries(kafka, "app")] == ["Configured", "Override", "Override"]
