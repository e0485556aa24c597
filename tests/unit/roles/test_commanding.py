"""A level shift from its first rejected window to the clean topic again: the roles in memory, and the commands that an operator gives."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from driving import LOCAL, outcome, prepare, read
from strategies import BEGIN_MS, WINDOW_MS, at, put, quick, semantics
from streamspc.errors import Fatal, Fenced
from streamspc.kafka_io.memory import MemoryKafka
from streamspc.kafka_io.port import TopicPlan
from streamspc.kafka_io.steps import STEPS, Crash
from streamspc.kafka_io.topics import create, names, plans
from streamspc.model import (
    NEVER,
    BaselineSpec,
    Budget,
    ChartKind,
    ChartSpec,
    Command,
    EpisodeSpec,
    JudgeRule,
    MetricKind,
    MetricSpec,
    MultivariateSpec,
    StormSpec,
)
from streamspc.roles.chart import ChartRole
from streamspc.roles.commanding import beyond, first_window, give
from streamspc.roles.control import entries, read_to_end
from streamspc.roles.gate import GateRole
from streamspc.roles.lesson import lesson
from streamspc.roles.observe import ObserveRole
from streamspc.roles.span import Offsets
from streamspc.roles.standing import last_points, rows, standing
from streamspc.state import save

US, BEGIN = WINDOW_MS * 1000, BEGIN_MS * 1000
PRICE = MetricSpec(name="price", kind=MetricKind.MEAN, field="price", signal_by=(ChartKind.SHEWHART,), charts=ChartSpec(shewhart_limit=5.0))
VOLUME = MetricSpec(name="volume", kind=MetricKind.COUNT, charts=ChartSpec(shewhart_limit=9.0, cusum_h=99.0))
SPEC = semantics(
    2,
    disorder_us=0,
    lateness_us=0,
    metrics=(PRICE, VOLUME),
    multivariate=(MultivariateSpec(name="together", metrics=("price", "volume"), weight=1.0, limit=1e9),),
    judge_by=(JudgeRule(metric="price", segments=("*",)),),
    baseline=BaselineSpec(windows=12),
    episodes=EpisodeSpec(max_reject=5),
    budget=Budget(expected_segments=1),
    storm=StormSpec(windows=100),
    max_open_windows=100,
)
STREAM = SPEC.streams[0]


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """No waiting."""
    quick(monkeypatch)


class World:
    """A cluster, and roles that turn as long as there is something to do."""

    def __init__(self) -> None:
        self.kafka = MemoryKafka()
        prepare(self.kafka, SPEC, 1)
        self.noise = np.random.default_rng(3)
        self.chart = ChartRole(self.kafka, SPEC, LOCAL, 1e9)
        self.roles: list[ObserveRole | ChartRole | GateRole] = [
            ObserveRole(self.kafka, SPEC, "s", LOCAL),
            self.chart,
            GateRole(self.kafka, SPEC, "s", LOCAL),
        ]
        for role in self.roles:
            role.connect()

    def day(self, windows: range, level: float) -> None:
        """Ten records in each of these windows at a level of the price, through all roles."""
        for window in windows:
            put(self.kafka, 0, *(at(window + i / 10, "north", price=level + self.noise.normal()) for i in range(10)))
        for _ in range(12):
            for role in self.roles:
                role.turn()

    def told(self, kind, since, **what) -> Command:
        """A command from that window on, given."""
        command = Command(
            kind=kind, id=f"{kind}{since}", config=SPEC.hash(), stream="s", since=BEGIN + since * US, by="ann", why="a test", **what
        )
        give(self.kafka, SPEC, command)
        return command


def commands(kafka: MemoryKafka) -> dict[str, list[Command]]:
    """The commands in each log."""
    topics = names("app")
    return {
        topic: [
            msgspec.json.decode(value or b"", type=Command)
            for batch in read(kafka, topic)
            for key, value in zip(batch.keys, batch.values, strict=True)
            if key == b"command"
        ]
        for topic in (topics.control, topics.tallies, topics.verdicts)
    }


def test_a_lasting_shift_awaits_an_answer_and_its_records_flow_again():
    """Five windows are in quarantine, the others pass; the accepted level is a baseline of version 2, which judges as the first did."""
    world = World()
    world.day(range(20), 10.0)
    world.day(range(20, 40), 30.0)
    world.told("accept", 40, metric="price")
    world.day(range(40, 60), 30.0)
    world.day(range(60, 62), 10.0)
    world.day(range(62, 64), 30.0)
    out = outcome(world.kafka, SPEC)

    whole = [signal for signal in out.signals if (signal.metric, signal.segment) == ("price", "*")]
    assert [(s.kind, (s.start - BEGIN) // US) for s in whole if s.kind not in {"update", "command"}] == [
        ("open", 20), ("shift", 24), ("resolve", 40), ("baseline", 40), ("open", 60),
    ]  # fmt: skip
    answered = whole[[s.kind for s in whole].index("resolve")]
    assert (answered.answer, answered.by, answered.why, answered.baseline_version, answered.episode) == (
        "accept", "ann", "a test", 2, whole[0].episode,
    )  # fmt: skip
    assert answered.centre == pytest.approx(30.0, abs=0.5)
    rejected = sorted({(v.start - BEGIN) // US for _, v in out.verdicts if hasattr(v, "segment")})
    assert rejected == [*range(20, 25), 60, 61]
    assert sum(v.lifted for _, v in out.verdicts if hasattr(v, "lifted")) == 15
    assert sum(len(batch) for batch in out.quarantine) == 70
    receipts = [(s.chart_partition, s.command, s.n) for s in out.signals if s.kind == "command"]
    assert {(partition, name) for partition, name, _ in receipts} == {(0, "accept40"), (1, "accept40")}
    assert sum(n for *_, n in receipts) == 4  # price and what looks at it, in the whole stream and in the only segment
    versions = {(p.start - BEGIN) // US: int(p.version[0, p.segments.index("*")]) for p in out.points if "*" in p.segments}
    assert [versions[window] for window in (5, 20, 39, 40, 59)] == [0, 1, 1, 2, 2]


def test_what_is_learnt_from_the_past_is_what_was_learnt_then():
    """Windows 20 to 39 again, in one lesson: the baselines are those that a reset before window 20 has learnt from them, bit for bit."""
    world, other = World(), World()
    other.told("reset", 20)
    for one in (world, other):
        one.day(range(20), 10.0)
        one.day(range(20, 41), 30.0)
    learn = Command(kind="learn", id="l", config=SPEC.hash(), stream="s", begin="214", end="441", by="ann")
    table = lesson(world.kafka, STREAM, Offsets((19 * 11 + 5,)), Offsets((40 * 11 + 1,)))
    assert np.unique(table.start).tolist() == [BEGIN + window * US for window in range(20, 40)]
    give(world.kafka, SPEC, learn, table)
    for one in (world, other):
        one.day(range(41, 45), 30.0)

    banks = [one.chart.owned[place].state.streams["s"].bank for one in (world, other) for place in sorted(one.chart.owned)]
    for mine, theirs in zip(banks[:2], banks[2:], strict=True):
        assert mine.segments == theirs.segments
        for name in ("centre", "between", "unit", "bend", "phi", "kept", "dropped", "side"):
            assert getattr(mine.baseline, name).tobytes() == getattr(theirs.baseline, name).tobytes(), name
        assert (mine.baseline.version == theirs.baseline.version).all()
    out = outcome(world.kafka, SPEC)
    assert {s.episode for s in out.signals if s.answer == "learn" and s.kind == "resolve"} == {
        s.episode for s in out.signals if s.kind == "open" and s.start == BEGIN + 20 * US
    }
    assert sorted({(v.start - BEGIN) // US for _, v in out.verdicts if hasattr(v, "segment")}) == [*range(20, 25)]
    assert [one.id for one in commands(world.kafka)["app.control"]] == ["l"]


@pytest.mark.parametrize(("begin", "end", "why"), [(0, 15, "holds no whole window"), (0, 2600, "choose 240 or fewer")])
def test_a_range_that_teaches_nothing_or_far_too_much_is_refused(begin, end, why):
    """Three windows with records at least; no more than twenty times as many as Phase I has."""
    world = World()
    put(world.kafka, 0, *(at(window + i / 10) for window in range(260) for i in range(10)))

    with pytest.raises(Fatal, match=why):
        lesson(world.kafka, STREAM, Offsets((begin,)), Offsets((min(end, 2600),)))


def test_what_stands_is_what_the_role_has():
    """Read from snapshot and log it is the role's own state, bit for bit, a waiting command included; `rows` tell it to people."""
    world = World()
    world.day(range(20), 10.0)
    world.chart.snapshot_every = 0.0
    world.day(range(20, 28), 30.0)
    world.chart.snapshot_every = 1e9
    world.day(range(28, 30), 30.0)
    world.told("reset", 100)
    world.day(range(30, 32), 30.0)
    told = []
    for partition in range(2):
        state = standing(world.kafka, SPEC, partition)
        (mine,) = [owned.state for place, owned in world.chart.owned.items() if place.partition == partition]
        assert save(state, 1) == save(mine, 1)
        assert [one.id for one in state.streams["s"].commands] == ["reset100"]
        told += list(rows(state.streams["s"], last_points(world.kafka, SPEC, partition, "s")))

    row = next(row for row in told if (row["metric"], row["segment"]) == ("price", "*"))
    assert (row["phase"], row["version"], row["kept"] + row["dropped"]) == ("monitoring", 1, 12)
    assert row["centre"] == pytest.approx(10.0, abs=0.5)
    assert (row["episode"]["awaiting"], row["episode"]["side"], row["episode"]["rejecting"]) == (True, "up", 11)
    assert row["last"]["start"] == BEGIN + 30 * US
    assert row["last"]["lcl"] < 10.0 < row["last"]["ucl"] < row["last"]["value"]


def test_a_command_is_in_control_and_in_every_partition_of_tallies():
    """Once, the same bytes; verdicts have none of it."""
    kafka = MemoryKafka()
    prepare(kafka, SPEC, 1)
    one = Command(kind="reset", id="1", config=SPEC.hash(), stream="s", by="ann", why="new machines", at=7)
    give(kafka, SPEC, one)

    assert commands(kafka) == {"app.control": [one], "app.tallies": [one, one], "app.verdicts": []}
    assert one in entries(kafka, "app")


def test_another_configuration_gives_no_commands():
    """Nor one that has never run. Nothing is written."""
    kafka = MemoryKafka()
    prepare(kafka, SPEC, 1)
    other = semantics(2)
    with pytest.raises(Fatal, match="give the file that runs"):
        give(kafka, other, Command(kind="reset", id="1", config=other.hash(), stream="s"))
    empty = MemoryKafka()
    create(empty.admin(), plans(SPEC, LOCAL, {"source": TopicPlan("source", 1)}), 1)
    with pytest.raises(Fatal, match="holds no configuration yet"):
        give(empty, SPEC, Command(kind="reset", id="1", config=SPEC.hash(), stream="s"))

    assert commands(kafka) == {"app.control": [], "app.tallies": [], "app.verdicts": []}


@pytest.mark.parametrize("step", STEPS)
def test_a_crash_leaves_all_or_nothing(step):
    """And whoever gives the command again finds no half of the first."""
    kafka = MemoryKafka()
    prepare(kafka, SPEC, 1)

    def crash(now: str) -> None:
        if now == step:
            raise Crash

    first = MemoryKafka(kafka.log, crash)
    one = Command(kind="reset", id="1", config=SPEC.hash(), stream="s")
    with pytest.raises(Crash):
        give(first, SPEC, one)
    first.kill()
    found = commands(kafka)
    assert (len(found["app.control"]), len(found["app.tallies"])) in {(0, 0), (1, 2)}
    give(kafka, SPEC, one)

    assert len(commands(kafka)["app.tallies"]) == len(found["app.tallies"]) + 2


def test_of_two_at_once_the_earlier_is_fenced():
    """The second comes in on the way: what the first says is nowhere."""
    kafka = MemoryKafka()
    prepare(kafka, SPEC, 1)
    first, second = (Command(kind="reset", id=name, config=SPEC.hash(), stream="s") for name in "12")
    once: list[str] = []

    def between(now: str) -> None:
        if not once:
            once.append(now)
            give(MemoryKafka(kafka.log), SPEC, second)

    with pytest.raises(Fenced):
        give(MemoryKafka(kafka.log, between), SPEC, first)

    assert commands(kafka)["app.tallies"] == [second, second]


def test_beyond_every_watermark_is_where_nothing_can_have_closed():
    """The first window after that of the newest record which observe has read; a window's own start is not after itself."""
    world = World()
    assert beyond(world.kafka, SPEC, STREAM) == NEVER
    world.day(range(3), 10.0)

    assert beyond(world.kafka, SPEC, STREAM) == BEGIN + 3 * US
    assert [first_window(STREAM, BEGIN + offset) for offset in (0, 1, US)] == [BEGIN, BEGIN + US, BEGIN + US]


def test_what_stands_is_found_although_chart_deletes_the_log_that_is_read(monkeypatch):
    """A newer snapshot, and the log cut behind it, as reading begins: the first time right before the first batch, then not again."""
    world = World()
    world.day(range(20), 10.0)
    cuts = [range(20, 24), range(24, 28)]

    def cut_short(reader, places, patience):
        if places[0].topic == names("app").tallies and cuts:
            world.chart.snapshot_every = 0.0
            world.day(cuts.pop(0), 10.0)
        yield from read_to_end(reader, places, patience)

    monkeypatch.setattr("streamspc.roles.standing.read_to_end", cut_short)
    for partition in range(2):
        state = standing(world.kafka, SPEC, partition)
        (mine,) = [owned.state for place, owned in world.chart.owned.items() if place.partition == partition]
        assert save(state, 1) == save(mine, 1)
    assert not cuts
