import dataclasses

import pytest

from streamspc.kafka_io import KafkaPython, MemoryKafka, topics
from streamspc.kafka_io.port import TopicPlan
from streamspc.model import KafkaLocal, MetricKind, MetricSpec, Semantics, StreamSpec

_METRIC = MetricSpec(name="volume", kind=MetricKind.COUNT)
_SEMANTICS = Semantics(
    app="app",
    chart_partitions=3,
    streams=(
        StreamSpec(name="a", topic="in.a", metrics=(_METRIC,), clean_topic="a.clean", quarantine_topic="a.quarantine"),
        StreamSpec(name="b", topic="in.b", metrics=(_METRIC,), quarantine_topic="b.quarantine"),
    ),
)
_LOCAL = KafkaLocal({}, replication_factor=1, min_insync_replicas=2)
_SOURCES = {"in.a": TopicPlan("in.a", 8), "in.b": TopicPlan("in.b", 5, {"max.message.bytes": "3000000"})}
_ANY = str(2**63 - 1)


def _plans(semantics=_SEMANTICS, local=_LOCAL, sources=_SOURCES):
    return {plan.name: plan for plan in topics.plans(semantics, local, sources)}


def test_names():
    """They are the application's name, a dot and the role."""
    assert dataclasses.astuple(topics.names("x")) == (
        "x.tallies",
        "x.points",
        "x.signals",
        "x.verdicts",
        "x.snapshots",
        "x.outbox",
        "x.control",
    )


def test_partitions():
    """Chart topics follow the chart partitions, logs with one writer have one, outputs follow their source."""
    found = {name: plan.partitions for name, plan in _plans().items()}

    assert found == {
        "app.tallies": 3, "app.points": 3, "app.signals": 1, "app.verdicts": 3, "app.snapshots": 3, "app.outbox": 1, "app.control": 1,
        "a.clean": 8, "a.quarantine": 8, "b.quarantine": 5,
    }  # fmt: skip


def test_what_must_last_lasts():
    """Nothing that a fold or a gate reads again is deleted by time, and replayed history survives in the outputs."""
    plans = _plans()
    forever = {name for name, plan in plans.items() if plan.settings.get("retention.ms") == "-1"}

    assert forever == set(plans) - {"app.points", "app.snapshots", "app.outbox"}
    assert {name for name, plan in plans.items() if plan.settings["cleanup.policy"] == "compact"} == {"app.snapshots", "app.outbox"}


def test_outputs_keep_the_timestamps_of_their_records():
    """Only what streamspc itself says is stamped by the broker."""
    stamped = {name for name, plan in _plans().items() if plan.settings.get("message.timestamp.type") == "LogAppendTime"}

    assert stamped == {name for name in _plans() if name.startswith("app.")}


def test_outputs_take_whatever_their_source_holds():
    """Records of any time, with the producer's time, as large as the source's and our headers, and no larger than a request."""
    plans = _plans()
    kept = {key: value for key, value in plans["b.quarantine"].settings.items() if key.startswith("message.")}
    small = _plans(local=dataclasses.replace(_LOCAL, request_bytes=2_000_000))

    assert kept == {
        "message.timestamp.type": "CreateTime",
        "message.timestamp.after.max.ms": _ANY,
        "message.timestamp.before.max.ms": _ANY,
    }
    assert [plans[name].settings["max.message.bytes"] for name in ("a.clean", "b.quarantine")] == ["1114124", "3065536"]
    assert small["b.quarantine"].settings["max.message.bytes"] == "2000000"


def test_brokers_before_3_6_bound_times_with_one_setting():
    """They would refuse the two that came later."""
    old = {name: dataclasses.replace(plan, settings={"message.timestamp.difference.max.ms": "1"}) for name, plan in _SOURCES.items()}
    both = {
        name: dataclasses.replace(plan, settings={**plan.settings, "message.timestamp.after.max.ms": "1"}) for name, plan in old.items()
    }

    assert _plans(sources=old)["a.clean"].settings["message.timestamp.difference.max.ms"] == _ANY
    assert not [key for key in _plans(sources=old)["a.clean"].settings if "after" in key or "before" in key]
    assert _plans(sources=both)["a.clean"].settings == _plans()["a.clean"].settings


def test_check_finds_outputs_that_would_refuse_records():
    """A broker's defaults: times an hour ahead at most since 4.0, and not a byte more than the source."""
    wanted = _plans()["a.clean"]
    defaults = {"message.timestamp.after.max.ms": "3600000", "message.timestamp.type": "LogAppendTime", "max.message.bytes": "1048588"}
    found = dataclasses.replace(wanted, settings={**wanted.settings, **defaults})
    larger = dataclasses.replace(wanted, settings={**wanted.settings, "max.message.bytes": "9000000"})

    assert [line.split()[1] for line in topics.check([wanted], {"a.clean": found})] == [
        "message.timestamp.type",
        "message.timestamp.after.max.ms",
        "max.message.bytes",
    ]
    assert topics.check([wanted], {"a.clean": larger}) == []


def test_in_sync_replicas_are_not_more_than_there_are():
    """One broker cannot have two replicas in sync."""
    assert {plan.settings["min.insync.replicas"] for plan in _plans().values()} == {"1"}
    three = _plans(local=dataclasses.replace(_LOCAL, replication_factor=3))
    assert {plan.settings["min.insync.replicas"] for plan in three.values()} == {"2"}


def test_a_source_without_partitions_is_an_error():
    """Whoever forgets to look a source up is told which."""
    with pytest.raises(KeyError, match=r"in\.b"):
        topics.plans(_SEMANTICS, _LOCAL, {"in.a": TopicPlan("in.a", 8)})


def test_check_names_every_fault_and_its_cure():
    """One line each: missing, too few or too many partitions, retention, clean-up, replicas."""
    wanted = [
        TopicPlan("gone", 2),
        TopicPlan("few", 4),
        TopicPlan("many", 4),
        TopicPlan("bad", 1, {"retention.ms": "-1", "cleanup.policy": "compact", "min.insync.replicas": "2", "max.message.bytes": "10"}),
        TopicPlan("good", 1, {"retention.ms": "-1", "min.insync.replicas": "2"}),
    ]
    existing = {
        "few": TopicPlan("few", 3),
        "many": TopicPlan("many", 5),
        "bad": TopicPlan(
            "bad", 1, {"retention.ms": "604800000", "cleanup.policy": "delete", "min.insync.replicas": "1", "max.message.bytes": "11"}
        ),
        "good": TopicPlan("good", 1, {"retention.ms": "-1", "min.insync.replicas": "3"}),
    }

    assert topics.check(wanted, existing) == [
        "gone: does not exist: run `streamspc topics create`, or create it with 2 partitions",
        "few: has 3 partitions, needs 4: add 1",
        "many: has 5 partitions, needs 4: create it anew",
        "bad: retention.ms is 604800000, needs -1: kafka-configs --alter --topic bad --add-config retention.ms=-1",
        "bad: cleanup.policy is delete, needs compact: kafka-configs --alter --topic bad --add-config cleanup.policy=compact",
        "bad: min.insync.replicas is 1, needs 2 or more: kafka-configs --alter --topic bad --add-config min.insync.replicas=2",
    ]


@pytest.mark.parametrize("kind", ["memory", pytest.param("python", marks=pytest.mark.kafka)])
def test_what_was_created_is_right(kind, request):
    """A broker takes every setting, and check finds nothing wrong with it."""
    local = _LOCAL
    if kind == "python":
        local = dataclasses.replace(local, options={"bootstrap_servers": request.getfixturevalue("broker").address})
    wanted = list(_plans(local=local).values())
    admin = (KafkaPython(local) if kind == "python" else MemoryKafka()).admin()
    topics.create(admin, wanted, local.replication_factor)
    topics.create(admin, wanted, local.replication_factor)
    found = admin.describe([plan.name for plan in wanted])
    admin.close()

    assert topics.check(wanted, found) == []
