from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import msgspec
import pytest

from driving import LOCAL, outcome, prepare
from strategies import BEGIN_MS, WINDOW_MS, comparable, quick, semantics, settled, source
from streamspc.errors import Transient
from streamspc.kafka_io.memory import Log, MemoryKafka
from streamspc.kafka_io.port import Place, Send
from streamspc.kafka_io.steps import STEPS, At, Crash, nowhere
from streamspc.model import NEVER, Command, Override, Signal
from streamspc.roles import chart
from streamspc.roles.chart import ChartRole
from streamspc.roles.commanding import give, override
from streamspc.roles.ends import AtStart
from streamspc.roles.gate import GateRole
from streamspc.roles.loop import Role
from streamspc.roles.observe import ObserveRole

SOURCES = [source(seed, 100) for seed in (11, 12, 13)]
SPEC = semantics(2)
SMALL = replace(LOCAL, batch_records=25)
ROLES = ("observe", "chart", "gate")


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Roles do not wait, and take little at a time."""
    quick(monkeypatch)
    monkeypatch.setattr(chart, "BLOCKS", 5)


def filled() -> Log:
    """A cluster with the source records, control's first entry, commands and overrides for windows to come."""
    kafka = MemoryKafka()
    prepare(kafka, SPEC, len(SOURCES))
    producer = kafka.producer("source")
    sends = [Send(Place("source", i), one.keys, one.values, one.headers, one.stamps) for i, one in enumerate(SOURCES)]
    producer.transact(sends, {}, None, None, 30.0)
    common: dict[str, Any] = {"config": SPEC.hash(), "stream": "s", "by": "ann"}
    give(kafka, SPEC, Command(kind="reset", id="r", metric="price", since=start(9), **common))
    give(kafka, SPEC, Command(kind="accept", id="a", since=start(8), **common))
    override(kafka, SPEC, Override(kind="closed", id="c", since=start(3), until=start(5), **common))
    override(kafka, SPEC, Override(kind="open", id="o", since=start(4), until=start(8), **common))
    return kafka.log


def start(window: int) -> int:
    """When this window begins."""
    return (BEGIN_MS + window * WINDOW_MS) * 1000


def makers() -> dict[str, Callable[[MemoryKafka], Role]]:
    """How each role is made. Chart takes a snapshot now and then, by a clock that its own turns drive."""
    ends = AtStart()
    ticks = itertools.count()
    return {
        "observe": lambda kafka: ObserveRole(kafka, SPEC, "s", SMALL, ends),
        "chart": lambda kafka: ChartRole(kafka, SPEC, SMALL, 9.0, until_end=True, clock=lambda: float(next(ticks))),
        "gate": lambda kafka: GateRole(kafka, SPEC, "s", SMALL, ends),
    }


class Process:
    """A role in a process of its own."""

    def __init__(self, log: Log, make: Callable[[MemoryKafka], Role], crash: At = nowhere) -> None:
        self.log, self.make, self.finished = log, make, False
        self.begin(crash)

    def begin(self, crash: At) -> None:
        """Make the role, with clients of its own."""
        self.kafka = MemoryKafka(self.log, crash)
        self.role = self.make(self.kafka)
        self.role.connect()

    def turn(self) -> None:
        """A turn, as the loop does it; a crash makes a new process."""
        try:
            self.finished = self.role.turn()
        except Transient:
            self.role.disconnect()
            self.role.connect()
        except Crash:
            self.kafka.kill()
            self.begin(nowhere)
        if self.finished:
            self.role.disconnect()


def finish(processes: list[Process]) -> None:
    """Turn all in rounds until each has finished."""
    for _ in range(2000):
        waiting = [process for process in processes if not process.finished]
        if not waiting:
            return
        for process in waiting:
            process.turn()
    pytest.fail("the roles do not come to an end")


def told(log: Log) -> dict[str, Any]:
    """All that a reader of committed records finds, comparable to the last bit; order where order is promised."""
    found = outcome(MemoryKafka(log), SPEC)
    verdicts: dict[int, list[Any]] = {}
    for partition, verdict in found.verdicts:
        if verdict.start != NEVER:
            verdicts.setdefault(partition, []).append(settled(verdict))
    return {
        "points": Counter(map(comparable, found.points)),
        "signals": Counter(map(msgspec.json.encode, found.signals)),
        "verdicts": verdicts,
        "clean": records(found.clean),
        "quarantine": records(found.quarantine),
    }


def records(batches: list[Any]) -> dict[int, list[Any]]:
    """Key, value, headers and timestamp of the records of each partition."""
    found: dict[int, list[Any]] = {}
    for batch in batches:
        headers = [[]] * len(batch) if batch.headers is None else batch.headers
        rows = zip(batch.keys, batch.values, map(tuple, headers), batch.timestamps.tolist(), strict=True)
        found.setdefault(batch.partition, []).extend(rows)
    return found


@cache
def undisturbed() -> dict[str, Any]:
    """What a run without faults leaves."""
    log = filled()
    finish([Process(log, make) for make in makers().values()])
    return told(log)


def nth(step: str, times: int, crashed: list[str]) -> At:
    """Ends the process when it comes to this step for the nth time, once."""
    left = itertools.count(1)

    def crash(at: str) -> None:
        if at == step and next(left) == times:
            crashed.append(at)
            raise Crash

    return crash


@pytest.mark.parametrize("times", [1, 2, 5])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("role", ROLES)
def test_a_crash_at_any_step_changes_nothing(role, step, times):
    """A role that is killed at a step of a transaction, and made again, leaves what a run without faults leaves."""
    log = filled()
    crashed: list[str] = []
    finish([Process(log, make, nth(step, times, crashed) if name == role else nowhere) for name, make in makers().items()])

    assert crashed == [step]
    assert told(log) == undisturbed()


@pytest.mark.parametrize("role", ROLES)
def test_replicas_share_the_partitions(role):
    """Two processes of a role, one of which is killed on the way and one of which comes late, leave the same."""
    log, made = filled(), makers()
    crashed: list[str] = []
    processes = [Process(log, make, nth("offsets", 3, crashed) if name == role else nowhere) for name, make in made.items()]
    for _ in range(4):
        for process in processes:
            process.turn()
    finish([*processes, Process(log, made[role])])

    assert crashed == ["offsets"]
    assert told(log) == undisturbed()


def test_chart_comes_back_from_a_snapshot_and_a_log_that_was_cut():
    """Chart deletes the tallies that its snapshots stand for, and a new process goes on from there."""
    log, made = filled(), makers()
    processes = {name: Process(log, make) for name, make in made.items()}
    for _ in range(12):
        for process in processes.values():
            process.turn()
    cut = [log.partitions[Place("app.tallies", i)].start for i in range(2)]
    processes["chart"].kafka.kill()
    processes["chart"].begin(nowhere)
    finish(list(processes.values()))

    assert min(cut) > 0
    assert told(log) == undisturbed()


def original(headers: tuple[Any, ...]) -> tuple[Any, ...]:
    """The headers before ours."""
    return tuple(itertools.takewhile(lambda header: not header[0].startswith(("__connect.", "streamspc.")), headers))


def is_within(part: list[Any], whole: list[Any]) -> bool:
    """Is it what is left of the whole when some are taken out?"""
    rest = iter(whole)
    return all(item in rest for item in part)


@pytest.mark.parametrize("partition", range(3))
def test_every_record_is_in_clean_or_in_quarantine_in_its_order(partition):
    """Input = clean + quarantine, partition by partition, each in the order of the source; original headers come first, unchanged."""
    one = SOURCES[partition]
    given = list(zip(one.keys, one.values, map(tuple, one.headers), one.stamps, strict=True))
    ways = [[(*row[:2], original(row[2]), row[3]) for row in undisturbed()[way][partition]] for way in ("clean", "quarantine")]

    assert Counter(ways[0]) + Counter(ways[1]) == Counter(given)
    assert all(len(way) > 5 and is_within(way, given) for way in ways)


def test_these_runs_obey_operators():
    """A reset changes series, a command that changes none says so, and overrides decide on records."""
    told_of = [msgspec.json.decode(one, type=Signal) for one in undisturbed()["signals"]]
    changed = {(one.command, one.n > 0) for one in told_of if one.kind == "command"}
    assert {("r", True), ("a", False)} <= changed
    headers = {header for way in ("clean", "quarantine") for rows in undisturbed()[way].values() for row in rows for header in row[2]}
    assert {("streamspc.gate", b"open"), ("streamspc.reason", b"gate_closed")} <= headers


@pytest.mark.parametrize(("records", "blocks"), [(1, 1), (7, 100), (10_000, 2)])
def test_batches_of_any_size_leave_the_same(monkeypatch, records, blocks):
    """However much the roles take in a turn, points, signals, verdicts and every routed record are the same."""
    expected = undisturbed()
    monkeypatch.setitem(globals(), "SMALL", replace(LOCAL, batch_records=records))
    monkeypatch.setattr(chart, "BLOCKS", blocks)
    log = filled()
    finish([Process(log, make) for make in makers().values()])

    assert told(log) == expected
