"""The topics of an application: their names, how they have to be, and what is wrong with those that exist."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamspc.kafka_io.port import TopicPlan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from streamspc.kafka_io.port import Admin
    from streamspc.model import KafkaLocal, Semantics, StreamSpec

_FOREVER = {"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete"}
_WEEK = {"retention.ms": str(7 * 86_400_000), "cleanup.policy": "delete"}
_COMPACT = {"cleanup.policy": "compact"}
# The broker's clock, not that of one of many writers, stamps what streamspc itself says.
_OURS = {"message.timestamp.type": "LogAppendTime", "max.message.bytes": "8388608"}
# Outputs take every record of their source, of any time. Brokers before 3.6 bound times both ways with one setting, which 4.0 dropped.
_TYPE, _SIZE = "message.timestamp.type", "max.message.bytes"
_AFTER, _BEFORE, _AROUND = (f"message.timestamp.{way}.max.ms" for way in ("after", "before", "difference"))
_ANY_TIME = str(2**63 - 1)
_OUR_HEADERS = 65_536  # bytes that ours may add to a batch of the source's
DEFAULT_SIZE = 1_048_588  # a broker's max.message.bytes unless it was told otherwise
_COMPARED = ("cleanup.policy", "retention.ms", "retention.bytes", _TYPE, _AFTER, _BEFORE, _AROUND)
_AT_LEAST = (_SIZE, "min.insync.replicas")


@dataclass(frozen=True, slots=True)
class Names:
    """The internal topics of one application."""

    tallies: str
    points: str
    signals: str
    verdicts: str
    snapshots: str
    outbox: str
    control: str


def names(app: str) -> Names:
    """The names are the application's, a dot and the role of the topic."""
    return Names(*(f"{app}.{role}" for role in Names.__slots__))


def plans(semantics: Semantics, local: KafkaLocal, sources: Mapping[str, TopicPlan]) -> list[TopicPlan]:
    """How every internal and output topic has to be. `sources` are the source topics as they are; raises KeyError for one that lacks."""
    durable = {"min.insync.replicas": str(min(local.min_insync_replicas, local.replication_factor))}
    n, many = names(semantics.app), semantics.chart_partitions
    ours = {
        n.tallies: (many, _FOREVER),  # chart deletes what no snapshot needs
        n.points: (many, _WEEK),
        n.signals: (1, _FOREVER),
        n.verdicts: (many, _FOREVER),  # the gate reads them from the start
        n.snapshots: (many, _COMPACT),
        n.outbox: (1, _COMPACT),
        n.control: (1, _FOREVER),
    }
    internal = [TopicPlan(name, count, {**settings, **_OURS, **durable}) for name, (count, settings) in ours.items()]
    return internal + [plan for stream in semantics.streams for plan in _outputs(stream, sources[stream.topic], local, durable)]


def _outputs(stream: StreamSpec, source: TopicPlan, local: KafkaLocal, durable: Mapping[str, str]) -> list[TopicPlan]:
    # Records keep their own timestamps, so that a finite retention would delete a replayed history as soon as it is written.
    topics = [name for name in (stream.clean_topic, stream.quarantine_topic) if name]
    old = _AROUND in source.settings and _AFTER not in source.settings
    times = {_TYPE: "CreateTime", **dict.fromkeys((_AROUND,) if old else (_AFTER, _BEFORE), _ANY_TIME)}
    size = min(limit(source) + _OUR_HEADERS, local.request_bytes)  # no request of ours carries more
    return [TopicPlan(name, source.partitions, {**_FOREVER, **times, _SIZE: str(size), **durable}) for name in topics]


def limit(topic: TopicPlan) -> int:
    """Bytes of the largest batch that the topic takes."""
    return int(topic.settings.get(_SIZE, DEFAULT_SIZE))


def create(admin: Admin, wanted: Sequence[TopicPlan], replication: int) -> None:
    """Create those that do not exist; those that do are left as they are. Raises Transient, Fatal."""
    admin.create(wanted, replication)


def check(wanted: Sequence[TopicPlan], existing: Mapping[str, TopicPlan]) -> list[str]:
    """What is wrong with the topics that exist: one line a fault, with its cure. Empty when all is well."""
    return [line for plan in wanted for line in _faults(plan, existing.get(plan.name))]


def _faults(plan: TopicPlan, found: TopicPlan | None) -> Iterable[str]:
    if found is None:
        yield f"{plan.name}: does not exist: run `streamspc topics create`, or create it with {plan.partitions} partitions"
        return
    if found.partitions != plan.partitions:
        grow = f"add {plan.partitions - found.partitions}" if found.partitions < plan.partitions else "create it anew"
        yield f"{plan.name}: has {found.partitions} partitions, needs {plan.partitions}: {grow}"
    for key, need in plan.settings.items():
        has = found.settings.get(key)
        wrong = (key in _COMPARED and has != need) or (key in _AT_LEAST and (has is None or int(has) < int(need)))
        if wrong:
            least = " or more" if key in _AT_LEAST else ""
            yield f"{plan.name}: {key} is {has}, needs {need}{least}: kafka-configs --alter --topic {plan.name} --add-config {key}={need}"
