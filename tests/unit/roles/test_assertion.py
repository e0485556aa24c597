"""The role that says to Alertmanager what is out of control, on Kafka in memory."""

from __future__ import annotations

import contextlib
from datetime import datetime

import msgspec
import pytest

from streamspc.effect.sender import Sender, build
from streamspc.errors import Transient
from streamspc.kafka_io import STEPS, Crash, MemoryKafka, topics
from streamspc.kafka_io.memory import Log
from streamspc.kafka_io.port import Place, Send, TopicPlan
from streamspc.model import Alerting, Answer, KafkaLocal, ReceiverLocal, Route, Secret, Semantics, Signal, StreamSpec
from streamspc.roles import hearing
from streamspc.roles.assertion import AssertRole
from streamspc.roles.hearing import Times

SEMANTICS = Semantics(app="app", chart_partitions=1, streams=(StreamSpec(name="s", topic="t", metrics=()),))
LOCAL = KafkaLocal({}, replication_factor=1, min_insync_replicas=1)
SIGNALS = Place(topics.names("app").signals, 0)
RECEIVER = ReceiverLocal("am", "alertmanager", (Secret("http://am-0.example"), Secret("http://am-1.example")))


class World:
    """A Kafka, an Alertmanager and their time in seconds."""

    def __init__(self):
        self.now = 1_000_000.0
        self.log = Log(clock=lambda: int(self.now * 1000))
        MemoryKafka(self.log).admin().create(topics.plans(SEMANTICS, LOCAL, {"t": TopicPlan("t", 1)}), 1)
        self.posts = []  # lists of (episode's metric, is it over)
        self.answers = []
        self.while_posting = lambda: None

    def signals(self, *signals):
        """Chart says these."""
        producer = MemoryKafka(self.log).producer("chart")
        producer.transact([Send(SIGNALS, [b"k"] * len(signals), list(map(msgspec.json.encode, signals)))], {}, None, None, 10.0)

    def role(self, at=lambda step: None, until_end=False):
        """A process that asserts, connected."""

        def post(message, body, content_type, now):
            self.while_posting()
            alerts = msgspec.json.decode(body)
            over = [datetime.fromisoformat(alert["endsAt"]).timestamp() <= self.now for alert in alerts]
            self.posts.append([(alert["labels"]["metric"], end) for alert, end in zip(alerts, over, strict=True)])
            self.bodies = alerts
            return self.answers.pop(0) if self.answers else Answer(200)

        times = Times(lambda: int(self.now * 1e6), lambda: self.now, lambda: 0.5)
        sender = Sender(RECEIVER, build(RECEIVER, SEMANTICS).words, post)
        role = AssertRole(MemoryKafka(self.log, at), SEMANTICS, sender, Alerting(Route(("am",), {})), LOCAL, until_end, times)
        role.connect()
        return role


@pytest.fixture
def world(monkeypatch):
    """A world in which no poll waits."""
    monkeypatch.setattr(hearing, "POLL", 0.0)
    return World()


def signal(metric, kind="open", **fields):
    """A signal of a series."""
    return Signal(
        kind=kind, stream="s", config="c", episode=f"e-{metric}", metric=metric, opened=10**6, start=10**6, end=2 * 10**6, **fields
    )


def turns(role, n=4):
    """Some turns; True when the last one finished."""
    return [role.turn() for _ in range(n)][-1]


def counted(role, result):
    """A counter of the view."""
    return role.meters.counts["spc_notifications_total", ("am", result)]


def test_what_is_open_is_said_at_once_and_each_minute(world):
    """A new episode is said at once, with all others, and then once a minute, each time good for five."""
    role = world.role()
    turns(role)
    world.signals(signal("a"))
    turns(role)
    world.signals(signal("b"))
    turns(role)

    assert world.posts == [[("a", False)], [("a", False), ("b", False)]]

    world.now += 59.0
    turns(role)
    assert len(world.posts) == 2

    world.now += 1.0
    turns(role)
    assert world.posts[2:] == [[("a", False), ("b", False)]]
    assert [datetime.fromisoformat(alert["endsAt"]).timestamp() - world.now for alert in world.bodies] == [300.0, 300.0]
    assert [alert["startsAt"] for alert in world.bodies] == ["1970-01-01T00:00:01.000Z"] * 2
    assert counted(role, "sent") == 2


def test_updates_wait_for_the_minute(world):
    """An update is no news, but what is said next has its numbers."""
    role = world.role()
    world.signals(signal("a", value=1.0, centre=0.0, z=4.0))
    turns(role)
    world.signals(signal("a", "update", value=2.0, centre=0.0, z=8.0))
    turns(role)

    assert len(world.posts) == 1

    world.now += 60.0
    turns(role)
    assert "+8.0 sigma" in world.bodies[0]["annotations"]["description"]


def test_an_end_is_said_until_it_is_heard(world):
    """An episode that is over is said to be over; once a peer has it, it is forgotten."""
    role = world.role()
    world.signals(signal("a"), signal("b"))
    turns(role)
    world.answers = [Answer(503), Answer(0)]
    world.signals(signal("a", "resolve"))
    turns(role)
    world.now += 30.0
    turns(role)
    world.now += 30.0
    turns(role)
    world.now += 60.0
    turns(role)

    assert world.posts[1:] == [[("a", True), ("b", False)]] * 3 + [[("b", False)]]
    assert (counted(role, "sent"), counted(role, "retried")) == (3, 2)


def test_a_new_owner_begins_with_all_that_is_open(world):
    """It says all of it first, before it reads on."""
    role = world.role()
    world.signals(signal("a"), signal("b"))
    turns(role)
    role.disconnect()
    world.signals(signal("c"))
    heir = world.role()
    heir.turn()

    assert world.posts[1:] == [[("a", False), ("b", False)]]

    turns(heir)
    assert world.posts[2:] == [[("a", False), ("b", False), ("c", False)]]


def test_only_the_owner_says_anything(world, monkeypatch):
    """Ownership is looked at before each request: who has lost it in between says no more."""
    monkeypatch.setattr("streamspc.effect.alertmanager.EACH", 1)
    role = world.role()
    world.signals(signal("a"), signal("b"), signal("c"))

    def replace():
        if len(world.posts) == 1:
            role.consumer._generation += 1

    world.while_posting = replace
    with contextlib.suppress(Transient):
        role.turn()
        role.turn()

    assert world.posts == [[("a", False)], [("b", False)]], "the request that was going on, and no other"


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("transaction", range(4))
def test_crash_at_every_step(world, step, transaction):
    """Killed anywhere, the next life says the same: what is open is open, what is over was said to be over."""
    steps = []

    def at(name):
        steps.append(name)
        if name == step and steps.count(name) == transaction + 1:
            raise Crash

    world.signals(signal("a"), signal("b"))
    role = world.role(at)
    with contextlib.suppress(Crash):
        turns(role)
        world.signals(signal("a", "resolve"))
        turns(role)
    crashed = steps[-1] == step and steps.count(step) == transaction + 1
    role.kafka.kill()
    if len(world.log.partitions[SIGNALS].entries) < 4:
        world.signals(signal("a", "resolve"))
    turns(world.role())

    assert crashed
    assert ("a", True) in [alert for post in world.posts for alert in post]
    assert ("b", False) in world.posts[-1]
    world.now += 60.0


def test_what_nobody_hears_is_given_up_in_the_end(world):
    """An Alertmanager that is away for longer than the greatest age knows nothing of what is over, and is told no more of it."""
    world.answers = [Answer(0)] * 10**4
    role = world.role()
    world.signals(signal("a"), signal("b"))
    turns(role)
    world.signals(signal("a", "resolve"))
    turns(role)
    world.now += RECEIVER.max_age + 1.0
    turns(role)

    assert set(role.book.members) == {"e-b"}
    assert counted(role, "dead") == 1


def test_finishes_at_the_end_of_time(world):
    """With until_end it finishes when all was said."""
    world.answers = [Answer(500)]
    role = world.role(until_end=True)
    world.signals(signal("a"), Signal(kind="end", stream="s", config="c"))

    assert not turns(role)
    world.now += 10.0
    assert turns(role)
