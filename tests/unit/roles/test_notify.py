"""The role that notifies one receiver, on Kafka in memory."""

from __future__ import annotations

import contextlib

import msgspec
import pytest

from streamspc.decide.notice import Intent
from streamspc.effect.sender import Sender, build
from streamspc.errors import Transient
from streamspc.kafka_io import STEPS, Crash, MemoryKafka, topics
from streamspc.kafka_io.memory import Log
from streamspc.kafka_io.port import Place, Send, TopicPlan
from streamspc.model import Alerting, Answer, KafkaLocal, ReceiverLocal, Route, Secret, Semantics, Signal, StreamSpec
from streamspc.roles import hearing, notify
from streamspc.roles.hearing import Times
from streamspc.roles.notify import NotifyRole
from streamspc.serve.gather import gather

SEMANTICS = Semantics(
    app="app",
    chart_partitions=2,
    streams=(StreamSpec(name="live", topic="t", metrics=()), StreamSpec(name="log", topic="u", metrics=(), clock="log")),
)
LOCAL = KafkaLocal({}, replication_factor=1, min_insync_replicas=1)
NAMES = topics.names("app")
SIGNALS, OUTBOX = Place(NAMES.signals, 0), Place(NAMES.outbox, 0)
DAY = 86_400
AT_ONCE = Route(("chat", "up", "down"), {}, ("stream", "window"), 0, 0, 10**15)


class World:
    """A Kafka, a receiver and their time in seconds, which passes only when it is told to, or when nothing happens."""

    def __init__(self):
        self.now = 1_000_000.0
        self.log = Log(clock=lambda: int(self.now * 1000))
        MemoryKafka(self.log).admin().create(topics.plans(SEMANTICS, LOCAL, {name: TopicPlan(name, 1) for name in ("t", "u")}), 1)
        self.posts = []  # (receiver, id, body)
        self.answers = []  # the next ones; then always 200
        self.while_posting = lambda: None
        self.route = AT_ONCE

    def signals(self, *signals):
        """Chart says these."""
        values = [signal if isinstance(signal, bytes) else msgspec.json.encode(signal) for signal in signals]
        producer = MemoryKafka(self.log).producer("chart")
        producer.transact([Send(SIGNALS, [b"k"] * len(values), values)], {}, None, None, 10.0)

    def role(self, at=lambda step: None, receiver="chat", until_end=False):
        """A process that notifies, connected and owner of the signals."""
        local = ReceiverLocal(receiver, "webhook", (Secret("https://hooks.example/token"),), max_age=DAY)
        words = build(local, SEMANTICS).words
        times = Times(lambda: int(self.now * 1e6), lambda: self.now, lambda: 0.5)

        def post(message, body, content_type, now):
            self.while_posting()
            self.posts.append((receiver, message, body))
            return self.answers.pop(0) if self.answers else Answer(200)

        sender, alerting = Sender(local, words, post), Alerting(self.route)
        role = NotifyRole(MemoryKafka(self.log, at), SEMANTICS, sender, alerting, LOCAL, until_end, times)
        role.connect()
        return role

    def outbox(self):
        """The intents in the outbox, by the last record of each key."""
        reader = MemoryKafka(self.log).read([OUTBOX])
        found: dict[bytes | None, bytes | None] = {}
        while batches := reader.poll(0.0, 100):
            for batch in batches:
                found.update(zip(batch.keys, batch.values, strict=True))
        return [msgspec.json.decode(value, type=Intent) for key, value in found.items() if value and b"/message/" in (key or b"")]


@pytest.fixture
def world(monkeypatch):
    """A world in which no poll waits."""
    monkeypatch.setattr(hearing, "POLL", 0.0)
    return World()


def signal(episode="e1", kind="open", stream="live", end=60, **fields):
    """A signal; what is not an opening is of an episode that opened at 60."""
    opened = fields.pop("opened", end if kind == "open" else 60)
    return Signal(kind=kind, stream=stream, config="c", episode=episode, metric="delay", end=end, opened=opened, **fields)


def turns(role, n=5):
    """Some turns; True when the last one finished."""
    return [role.turn() for _ in range(n)][-1]


def ids(world, receiver="chat"):
    """Ids of the messages that a receiver got."""
    return [message for to, message, _ in world.posts if to == receiver]


def counted(role, result):
    """A counter of the view."""
    families = {family.name: dict(zip(family.labels, family.values, strict=True)) for family in role.view.families}
    return families["spc_notifications_total"][(role.receiver.name, result)]


def gauge(role, name):
    """A gauge of the view."""
    return next(family.values[0] for family in role.view.families if family.name == name)


def test_signals_are_told_once(world):
    """What was said before the role began and what is said later is told, each once, also after a restart."""
    world.signals(signal(), signal("e2", end=120))
    role = world.role()
    turns(role)
    world.signals(signal(kind="resolve", end=180))
    turns(role)
    role.disconnect()
    turns(world.role())

    assert len(ids(world)) == len(set(ids(world))) == 3
    assert [intent.state for intent in world.outbox()] == ["sent"] * 3
    assert all(intent.body == "" for intent in world.outbox())
    assert counted(role, "sent") == 3


def test_nothing_is_sent_before_it_is_committed(world):
    """At the moment of the post the intent is in the outbox, due, with the very body that is posted."""
    seen = []
    world.while_posting = lambda: seen.extend(world.outbox())
    world.signals(signal())
    turns(world.role())

    assert [(intent.id, intent.body, intent.state) for intent in seen] == [(*world.posts[0][1:], "due")]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("transaction", [0, 1, 2, 3])
def test_crash_at_every_step(world, step, transaction):
    """Killed anywhere, the next life sends what is not known to be sent: the same body under the same id, and nothing is lost."""
    steps = []

    def at(name):
        steps.append(name)
        if name == step and steps.count(name) == transaction + 1:
            raise Crash

    world.signals(signal(), signal("e2"))
    role = world.role(at)
    with contextlib.suppress(Crash):
        turns(role)
        world.signals(signal("e3", end=120))
        turns(role)
    crashed = steps[-1] == step and steps.count(step) == transaction + 1
    role.kafka.kill()
    if len(world.log.partitions[SIGNALS].entries) < 4:
        world.signals(signal("e3", end=120))
    turns(world.role())

    assert crashed
    assert len(set(world.posts)) == len(set(ids(world))) == 2, "one body for an id"
    assert len(world.posts) <= 3
    assert sorted((intent.state, intent.episodes) for intent in world.outbox()) == [("sent", ("e1", "e2")), ("sent", ("e3",))]


def test_crash_between_answer_and_result(world):
    """The receiver has said 200, the process dies before that is written: the same message comes again, under the same id."""
    committed: list[str] = []

    def at(step):
        if step == "before" and committed:
            raise Crash
        committed.extend([step] * (step == "committed"))

    world.signals(signal())
    role = world.role(at)
    with pytest.raises(Crash):
        turns(role)
    role.kafka.kill()
    turns(world.role())

    assert len(world.posts) == 2
    assert world.posts[0] == world.posts[1]


def test_receiver_that_is_down_lags_alone(world):
    """One receiver answers 500 for an hour; the other has every message at once, and the first has them all in the end, in order."""
    up, down = world.role(receiver="up"), world.role(receiver="down")
    down.sender = Sender(down.receiver, down.sender.words, lambda *message: Answer(500))
    for i in range(60):
        world.signals(signal(end=i, kind="open" if i % 2 == 0 else "resolve", episode=f"e{i // 2}", opened=i // 2))
        turns(up, 2)
        turns(down, 2)
        world.now += 60.0

    assert len(ids(world, "up")) == 60
    assert gauge(down, "spc_notifications_pending") == 60
    assert gauge(down, "spc_notifications_oldest_age_seconds") == 59 * 60.0
    assert 10 <= counted(down, "retried") <= 120, "the receiver is neither pressed nor given up"

    down.disconnect()
    turns(world.role(receiver="down"), 30)

    assert len(ids(world, "down")) == 60
    told = [msgspec.json.decode(body)["episodes"][0] for to, _, body in world.posts if to == "down"]
    assert [(e["id"], e["status"]) for e in told] == [(f"e{i // 2}", "resolved" if i % 2 else "firing") for i in range(60)]


def test_retry_after_is_kept(world):
    """A receiver that asks for a minute gets it, for all its messages."""
    world.answers = [Answer(429, "60")]
    world.signals(signal(), signal("e2", end=120))
    role = world.role()
    turns(role, 10)
    world.now += 59.0
    turns(role)

    assert len(world.posts) == 1

    world.now += 1.0
    turns(role)

    assert len(set(ids(world))) == 2
    assert len(world.posts) == 3


def test_refusals_and_age_end_a_notification(world):
    """A refused message is dead at once, an unanswered one when it is too old; both say why, and nothing blocks the next."""
    world.answers = [Answer(400, None, "invalid_blocks"), Answer(0, None, "no answer")]
    world.signals(signal(), signal("e2", end=120), signal("e3", end=180))
    role = world.role()
    turns(role, 2)
    world.now += DAY
    turns(role)

    assert [(intent.state, intent.reason) for intent in world.outbox()] == [
        ("dead", "refused with status 400: invalid_blocks"),
        ("dead", "too old"),
        ("dead", "too old"),
    ]
    assert (counted(role, "dead"), counted(role, "retried"), len(world.posts)) == (3, 1, 2)


def test_receiver_that_is_gone_gets_nothing_more(world):
    """After 410 no more messages are posted in this life, and each is counted dead."""
    world.answers = [Answer(410)]
    world.signals(signal(), signal("e2", end=120))
    role = world.role()
    turns(role)
    world.signals(signal("e3", end=180))
    turns(role)

    assert len(world.posts) == 1
    assert counted(role, "dead") == 3
    assert gauge(role, "spc_receiver_disabled") == 1.0


def test_only_the_owner_sends(world):
    """A standby neither sends nor disturbs the owner; when it takes over, the old owner stops, and the pending message is its own."""
    world.answers = [Answer(500)]
    world.signals(signal())
    owner = world.role()
    turns(owner)
    standby = world.role()
    for _ in range(3):
        for role in (owner, standby):
            with contextlib.suppress(Transient):
                role.turn()

    assert sorted([owner.owner, standby.owner]) == [False, True]
    assert len(world.posts) == 1

    first, second = (owner, standby) if owner.owner else (standby, owner)
    first.disconnect()
    world.now += 10.0
    turns(second)

    assert world.posts[0] == world.posts[1]
    assert len(world.posts) == 2
    assert second.view.ready


def test_an_owner_that_was_replaced_sends_nothing(world):
    """The partition moves while attempts are going on: the rest of them is left to the new owner."""
    world.signals(*(signal(f"e{i}", end=i) for i in range(6)))
    role = world.role()
    replaced = []

    def replace():
        if len(world.posts) == 1:
            replaced.append(MemoryKafka(world.log).producer(role.group))
            role.consumer._generation += 1

    world.while_posting = replace
    with pytest.raises(Transient):
        turns(role)

    assert len(world.posts) == 2, "the attempt that was going on, and no other"


@pytest.mark.parametrize("restart", [False, True])
def test_finishes_at_the_end_of_time(world, restart):
    """With until_end the role finishes when each stream has ended in each chart partition and nothing is pending, also after a restart."""
    world.answers = [Answer(500)]
    role = world.role(until_end=True)
    world.signals(signal(), *(Signal(kind="end", stream=s, config="c", chart_partition=p) for s in ("live", "log") for p in (0,)))
    assert not turns(role)
    world.signals(*(Signal(kind="end", stream=s, config="c", chart_partition=1) for s in ("live", "log")))
    assert not turns(role), "a message is pending"
    world.now += 10.0
    if restart:
        role.disconnect()
        role = world.role(until_end=True)

    assert turns(role)
    assert len(set(ids(world))) == 1


def test_dead_counts_as_done(world):
    """A receiver that refuses everything does not keep a run from its end."""
    world.answers = [Answer(404)]
    world.signals(signal(), *(Signal(kind="end", stream=s, config="c", chart_partition=p) for s in ("live", "log") for p in (0, 1)))

    assert turns(world.role(until_end=True))


def test_old_signals_of_live_streams_are_no_news(world):
    """A receiver added after a year is not told of a year of episodes, but of the log's that is replayed, and the old are counted."""
    world.signals(signal(), signal("e2", stream="log"))
    world.now += DAY + 1
    world.signals(signal("e3"))
    role = world.role()
    turns(role)

    told = [msgspec.json.decode(body)["episodes"][0]["id"] for _, _, body in world.posts]
    assert told == ["e2", "e3"]
    assert counted(role, "expired") == 1


def test_unreadable_signals_are_counted(world):
    """What is no signal is passed over and counted."""
    world.signals(b"{", b"\xff", signal())
    role = world.role()
    turns(role)

    assert counted(role, "unreadable") == 2
    assert len(world.posts) == 1


def test_pending_is_bounded(world, monkeypatch):
    """With too many pending messages signals wait in Kafka, until the receiver is back."""
    monkeypatch.setattr(notify, "PENDING", 3)
    monkeypatch.setattr(hearing, "SIGNALS", 1)
    role = world.role()
    down = True
    role.sender = Sender(role.receiver, role.sender.words, lambda *message: Answer(503 if down else 200))
    world.signals(*(signal(f"e{i}", end=i) for i in range(9)))
    turns(role, 20)

    assert gauge(role, "spc_notifications_pending") == 3

    down = False
    for _ in range(20):
        world.now += 600.0
        turns(role)

    assert counted(role, "sent") == 9


def test_outbox_is_bounded(world, monkeypatch):
    """Records of what was settled long ago are deleted."""
    monkeypatch.setattr("streamspc.decide.delivery.KEPT", 2)
    world.signals(*(signal(f"e{i}", end=i) for i in range(5)))
    role = world.role()
    turns(role)
    world.signals(signal("e9", end=9))
    turns(role)

    assert len(world.outbox()) <= 4


def test_a_group_waits_and_goes_on_in_the_next_life(world):
    """The first message waits for what comes with it; after a restart the end of the episodes is the group's second message."""
    world.route = Route(("chat",), {}, ("stream",), 10_000_000, 300_000_000)
    world.signals(signal("e1"), signal("e2", end=120))
    role = world.role()
    turns(role)

    assert ids(world) == []
    assert 9.0 <= role._due() <= 10.0

    role.disconnect()
    role = world.role()
    turns(role)
    world.now += 10.0
    turns(role)

    assert len(ids(world)) == 1
    assert gauge(role, "spc_receiver_episodes") == 2

    world.signals(signal("e1", "resolve"), signal("e2", "resolve", end=180, opened=120))
    role.disconnect()
    world.now += 300.0
    role = world.role()
    turns(role)

    first, second = (msgspec.json.decode(body) for _, _, body in world.posts)
    assert (first["status"], first["number"], len(first["episodes"])) == ("firing", 1, 2)
    assert (second["status"], second["number"], len(second["episodes"])) == ("resolved", 2, 2)
    assert first["group"] == second["group"]
    assert gauge(role, "spc_receiver_episodes") == 0


def test_an_episode_is_not_told_again_after_a_restart(world):
    """What was told is known to the next life, which repeats it in its time and not before."""
    world.route = Route(("chat",), {}, ("stream",), 0, 0, 3_600_000_000)
    world.signals(signal())
    role = world.role()
    turns(role)
    role.disconnect()
    world.now += 3_599.0
    role = world.role()
    turns(role)

    assert len(ids(world)) == 1

    world.now += 1.0
    turns(role)

    assert len(set(ids(world))) == 2


def test_a_replay_tells_of_the_beginning_and_of_the_end(world):
    """Where groups do not wait, an opening is told though its end is heard in the same turn; where they wait, one message says both."""
    both = signal("e1"), signal("e1", "resolve"), signal("e2", end=120), signal("e2", "resolve", opened=120)
    world.signals(*both)
    turns(world.role())

    told = [msgspec.json.decode(body) for _, _, body in world.posts]
    assert [(one["status"], one["episodes"][0]["id"]) for one in told] == [
        ("firing", "e1"),
        ("resolved", "e1"),
        ("firing", "e2"),
        ("resolved", "e2"),
    ]


def test_who_is_not_meant_hears_nothing(world):
    """A receiver to which no route leads is told of nothing, and keeps nothing."""
    world.route = Route(("up",), {})
    world.signals(signal(), signal("", "gap"))
    role = world.role()
    turns(role)
    world.now += 99.0
    turns(role)

    assert world.posts == []
    assert gauge(role, "spc_receiver_episodes") == 0


def test_view_fits_the_table(world):
    """Every family of the view is one of the documented metrics, with its labels, from the start."""
    role = world.role()
    turns(role)
    shown = gather([role.view], "hash")

    assert dict(zip(shown["spc_notifications_total"][0].labels, shown["spc_notifications_total"][0].values, strict=True)) == {
        ("chat", result): 0.0 for result in hearing.RESULTS
    }
    assert shown["spc_notifications_pending"][0].values == [0.0]
