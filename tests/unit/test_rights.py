"""The rights that the README lists are those that the roles use."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest

from driving import LOCAL, Roles, prepare, run
from strategies import at, put, quick, semantics
from streamspc.effect.sender import Sender, build
from streamspc.kafka_io.memory import MemoryKafka
from streamspc.model import Alerting, Answer, Command, Override, ReceiverLocal, Secret
from streamspc.roles import hearing
from streamspc.roles.commanding import beyond, give, override
from streamspc.roles.gating import book, waiting
from streamspc.roles.lesson import lesson
from streamspc.roles.notify import NotifyRole
from streamspc.roles.standing import last_points, standing

README = Path(__file__).parents[2] / "README.md"
SPEC = semantics(2)
_NAMES = {"STREAM": "s", "SOURCE": "source", "CLEAN": "clean", "QUARANTINE": "quarantine", "RECEIVER": "r", "APP": "app"}


def listed() -> dict[str, dict[str, set[str]]]:
    """The table: by process and column, the names in it as they are for the application of this test."""
    section = README.read_text().split("\n## Rights\n")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("|")]
    plain = lambda cell: {re.sub("|".join(_NAMES), lambda found: _NAMES[found[0]], it) for it in re.findall("`([^`]+)`", cell)}  # noqa: E731
    return {row[0]: dict(zip(rows[0][1:], map(plain, row[1:]), strict=True)) for row in rows[2:]}


class Spy(MemoryKafka):
    """Notes what is asked of it, by column of the table."""

    def __init__(self, log=None):
        super().__init__(log)
        self.used: dict[str, set[str]] = defaultdict(set)

    def subscribe(self, group, topics, instance=None):
        """A member reads."""
        self.used["group"].add(group)
        self.used["Read"] |= set(topics)
        return super().subscribe(group, topics, instance)

    def read(self, places):
        """So does whoever has no group."""
        self.used["Read"] |= {place.topic for place in places}
        return super().read(places)

    def producer(self, transactional_id):
        """Every writer has an id."""
        self.used["transactional id"].add(transactional_id)
        producer = super().producer(transactional_id)
        real = producer.transact

        def transact(sends, *rest):
            self.used["Write"] |= {send.place.topic for send in sends}
            real(sends, *rest)

        producer.transact = transact  # type: ignore[method-assign]
        return producer

    def admin(self):
        """Deletes."""
        admin = super().admin()
        real = admin.delete_before

        def delete_before(offsets):
            self.used["Delete"] |= {place.topic for place in offsets}
            real(offsets)

        admin.delete_before = delete_before  # type: ignore[method-assign]
        return admin


def assert_listed(process: str, used: dict[str, set[str]]) -> None:
    """Exactly the topics and the groups; ids of members end in what is their own."""
    rights = listed()[process]
    ids = used.pop("transactional id")

    assert used == {column: found for column, found in rights.items() if found and column != "transactional id"}
    assert all(any(it == start or it.startswith(f"{start}.") for start in rights["transactional id"]) for it in ids)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    quick(monkeypatch)
    monkeypatch.setattr(hearing, "POLL", 0.0)


def test_each_role_uses_what_is_listed_and_no_more():
    """Topics that are read, written and deleted from, groups and transactional ids."""
    start = Spy()
    prepare(start, SPEC, 2)
    assert_listed("every process", start.used)
    failing = [at(window + part / 10, failed=window > 50) for window in range(60) for part in range(10)]
    put(start, 0, *failing, None)
    put(start, 1, at(59))
    spies = {name: Spy(start.log) for name in ("observe", "chart", "gate", "notify")}
    run([Roles(spies[name], SPEC, snapshot_every=0.0).all()[row] for row, name in enumerate(("observe", "chart", "gate"))])
    receiver = ReceiverLocal("r", "webhook", (Secret("https://hooks.example/token"),))
    sender = Sender(receiver, build(receiver, SPEC).words, lambda *_: Answer(200))
    run([NotifyRole(spies["notify"], SPEC, sender, Alerting.to("r"), LOCAL, until_end=True)])

    for name, spy in spies.items():
        assert_listed(name, spy.used)

    looks, overrides = Spy(start.log), Spy(start.log)
    book(looks, SPEC, SPEC.streams[0])
    waiting(looks, SPEC, SPEC.streams[0])
    until = beyond(overrides, SPEC, SPEC.streams[0])
    override(overrides, SPEC, Override(kind="open", id="1", config=SPEC.hash(), stream="s", until=until))
    looks.used["transactional id"] = set()
    assert_listed("`gate status` (a command)", looks.used)
    assert_listed("`gate open`, `close`", overrides.used)

    shows, commands = Spy(start.log), Spy(start.log)
    for partition in range(2):
        standing(shows, SPEC, partition)
        last_points(shows, SPEC, partition, "s")
        standing(commands, SPEC, partition)
    since = beyond(commands, SPEC, SPEC.streams[0])
    give(commands, SPEC, Command(kind="reset", id="1", config=SPEC.hash(), stream="s", since=since))
    past = lesson(commands, SPEC.streams[0], "earliest", "latest")
    give(commands, SPEC, Command(kind="learn", id="2", config=SPEC.hash(), stream="s"), past)
    shows.used["transactional id"] = set()
    assert_listed("`baseline show` (a command)", shows.used)
    assert_listed("`baseline accept`, `reset`, `learn`", commands.used)
