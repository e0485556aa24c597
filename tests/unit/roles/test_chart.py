from __future__ import annotations

import itertools

import msgspec
import numpy as np
import pytest
import structlog

from driving import LOCAL, prepare, read
from strategies import BEGIN_MS, WINDOW_MS, at, quick, semantics
from streamspc import wire
from streamspc.bucket.merge import scatter
from streamspc.chart.limits import choose
from streamspc.errors import Fatal, Transient
from streamspc.flow import ready, tally
from streamspc.kafka_io.memory import MemoryKafka
from streamspc.kafka_io.memory.clients import MemoryAdmin
from streamspc.kafka_io.port import Place, Send
from streamspc.model import (
    NEVER,
    Batch,
    Block,
    Budget,
    ChartKind,
    Counted,
    Judged,
    MetricKind,
    MetricSpec,
    Semantics,
    Signal,
    VerdictRecord,
)
from streamspc.roles.chart import ChartRole

US = WINDOW_MS * 1000
BEGIN = BEGIN_MS * 1000
SPEC = semantics(2, disorder_us=0, lateness_us=0)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """No waiting."""
    quick(monkeypatch)


@pytest.fixture
def kafka():
    """A cluster with its topics."""
    made = MemoryKafka()
    prepare(made, SPEC, 1)
    return made


def charts(kafka: MemoryKafka, spec: Semantics = SPEC, every: float = 1e9, **more) -> ChartRole:
    """A chart role with its partitions."""
    role = ChartRole(kafka, spec, LOCAL, every, **more)
    role.connect()
    role.turn()
    return role


def turn(role: ChartRole, times: int = 3) -> None:
    """Some turns."""
    for _ in range(times):
        role.turn()


def observe(kafka: MemoryKafka, *windows: float, spec: Semantics = SPEC, config: str | None = None) -> None:
    """A block for each record of these windows, as observe sends them."""
    stream, producer = ready(spec.streams[0]), kafka.producer("observe")
    watermark = NEVER
    for window in windows:
        batch = Batch("source", 0, np.array([0]), np.array([BEGIN_MS + 10**9]), [None], [at(window)], None, 1)
        table, told = tally(stream, batch, watermark)
        watermark = told.watermark
        parts = scatter(table, "s", spec.chart_partitions)
        sends = [
            Send(Place("app.tallies", i), [b"block"], [wire.encode_block(Block("s", config or spec.hash(), 1, (told,), part))])
            for i, part in enumerate(parts)
        ]
        producer.transact(sends, {}, None, None, 5.0)


def verdicts(kafka: MemoryKafka, partition: int = 0) -> list[int]:
    """Window starts that chart partition has judged, in windows."""
    found = []
    for batch in read(kafka, "app.verdicts"):
        records = [msgspec.json.decode(value or b"", type=VerdictRecord) for value in batch.values if batch.partition == partition]
        found += [(record.start - BEGIN) // US for record in records if isinstance(record, Judged)]
    return found


def restores(captured) -> list[int]:
    """Partitions that were restored, in order."""
    return [entry["partition"] for entry in captured if entry["event"] == "restored"]


def test_points_signals_and_verdicts_go_out_with_the_offsets(kafka):
    """Partition i of tallies is answered in partition i of points and verdicts, and its offset is committed."""
    role = charts(kafka)
    observe(kafka, 0, 1, 9)
    turn(role)
    points = {batch.partition: [wire.decode_points(v or b"") for v in batch.values] for batch in read(kafka, "app.points")}

    assert verdicts(kafka, 0) == verdicts(kafka, 1) == [0, 1, 2, 3, 4, 5, (NEVER - BEGIN) // US]
    assert {len(one.segments) for found in points.values() for one in found} <= {1, 2}
    signals = [msgspec.json.decode(v or b"", type=Signal) for batch in read(kafka, "app.signals") for v in batch.values]
    assert [signal.kind for signal in signals] == ["gap"]
    committed = [kafka.log.committed("app.chart", Place("app.tallies", i)) for i in range(2)]
    assert [found and found.offset for found in committed] == [11, 11]  # the counts of both partitions were read, too


def test_blocks_of_another_configuration_are_refused(kafka):
    """Nothing is charted under the wrong name; the message says which configuration the log has."""
    role = charts(kafka)
    observe(kafka, 0, config="another")

    with pytest.raises(Fatal, match="block of configuration another"):
        turn(role)


def test_after_a_restart_nothing_is_said_twice(kafka):
    """The log behind the snapshot is read again with outputs off, up to the committed offset."""
    role = charts(kafka)
    observe(kafka, *range(5))
    turn(role)
    role.disconnect()
    again = charts(kafka)
    turn(again)
    observe(kafka, 5, 6)

    assert verdicts(kafka) == [0, 1, 2, 3]
    turn(again)
    assert verdicts(kafka) == [0, 1, 2, 3, 4, 5]


def test_snapshots_are_written_when_due_and_when_there_is_news(kafka):
    """Not before `snapshot_every`, and never twice of the same state."""
    now = [0.0]
    role = charts(kafka, every=60, clock=lambda: now[0])

    def snapshots() -> int:
        return sum(key == b"partition" for batch in read(kafka, "app.snapshots") for key in batch.keys)

    seen = []
    for seconds, windows in ((0, [0]), (59, [1]), (1, []), (60, []), (60, [2]), (1, [3])):
        now[0] += seconds
        observe(kafka, *windows)
        turn(role)
        seen.append(snapshots())

    assert seen == [0, 0, 2, 2, 4, 4]


def test_a_snapshot_goes_with_the_offset_that_it_stands_for(kafka):
    """A role that is made again goes on from it, and the tallies below it are deleted."""
    ticks = itertools.count()
    role = charts(kafka, every=0.5, clock=lambda: float(next(ticks)))
    observe(kafka, 0, 1, 2)
    turn(role)
    first = [kafka.log.partitions[Place("app.tallies", i)].start for i in range(2)]
    role.disconnect()
    with structlog.testing.capture_logs() as logs:
        again = charts(kafka)
    observe(kafka, 9)
    turn(again)

    assert min(first) > 0
    assert [(entry["snapshot_offset"], entry["committed_offset"]) for entry in logs if entry["event"] == "restored"] == [(8, 8)] * 2
    assert verdicts(kafka)[:4] == [0, 1, 2, 3]


@pytest.mark.parametrize("error", [Transient("no leader"), Fatal("not allowed to delete")])
def test_tallies_that_cannot_be_deleted_stop_nothing(kafka, monkeypatch, error):
    """The snapshot is committed already; a warning says what is left, and the next snapshot's turn deletes that too."""

    def refuse(*_):
        raise error

    with monkeypatch.context() as patch, structlog.testing.capture_logs() as logs:
        patch.setattr(MemoryAdmin, "delete_before", refuse)
        ticks = itertools.count()
        role = charts(kafka, every=0.5, clock=lambda: float(next(ticks)))
        observe(kafka, 0, 1, 2)
        turn(role)
    observe(kafka, 3)
    turn(role)

    assert [entry["log_level"] for entry in logs if "deleted" in entry["event"]] == ["warning"]
    assert kafka.log.partitions[Place("app.tallies", 0)].start > 8
    assert verdicts(kafka) == [0, 1, 2]


def test_a_log_that_was_cut_below_its_snapshot_is_refused(kafka):
    """Without the tallies, the state cannot be made again: the role ends and says what to do."""
    role = charts(kafka)
    observe(kafka, 0, 1, 2)
    turn(role)
    role.disconnect()
    kafka.admin().delete_before({Place("app.tallies", 1): 3})

    with pytest.raises(Fatal, match=r"app\.tallies-1 begins at offset 3"):
        charts(kafka)


def test_a_partition_that_stays_keeps_its_state(kafka):
    """When a second process comes, the first one restores nothing; when it goes, only what comes back is restored."""
    one = charts(kafka)
    observe(kafka, *range(3))
    turn(one)
    with structlog.testing.capture_logs() as logs:
        two = charts(MemoryKafka(kafka.log))
        turn(one)
    assert [len(one.owned), restores(logs)] == [1, [1]]
    observe(kafka, 4)
    turn(one)
    turn(two)
    two.disconnect()
    with structlog.testing.capture_logs() as logs:
        turn(one)
    observe(kafka, 9)
    turn(one)

    assert restores(logs) == [1]
    assert verdicts(kafka, 0) == verdicts(kafka, 1)
    assert verdicts(kafka, 0)[:4] == [0, 1, 2, 3]


def test_a_partition_that_others_have_answered_meanwhile_catches_up_silently(kafka):
    """A member that was away without noticing goes on from its own state, with outputs off up to what the others committed."""
    one = charts(kafka)
    observe(kafka, 0, 1, 2)
    turn(one)
    two = charts(MemoryKafka(kafka.log))
    three = charts(MemoryKafka(kafka.log))
    for role in (two, three):  # they take what `one` has, while it does not poll
        turn(role, 1)
    kafka.log.group("app.chart").leave(one.consumer._member)  # type: ignore[attr-defined]
    observe(kafka, 4)
    for role in (two, three) * 3:
        role.turn()
    behind = dict(one.owned)
    for role in (two, three):
        role.disconnect()
    one.disconnect()
    one.connect()
    one.owned = behind  # as a client that came back into the group would have them
    with structlog.testing.capture_logs() as logs:
        turn(one)

    assert restores(logs) == []
    assert verdicts(kafka, 0) == verdicts(kafka, 1) == [0, 1, 2, 3]
    assert {owned.offset for owned in one.owned.values()} == {owned.silent.offset for owned in one.owned.values()}


def test_after_an_error_everything_is_restored(kafka):
    """A fold may have been left half done: no state survives the clients."""
    role = charts(kafka)
    observe(kafka, 0, 1, 2)
    turn(role)
    role.producer.close()
    observe(kafka, 4)
    with pytest.raises(Transient):
        turn(role)
    role.disconnect()
    role.connect()
    with structlog.testing.capture_logs() as logs:
        turn(role)

    assert restores(logs) == [0, 1]
    assert verdicts(kafka) == [0, 1, 2, 3]


def test_it_is_not_ready_before_its_partitions_are_restored(kafka):
    """Nor again after its clients were lost."""
    role = ChartRole(kafka, SPEC, LOCAL)
    seen = [role.view.ready]
    role.connect()
    role.turn()
    seen.append(role.view.ready)
    role.disconnect()
    role.connect()
    seen.append(role.view.ready)

    assert seen == [False, True, False]


def test_a_standby_without_partitions_does_nothing(kafka):
    """More processes than partitions: the last one waits, ready, and never says that the end has come."""
    roles = [charts(MemoryKafka(kafka.log), until_end=True) for _ in range(3)]
    for _ in range(3):
        finished = [role.turn() for role in roles]

    assert sorted(len(role.owned) for role in roles) == [0, 1, 1]
    assert finished == [False] * 3
    assert all(role.view.ready for role in roles)


def budgeted() -> Semantics:
    """Two chart partitions whose limits follow from a budget that nobody has divided yet."""
    metrics = (MetricSpec(name="volume", kind=MetricKind.COUNT, signal_by=(ChartKind.SHEWHART,)),)
    return semantics(2, disorder_us=0, lateness_us=0, min_records=1, metrics=metrics, judge_by=(), budget=Budget(arl0=500.0))


def limits(kafka: MemoryKafka) -> list[tuple[int, int, float]]:
    """Window, version and limit of the last point of each series that is judged."""
    found = {}
    for batch in read(kafka, "app.points"):
        for points in (wire.decode_points(value or b"") for value in batch.values):
            for i, segment in enumerate(points.segments):
                if points.version[0, i]:
                    limit = float(points.shewhart_limit[0, i])
                    found[batch.partition, segment] = ((points.start - BEGIN) // US, int(points.version[0, i]), limit)
    return list(found.values())


@pytest.mark.parametrize("crash", [None, 4, 6, 8])
@pytest.mark.parametrize("snapshots", [1e9, 0.0])
def test_chart_partitions_count_their_segments_for_each_other(crash, snapshots):
    """When Phase I ends each tells all of them, in their logs; with the last count the budget is divided anew, also across restarts."""
    kafka, spec = MemoryKafka(), budgeted()
    prepare(kafka, spec, 1)
    role = charts(kafka, spec, snapshots)
    for window in range(10):
        observe(kafka, window, spec=spec)
        turn(role)
        if window == crash:
            role.disconnect()
            role = charts(kafka, spec, snapshots)

    assert [len(owned.state.streams["s"].counted) for owned in role.owned.values()] == [2, 2]
    assert {sum(owned.state.streams["s"].counted.values()) for owned in role.owned.values()} == {1}
    assert {limit for *_, limit in limits(kafka)} == {choose(spec.streams[0].metrics[0], 500.0 * 2 / 0.9).shewhart}
    assert {window for window, *_ in limits(kafka)} == {8}
    assert {version for _, version, _ in limits(kafka)} <= {1, 2}


def test_a_count_of_another_configuration_is_refused():
    """It would divide a budget that this process does not have."""
    kafka, spec = MemoryKafka(), budgeted()
    prepare(kafka, spec, 1)
    role = charts(kafka, spec)
    counted = Counted(stream="s", config="another", chart_partition=0, segments=3)
    kafka.producer("chart").transact([Send(Place("app.tallies", 0), [b"counted"], [msgspec.json.encode(counted)])], {}, None, None, 5.0)
    with pytest.raises(Fatal, match="counted of configuration another"):
        turn(role)
