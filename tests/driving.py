"""Running the roles of one application by hand, turn after turn, on any implementation of the port."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from streamspc import wire
from streamspc.errors import Transient
from streamspc.kafka_io.port import Place, Send, TopicPlan
from streamspc.kafka_io.topics import create, names, plans
from streamspc.model import Judged, KafkaLocal, Rejection, Signal, VerdictRecord
from streamspc.roles.chart import ChartRole
from streamspc.roles.control import ensure, read_to_end
from streamspc.roles.ends import AtStart
from streamspc.roles.gate import GateRole
from streamspc.roles.observe import ObserveRole

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamspc.kafka_io.port import Kafka
    from streamspc.model import Batch, Semantics

LOCAL = KafkaLocal({}, replication_factor=1, min_insync_replicas=1, batch_records=500)


def prepare(kafka: Kafka, semantics: Semantics, partitions: int) -> None:
    """Source topics, all other topics, and the first control entry."""
    admin = kafka.admin()
    sources = [TopicPlan(spec.topic, partitions, {"retention.ms": "-1"}) for spec in semantics.streams]
    create(admin, sources, 1)
    create(admin, plans(semantics, LOCAL, {plan.name: plan for plan in sources}), 1)
    admin.close()
    ensure(kafka, semantics, lambda _a, _b: [])


def produce(kafka: Kafka, topic: str, records: Iterable[tuple[int, bytes | None, bytes | None, int]], chunk: int = 1000) -> None:
    """Records (partition, key, value, timestamp in milliseconds) in transactions of `chunk`."""
    producer = kafka.producer(f"{topic}.source")
    pending = list(records)
    for at in range(0, len(pending), chunk):
        columns: dict[int, tuple[list, list, list]] = defaultdict(lambda: ([], [], []))
        for partition, key, value, stamp in pending[at : at + chunk]:
            for column, item in zip(columns[partition], (key, value, stamp), strict=True):
                column.append(item)
        producer.transact([Send(Place(topic, p), k, v, None, t) for p, (k, v, t) in sorted(columns.items())], {}, None, None, 30.0)
    producer.close()


@dataclass
class Roles:
    """Observe, chart and gate of an application's first stream."""

    kafka: Kafka
    semantics: Semantics
    local: KafkaLocal = LOCAL
    snapshot_every: float = 1e9
    ends: AtStart = field(default_factory=AtStart)

    def all(self):
        """One role of each kind, not connected."""
        stream = self.semantics.streams[0].name
        return [
            ObserveRole(self.kafka, self.semantics, stream, self.local, self.ends),
            ChartRole(self.kafka, self.semantics, self.local, self.snapshot_every, until_end=True),
            GateRole(self.kafka, self.semantics, stream, self.local, self.ends),
        ]


def run(roles, turns: int = 5000) -> None:
    """Turn the roles in rounds until each has finished; a Transient error connects its role again, as the loop does."""
    for role in roles:
        role.connect()
    waiting = list(roles)
    for _ in range(turns):
        for role in list(waiting):
            try:
                if role.turn():
                    waiting.remove(role)
            except Transient:
                role.disconnect()
                role.connect()
        if not waiting:
            break
    for role in roles:
        role.disconnect()
    assert not waiting, f"not finished: {[role.name for role in waiting]}"


def read(kafka: Kafka, topic: str) -> list[Batch]:
    """Everything in a topic, read committed."""
    reader = kafka.read([Place(topic, 0)])
    places = [Place(topic, p) for p in range(reader.partitions(topic))]
    reader.close()
    reader = kafka.read(places)
    batches = list(read_to_end(reader, places, 20.0))
    reader.close()
    return batches


@dataclass
class Outcome:
    """All that an application wrote, decoded."""

    points: list
    signals: list[Signal]
    verdicts: list
    clean: list[Batch]
    quarantine: list[Batch]


def outcome(kafka: Kafka, semantics: Semantics) -> Outcome:
    """Read every output of the first stream."""
    topics, spec = names(semantics.app), semantics.streams[0]
    values = lambda topic: [(batch.partition, value or b"") for batch in read(kafka, topic) for value in batch.values]  # noqa: E731
    verdicts = [(p, msgspec.json.decode(v, type=VerdictRecord)) for p, v in values(topics.verdicts)]
    return Outcome(
        points=[wire.decode_points(v) for _, v in values(topics.points)],
        signals=[msgspec.json.decode(v, type=Signal) for _, v in values(topics.signals)],
        verdicts=[(p, v) for p, v in verdicts if isinstance(v, Rejection | Judged)],
        clean=read(kafka, spec.clean_topic) if spec.clean_topic else [],
        quarantine=read(kafka, spec.quarantine_topic) if spec.quarantine_topic else [],
    )
