from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from driving import LOCAL, prepare, read
from strategies import BEGIN_MS, WINDOW_MS, at, put, quick, semantics
from streamspc import wire
from streamspc.bucket import watermark as marks
from streamspc.bucket.merge import merge
from streamspc.errors import Fatal
from streamspc.kafka_io.memory import MemoryKafka
from streamspc.kafka_io.port import Committed, Place, Send
from streamspc.model import END, NEVER, Block, Judged, Semantics
from streamspc.roles import observe
from streamspc.roles.chart import ChartRole
from streamspc.roles.ends import AtStart, Ends, FromFile
from streamspc.roles.observe import ObserveRole
from tallying import bits

US = WINDOW_MS * 1000
BEGIN = BEGIN_MS * 1000
DAY = 86_400_000_000


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """No waiting."""
    quick(monkeypatch)


@pytest.fixture
def kafka():
    """A cluster of its own."""
    return MemoryKafka()


def observer(kafka: MemoryKafka, spec: Semantics, ends: Ends | None = None, records: int = 500, **more) -> ObserveRole:
    """An observer that is connected and has its partitions."""
    role = ObserveRole(kafka, spec, "s", replace(LOCAL, batch_records=records), ends, **more)
    role.connect()
    role.turn()
    return role


def heard(kafka: MemoryKafka, chart_partition: int = 0) -> list[Block]:
    """The blocks that chart partition gets."""
    found = []
    for batch in read(kafka, "app.tallies"):
        if batch.partition == chart_partition:
            found += [wire.decode_block(v or b"") for k, v in zip(batch.keys, batch.values, strict=True) if k == b"block"]
    return found


def reports(kafka: MemoryKafka):
    """(partition, next, watermark, idle) of every report, in order."""
    return [(it.partition, it.next, it.watermark, it.idle_us) for block in heard(kafka) for it in block.progress]


def committed(kafka: MemoryKafka, partition: int) -> Committed | None:
    """What the group has committed."""
    return kafka.log.committed("app.s.observe", Place("source", partition))


def test_a_batch_becomes_one_block_for_each_chart_partition(kafka):
    """Every chart partition hears of the same progress; each cell goes to one of them, the sources to all."""
    spec = semantics(3)
    prepare(kafka, spec, 1)
    put(kafka, 0, at(0), at(0, "south"), at(1))
    observer(kafka, spec).turn()
    blocks = [heard(kafka, i) for i in range(3)]

    assert [len(one) for one in blocks] == [1, 1, 1]
    assert all(one[0].progress == blocks[0][0].progress for one in blocks)
    assert all(one[0].config == spec.hash() and one[0].source_partitions == 1 for one in blocks)
    assert sum(len(one[0].table) for one in blocks) == 5
    assert [one[0].table.sources.records.tolist() for one in blocks] == [[2, 1]] * 3


def test_the_watermark_travels_with_the_committed_offset(kafka):
    """A new owner goes on with the watermark of the old one, so that the same records are late."""
    spec = semantics(disorder_us=0, lateness_us=0)
    prepare(kafka, spec, 1)
    put(kafka, 0, at(5))
    first = observer(kafka, spec)
    first.turn()
    found = committed(kafka, 0)
    first.disconnect()
    put(kafka, 0, at(1), at(6))
    second = observer(kafka, spec)
    second.turn()

    assert found is not None
    assert marks.decode(found.metadata, "s", spec.hash()) == BEGIN + 5 * US
    assert heard(kafka)[-1].progress[0].refused == {"late": 1}


@pytest.mark.parametrize("metadata", ["", "by hand", marks.encode("other", "c", 5), marks.encode("s", "another", 5)])
def test_offsets_of_others_are_refused_with_the_cure(kafka, metadata):
    """Without the watermark of this stream and configuration nobody can say what is late: the role ends and says what to do."""
    spec = semantics()
    prepare(kafka, spec, 1)
    put(kafka, 0, at(0))
    commit(kafka, Committed(1, metadata))

    with pytest.raises(Fatal, match=r"stream s: .*(app|apply)"):
        observer(kafka, spec)


def commit(kafka: MemoryKafka, offset: Committed) -> None:
    """Commit an offset of the group from outside."""
    consumer = kafka.subscribe("app.s.observe", ["source"])
    consumer.poll(0.0, 1)
    kafka.producer("outside").transact([], {Place("source", 0): offset}, consumer, consumer.group_token(), 5.0)
    consumer.close()


def test_offsets_that_are_gone_are_not_begun_again(kafka):
    """Where the stream was judged, but no partition has an offset, to begin again would count every record twice."""
    spec = semantics()
    prepare(kafka, spec, 2)
    put(kafka, 0, at(0))
    judge(kafka, spec, BEGIN + 5 * US)
    role = ObserveRole(kafka, spec, "s", LOCAL)
    role.connect()

    with pytest.raises(Fatal, match=r"offsets of .* are gone.*`app` name"):
        role.turn()


def test_a_topic_that_was_made_anew_is_refused(kafka):
    """An offset beyond the end belongs to another log."""
    spec = semantics()
    prepare(kafka, spec, 1)
    commit(kafka, Committed(7, marks.encode("s", spec.hash(), 5)))

    with pytest.raises(Fatal, match="made anew"):
        observer(kafka, spec)


def test_records_that_retention_deleted_are_counted(kafka):
    """The role goes on with what is left, and counts the offsets that it never saw."""
    spec = semantics()
    prepare(kafka, spec, 1)
    put(kafka, 0, *(at(0) for _ in range(6)))
    commit(kafka, Committed(2, marks.encode("s", spec.hash(), BEGIN)))
    kafka.admin().delete_before({Place("source", 0): 5})
    role = observer(kafka, spec)
    role.turn()

    assert role.meters.counts["spc_records_refused_total", ("s", "observe", "retention_gap")] == 3
    assert reports(kafka)[-1][:2] == (0, 7)  # six records and the marker of their transaction


def test_empty_partitions_report_at_first_sight(kafka):
    """Chart has to hear of each partition, also of one without records; once is enough, also for the next owner."""
    spec = semantics()
    prepare(kafka, spec, 3)
    put(kafka, 1, at(0))
    role = observer(kafka, spec)
    role.turn()
    role.turn()
    role.disconnect()
    again = observer(kafka, spec)
    again.turn()

    assert reports(kafka) == [(0, 0, NEVER, None), (1, 2, BEGIN - 3_000_000, None), (2, 0, NEVER, None)]


class Clock:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """The time by this clock."""
        return self.now


def idle_after(role: ObserveRole, clock: Clock, seconds: float) -> None:
    """Let time pass; the role turns before and after it."""
    role.turn()
    clock.now += seconds
    role.turn()


def test_idleness_is_reported_in_durations_that_add_up(kafka):
    """After `idle_after`, and each time that so much more has passed; the durations together are the time that passed."""
    spec, clock = semantics(clock="live", idle_after_us=60_000_000), Clock()
    prepare(kafka, spec, 1)
    put(kafka, 0, at(0))
    role = observer(kafka, spec, clock=clock)
    for seconds in (0, 59.9, 0.1, 30, 45, 30):
        idle_after(role, clock, seconds)

    assert [idle for *_, idle in reports(kafka)] == [None, 60_000_000, 75_000_000]


def test_a_record_ends_idleness(kafka):
    """The next report counts from the time when nothing was left again."""
    spec, clock = semantics(clock="live", idle_after_us=60_000_000), Clock()
    prepare(kafka, spec, 1)
    put(kafka, 0, at(0))
    role = observer(kafka, spec, clock=clock)
    role.turn()
    idle_after(role, clock, 50)
    put(kafka, 0, at(1))
    idle_after(role, clock, 50)
    idle_after(role, clock, 0)
    assert [idle for *_, idle in reports(kafka)] == [None, None]
    idle_after(role, clock, 60)
    assert [idle for *_, idle in reports(kafka)][2:] == [60_000_000]


def test_time_that_it_was_paused_does_not_count(kafka):
    """A partition that is held back is not idle, however long nothing comes."""
    spec, clock = semantics(clock="live", idle_after_us=60_000_000, disorder_us=0, lateness_us=0), Clock()
    prepare(kafka, spec, 2)
    put(kafka, 0, at(0))
    role = observer(kafka, spec, clock=clock)
    role.turn()
    put(kafka, 0, at(50))
    role.turn()
    role.turn()
    for _ in range(3):
        idle_after(role, clock, 100)

    assert role.sources[Place("source", 0)].paused
    assert {partition for partition, *_, idle in reports(kafka) if idle} == {1}


@pytest.mark.parametrize(("clock", "ends"), [("log", None), ("live", AtStart())])
def test_nothing_is_idle_in_a_history(kafka, clock, ends):
    """With the clock of the log, or an end that is promised, no time passes but that of the records."""
    spec, hours = semantics(clock=clock, idle_after_us=1), Clock()
    prepare(kafka, spec, 2)
    put(kafka, 0, at(0))
    role = observer(kafka, spec, ends, clock=hours)
    for _ in range(3):
        idle_after(role, hours, 3600)

    assert {idle for *_, idle in reports(kafka)} == {None}


def test_until_end_promises_the_end_of_time_and_finishes(kafka):
    """What is there at the start is the whole log: later records are not tallied, and every partition gets its end."""
    spec = semantics()
    prepare(kafka, spec, 2)
    put(kafka, 0, at(0), at(1), at(2))
    role = observer(kafka, spec, AtStart(), records=2)
    assert not role.turn()
    put(kafka, 0, at(3), at(4))
    put(kafka, 1, at(0))
    turns = [role.turn() for _ in range(4)]

    assert turns[-1] is True
    assert reports(kafka)[-1][2] == END
    assert sum(int(block.table.sources.records.sum()) for block in heard(kafka)) == 3
    assert {(partition, offset) for partition, offset, mark, _ in reports(kafka) if mark == END} == {(0, 4), (1, 0)}


def test_the_ends_may_come_later_in_a_file(kafka, tmp_path: Path):
    """It goes on until the file is there, and then up to the offsets that it holds, not one record further."""
    spec, path = semantics(), tmp_path / "ends.json"
    prepare(kafka, spec, 2)
    put(kafka, 0, at(0), at(1))
    role = observer(kafka, spec, FromFile(path))
    assert [role.turn() for _ in range(3)] == [False] * 3
    put(kafka, 0, at(2), at(3))
    path.write_bytes(msgspec.json.encode({"source": [4, 0]}))

    assert [role.turn() for _ in range(3)][-1] is True
    assert sum(int(block.table.sources.records.sum()) for block in heard(kafka)) == 3


def test_after_the_end_of_time_a_daemon_is_refused(kafka):
    """Every later record would be late: the role says so, and does not quietly refuse them all."""
    spec = semantics()
    prepare(kafka, spec, 1)
    put(kafka, 0, at(0))
    role = observer(kafka, spec, AtStart())
    while not role.turn():
        pass
    role.disconnect()
    put(kafka, 0, at(1))

    daemon = ObserveRole(kafka, spec, "s", LOCAL)
    daemon.connect()
    with pytest.raises(Fatal, match="--until-end"):
        daemon.turn()
    daemon.disconnect()
    assert observer(kafka, spec, AtStart()).turn()


def judge(kafka: MemoryKafka, spec: Semantics, until: int, chart_partition: int = 0) -> None:
    """Chart's word that the stream is judged so far."""
    marker = Judged(stream="s", config=spec.hash(), start=NEVER, until=until, frontier=until)
    send = Send(Place("app.verdicts", chart_partition), [b"s"], [msgspec.json.encode(marker)])
    kafka.producer(f"judge.{chart_partition}").transact([send], {}, None, None, 5.0)


def test_partitions_far_ahead_are_paused_and_resumed_by_verdicts(kafka):
    """Beyond `max_open_windows` a partition waits, its records in Kafka; the slowest chart partition lets it go on."""
    spec = semantics(2, disorder_us=0, lateness_us=0, max_open_windows=4)
    prepare(kafka, spec, 2)
    put(kafka, 0, *(at(window) for window in range(40)))
    role = observer(kafka, spec, records=1)
    place = Place("source", 0)

    def reach() -> float:
        for _ in range(50):
            role.turn()
        return (role.sources[place].watermark - BEGIN) / US

    assert (reach(), role.sources[place].paused) == (6, True)
    judge(kafka, spec, BEGIN + 10 * US, 0)
    assert reach() == 6
    judge(kafka, spec, BEGIN + 4 * US, 1)
    assert reach() == 10
    role.disconnect()
    role = observer(kafka, spec, records=1)
    assert reach() == 10


def test_a_partition_that_is_behind_is_never_paused(kafka):
    """Only the one ahead waits; the one behind is what it waits for."""
    spec = semantics(disorder_us=0, lateness_us=0, max_open_windows=2)
    prepare(kafka, spec, 2)
    put(kafka, 0, *(at(window) for window in range(100, 130)))
    put(kafka, 1, *(at(window) for window in range(30)))
    role = observer(kafka, spec, records=2)
    while not role.sources:  # what is judged was worked on: verdicts without committed offsets are refused
        role.turn()
    judge(kafka, spec, BEGIN + 5 * US)
    for _ in range(60):
        role.turn()

    assert [source.paused for source in role.sources.values()] == [True, True]
    assert [(source.watermark - BEGIN) // US for source in role.sources.values()] == [101, 9]


def together(kafka: MemoryKafka, spec: Semantics, ends: Ends | None, turns: int, clock: Clock | None = None) -> tuple[ObserveRole, bool]:
    """Observe, a record a turn, and chart beside it; whether observe came to its end."""
    role = observer(kafka, spec, ends, records=1, clock=clock or Clock())
    chart = ChartRole(kafka, spec, LOCAL, 1e9, until_end=True)
    chart.connect()
    ended = False
    for _ in range(turns):
        ended = ended or role.turn()
        chart.turn()
        if clock:
            clock.now += 1
        if ended:
            break
    chart.disconnect()
    return role, ended


@pytest.mark.parametrize(
    "stream",
    [
        {"lateness_us": 40 * US, "disorder_us": 0},
        {"lateness_us": 0, "disorder_us": 40 * US},
        {"lateness_us": 40 * US, "disorder_us": 40 * US},
        {"lateness_us": 0, "disorder_us": 0},
    ],
)
@pytest.mark.parametrize("most", [1, 3])
def test_holding_back_never_waits_for_itself(kafka, stream, most):
    """Lateness and disorder far beyond `max_open_windows` bring no deadlock: the run comes to its end."""
    spec = semantics(2, max_open_windows=most, **stream)
    prepare(kafka, spec, 1)
    put(kafka, 0, *(at(window + half) for window in range(130) for half in (0, 0.5)))

    assert together(kafka, spec, AtStart(), 1200)[1]


@pytest.mark.parametrize("jump", [DAY // US * 90, 7, 3])
@pytest.mark.parametrize("stream", [{"max_empty_windows": 2}, {"max_empty_windows": 5}, {"max_empty_windows": 2, "lateness_us": 30 * US}])
def test_jumps_of_event_time_bring_no_deadlock(kafka, stream, jump):
    """After months without a record, windows are passed over in silence, and what waits for them goes on."""
    spec = semantics(max_open_windows=1, disorder_us=0, **{"lateness_us": 0} | stream)
    prepare(kafka, spec, 2)
    for partition in range(2):
        put(kafka, partition, *(at(window + k * jump) for k in range(3) for window in range(4)))

    assert together(kafka, spec, AtStart(), 400)[1]


def test_a_silent_partition_holds_the_others_only_until_it_is_idle(kafka):
    """Live, one partition without a record: the other is held back, and goes on to its end when the silent one was idle for long enough."""
    spec, clock = semantics(clock="live", idle_after_us=60_000_000, max_open_windows=1, lateness_us=0), Clock()
    prepare(kafka, spec, 2)
    put(kafka, 0, *(at(window) for window in range(50)))
    role, _ = together(kafka, spec, None, 40, clock)
    ahead = role.sources[Place("source", 0)]
    assert ahead.paused
    role.disconnect()
    role, _ = together(kafka, spec, None, 200, clock)

    assert role.sources[Place("source", 0)].watermark == BEGIN + 49 * US - 3_000_000


def test_a_live_stream_may_be_silent_for_longer_than_a_gap(kafka):
    """All partitions rest for hours; event time goes on, and new records are taken as soon as they come."""
    spec, clock = semantics(clock="live", idle_after_us=60_000_000, max_open_windows=1, max_empty_windows=3), Clock()
    prepare(kafka, spec, 2)
    put(kafka, 0, at(0), at(1))
    together(kafka, spec, None, 20, clock)[0].disconnect()
    clock.now += 6 * 3600
    role, _ = together(kafka, spec, None, 100, clock)
    later = 6 * 360 + 20
    put(kafka, 0, *(at(later + window) for window in range(5)))
    put(kafka, 1, *(at(later + window) for window in range(5)))
    role.disconnect()
    role, _ = together(kafka, spec, None, 60, clock)

    assert {source.watermark for source in role.sources.values()} == {BEGIN + (later + 4) * US - 3_000_000}


def test_blocks_that_are_too_large_are_split(kafka, monkeypatch):
    """They go out in parts by shard, in one transaction; together they are the block, and the last part alone says how far it is read."""
    spec = semantics(2)
    prepare(kafka, spec, 1)
    put(kafka, 0, *(at(window, f"shop{shop}") for window in range(2) for shop in range(60)))
    role = observer(kafka, spec)
    monkeypatch.setattr(observe, "BLOCK_BYTES", 2_000)
    role.turn()
    parts = heard(kafka, 1)
    other = MemoryKafka()
    prepare(other, spec, 1)
    put(other, 0, *(at(window, f"shop{shop}") for window in range(2) for shop in range(60)))
    monkeypatch.setattr(observe, "BLOCK_BYTES", 10**9)
    observer(other, spec).turn()
    (whole,) = heard(other, 1)

    assert len(parts) > 2
    assert [len(part.progress) for part in parts] == [0] * (len(parts) - 1) + [1]
    assert bits(merge([part.table for part in parts])) == bits(merge([whole.table]))
    assert max(len(wire.encode_block(part)) for part in parts) <= 2_000


def test_what_was_not_committed_is_not_counted(kafka):
    """A turn that fails is repeated by the next owner; its records are counted once."""
    spec = semantics()
    prepare(kafka, spec, 1)
    role = observer(kafka, spec)
    put(kafka, 0, at(0), b"{")
    role.producer.close()
    with pytest.raises(Exception, match="spent"):
        role.turn()
    role.disconnect()
    role.connect()
    for _ in range(2):
        role.turn()

    assert role.meters.counts["spc_records_total", ("s", "observe", "read")] == 2
    assert role.meters.counts["spc_records_refused_total", ("s", "observe", "undecodable")] == 1
