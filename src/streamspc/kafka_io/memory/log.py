"""What brokers store: partitions, transactions, committed offsets and groups. Every access is under `Log.changed`."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from streamspc.errors import Fatal, Fenced, Transient
from streamspc.kafka_io.memory.groups import Group
from streamspc.kafka_io.port import Place, TopicPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from streamspc.kafka_io.memory.groups import Membership
    from streamspc.kafka_io.port import Committed, Send
    from streamspc.model import Headers


class State(Enum):
    """Of a transaction."""

    OPEN = "open"
    COMMITTED = "committed"
    ABORTED = "aborted"


@dataclass(slots=True, eq=False)
class Transaction:
    """One transaction: where it wrote, and the offsets that wait for its end."""

    state: State = State.OPEN
    places: set[Place] = field(default_factory=set)
    offsets: dict[str, dict[Place, Committed]] = field(default_factory=dict)  # by group


class Entry(NamedTuple):
    """One offset of a partition; a transaction's marker has no record."""

    transaction: Transaction
    marker: bool
    timestamp: int = 0
    key: bytes | None = None
    value: bytes | None = None
    headers: Headers = []  # noqa: RUF012 - never written

    @property
    def visible(self) -> bool:
        """Whether read committed hands it over."""
        return not self.marker and self.transaction.state is State.COMMITTED


@dataclass(slots=True, eq=False)
class Partition:
    """Entries by offset; those below `start` are deleted."""

    entries: list[Entry] = field(default_factory=list)
    start: int = 0
    stable: int = 0  # where the search for the stable end goes on: nothing below it is open

    def stable_end(self) -> int:
        """The first offset that read committed may not yet pass."""
        while self.stable < len(self.entries) and self.entries[self.stable].transaction.state is not State.OPEN:
            self.stable += 1
        return self.stable


class Log:
    """The state of a cluster. `clock` stamps records that bring no timestamp, in milliseconds."""

    def __init__(self, clock: Callable[[], int] = lambda: 0) -> None:
        """An empty cluster."""
        self.changed = threading.Condition(threading.RLock())
        self.plans: dict[str, TopicPlan] = {}
        self.partitions: dict[Place, Partition] = {}
        self.groups: dict[str, Group] = {}
        self._committed: dict[str, dict[Place, Committed]] = {}
        self._epochs: dict[str, int] = {}
        self._open: dict[str, Transaction] = {}
        self.clock = clock

    def create(self, plans: Iterable[TopicPlan]) -> None:
        """Create those topics that do not exist."""
        with self.changed:
            for plan in plans:
                if plan.name not in self.plans:
                    self.plans[plan.name] = plan
                    self.partitions |= {Place(plan.name, i): Partition() for i in range(plan.partitions)}

    def plan(self, topic: str) -> TopicPlan:
        """How a topic is. Raises Fatal."""
        if topic not in self.plans:
            raise Fatal(f"topic {topic} does not exist: create it, or correct the name")
        return self.plans[topic]

    def group(self, name: str) -> Group:
        """The group of that name, made when first asked for."""
        return self.groups.setdefault(name, Group(name))

    def delete_before(self, offsets: Mapping[Place, int]) -> None:
        """Delete from the front."""
        with self.changed:
            for place, offset in offsets.items():
                partition = self.partitions[place]
                partition.start = max(partition.start, min(offset, len(partition.entries)))

    # Transactions

    def initialise(self, transactional_id: str) -> int:
        """Fence older holders of the id, abort what they left open; the new epoch."""
        with self.changed:
            self.end(transactional_id, None, State.ABORTED)
            self._epochs[transactional_id] = self._epochs.get(transactional_id, -1) + 1
            return self._epochs[transactional_id]

    def begin(self, transactional_id: str, epoch: int) -> Transaction:
        """Open a transaction. Raises Fenced."""
        with self.changed:
            self._fence(transactional_id, epoch)
            return self._open.setdefault(transactional_id, Transaction())

    def append(self, transactional_id: str, epoch: int, send: Send) -> None:
        """Store records of the open transaction. Raises Fenced, Transient."""
        with self.changed:
            self._fence(transactional_id, epoch)
            if send.place not in self.partitions:
                raise Transient(f"{send.place} does not exist")
            transaction, n = self._open[transactional_id], len(send.values)
            transaction.places.add(send.place)
            stamps = map(int, send.timestamps) if send.timestamps is not None else [self.clock()] * n
            headers = send.headers if send.headers is not None else [[]] * n
            rows = zip(stamps, send.keys, send.values, headers, strict=True)
            self.partitions[send.place].entries += [Entry(transaction, False, *row) for row in rows]  # noqa: FBT003 - a record

    def add_offsets(self, transactional_id: str, epoch: int, offsets: Mapping[Place, Committed], member: Membership) -> None:
        """Offsets that commit with the open transaction. Raises Fenced for a stale producer or member."""
        with self.changed:
            self._fence(transactional_id, epoch)
            self.group(member.group).check(member)
            self._open[transactional_id].offsets.setdefault(member.group, {}).update(offsets)

    def end(self, transactional_id: str, epoch: int | None, state: State) -> None:
        """End the open transaction, if there is one; a marker goes to each partition. Raises Fenced."""
        with self.changed:
            if epoch is not None:
                self._fence(transactional_id, epoch)
            transaction = self._open.pop(transactional_id, None)
            if transaction is None:
                return
            transaction.state = state
            for place in transaction.places:
                self.partitions[place].entries.append(Entry(transaction, marker=True))
            if state is State.COMMITTED:
                for group, offsets in transaction.offsets.items():
                    self._committed.setdefault(group, {}).update(offsets)
            self.changed.notify_all()

    def committed(self, group: str, place: Place) -> Committed | None:
        """A group's committed offset. Raises Transient while an open transaction holds it."""
        if any(place in it.offsets.get(group, ()) for it in self._open.values()):
            raise Transient(f"the committed offset of {place} waits for a transaction")
        return self._committed.get(group, {}).get(place)

    def _fence(self, transactional_id: str, epoch: int) -> None:
        if self._epochs[transactional_id] != epoch:
            raise Fenced(f"transactional id {transactional_id} has another holder")
