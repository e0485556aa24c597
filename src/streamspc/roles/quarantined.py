"""Quarantined records seen again: what is there and why, and their release or discard, each record once.

The ledger is the control log. What was done with a record is written there in the same transaction that does it, by the one fenced writer
of that log: a command that is interrupted and given again goes on where it stopped, and of two at the same time the earlier one is
fenced. Nothing is deleted; a record that was handled stays in its topic, and is named as such.

Released are the original bytes: key, value, timestamp, and the headers that the record had before ours, with one that names the command.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from streamspc.errors import Fatal
from streamspc.kafka_io.port import Place, Send
from streamspc.kafka_io.topics import names
from streamspc.model import END, Handled
from streamspc.roles.control import entries, read_to_end

if TYPE_CHECKING:
    from streamspc.kafka_io.port import Kafka, Producer
    from streamspc.model import Batch, Headers, Semantics, StreamSpec

CHUNK = 1000  # records in a transaction
DEADLINE = 60.0  # seconds without progress
_FIRST_OF_OURS = "__connect.errors.topic"
RELEASED = "streamspc.released"
POINTER = b'{"streamspc.pointer"'


Ledger = dict[int, list[tuple[int, int, str]]]  # by partition: first and last offset, and what was done, in order; they never overlap


class Why(NamedTuple):
    """What our headers say of a record; records with equal ones are listed as one row."""

    reason: str
    window: str = ""
    segment: str = ""
    metric: str = ""
    rule: str = ""
    episode: str = ""


class Found(NamedTuple):
    """A quarantined record."""

    partition: int
    offset: int
    timestamp: int  # milliseconds
    key: bytes | None
    value: bytes | None
    headers: Headers  # those that it had before ours
    origin: tuple[int, int]  # partition and offset in the source topic, -1 where nobody says
    why: Why
    done: str  # released, discarded, or nothing
    value_of: str  # of the metric
    limits: str


@dataclass(frozen=True, slots=True)
class Selection:
    """Which records: all that match what is given."""

    episode: str = ""
    window: str = ""
    segment: str = ""
    reason: str = ""

    def takes(self, why: Why) -> bool:
        """Is a record with this reason meant?"""
        return all(not wanted or wanted == getattr(why, name) for name, wanted in self.given())

    def given(self) -> list[tuple[str, str]]:
        """What was given, by name."""
        return [(name, getattr(self, name)) for name in self.__slots__ if getattr(self, name)]

    def __str__(self) -> str:
        """For the audit."""
        return ", ".join(f"{name} {value}" for name, value in self.given()) or "all"


class Order(NamedTuple):
    """A command: what to do, where to, and for the audit its id, who, why, and the operator's clock in microseconds."""

    action: Literal["released", "discarded"]
    id: str
    to: str
    by: str
    why: str
    at: int


@dataclass(slots=True)
class Done:
    """What a command did, or would do."""

    records: int = 0
    before: int = 0  # that were handled by an earlier command
    pointers: int = 0  # that only point to a record too large to be here
    by_window: dict[str, int] = field(default_factory=lambda: defaultdict(int))


class Quarantine:
    """The quarantine of one stream. Raises Fatal where it has none."""

    def __init__(self, kafka: Kafka, semantics: Semantics, spec: StreamSpec) -> None:
        """Nothing is read yet."""
        if spec.quarantine_topic is None:
            raise Fatal(f"stream {spec.name} has no quarantine topic: its configuration has no gate")
        self._kafka, self._app, self._spec = kafka, semantics.app, spec
        self.topic = spec.quarantine_topic

    def records(self, selection: Selection) -> Iterator[Found]:
        """The records that are there now, partition by partition as Kafka gives them."""
        handled = self._handled()
        places = [Place(self.topic, partition) for partition in range(self._partitions(self.topic))]
        reader = self._kafka.read(places)
        try:
            for batch in read_to_end(reader, places, DEADLINE):
                for row in range(len(batch)):
                    found = _found(batch, row, handled)
                    if selection.takes(found.why):
                        yield found
        finally:
            reader.close()

    def carry_out(self, order: Order, selection: Selection, *, dry_run: bool = False) -> Iterator[Done]:
        """Release or discard what is selected and was not handled before; yields after each transaction how far it is.

        Raises Fenced when another such command, or a configuration's first start, has begun since; what was done until then is done.
        """
        done, pending = Done(), list[Found]()
        producer = (
            None if dry_run else self._kafka.producer(names(self._app).control)
        )  # before the ledger is read: nobody else adds to it now
        targets = self._partitions(order.to) if order.to else 1
        try:
            for found in self.records(selection):
                if found.done:
                    done.before += 1
                elif order.action == "released" and (found.value or b"").startswith(POINTER):
                    done.pointers += 1
                else:
                    pending.append(found)
                    done.records += 1
                    done.by_window[found.why.window] += 1
                if len(pending) >= CHUNK:
                    self._commit(producer, order, selection, pending, targets)
                    pending.clear()
                    yield done
            self._commit(producer, order, selection, pending, targets)
            yield done
        finally:
            if producer is not None:
                producer.close()

    def _commit(self, producer: Producer | None, order: Order, selection: Selection, records: list[Found], targets: int) -> None:
        if producer is None or not records:
            return
        by_partition: dict[int, list[Found]] = defaultdict(list)
        for found in records:
            by_partition[found.partition].append(found)
        sends = [self._ledger(order, selection, by_partition)]
        if order.action == "released":
            sends += [_original(Place(order.to, partition % targets), order.id, rows) for partition, rows in sorted(by_partition.items())]
        producer.transact(sends, {}, None, None, DEADLINE)

    def _ledger(self, order: Order, selection: Selection, rows: dict[int, list[Found]]) -> Send:
        handled = [
            Handled(
                action=order.action,
                id=order.id,
                stream=self._spec.name,
                topic=self.topic,
                partition=partition,
                ranges=ranges([found.offset for found in records]),
                records=len(records),
                to=order.to,
                selection=str(selection),
                by=order.by,
                why=order.why,
                at=order.at,
            )
            for partition, records in sorted(rows.items())
        ]
        return Send(Place(names(self._app).control, 0), [b"handled"] * len(handled), [msgspec.json.encode(one) for one in handled])

    def _handled(self) -> Ledger:
        """What the control log says of this topic."""
        found: Ledger = defaultdict(list)
        for entry in entries(self._kafka, self._app):
            if isinstance(entry, Handled) and entry.topic == self.topic:
                found[entry.partition] += [(*ends, entry.action) for ends in entry.ranges]
        for spans in found.values():
            spans.sort()
        return found

    def _partitions(self, topic: str) -> int:
        admin = self._kafka.admin()
        try:
            plan = admin.describe([topic]).get(topic)
        finally:
            admin.close()
        if plan is None:
            raise Fatal(f"there is no topic {topic}: create it first")
        return plan.partitions


def _found(batch: Batch, row: int, handled: Ledger) -> Found:
    headers = batch.headers[row] if batch.headers is not None else []
    ours = max((at for at, (name, _) in enumerate(headers) if name == _FIRST_OF_OURS), default=len(headers))
    said = {name: (value or b"").decode(errors="replace") for name, value in headers[ours:]}
    offset = int(batch.offsets[row])
    spans = handled.get(batch.partition, [])
    before = bisect_right(spans, (offset, END, "")) - 1
    why = Why(*(said.get(f"streamspc.{name}", "") for name in Why._fields))
    origin = tuple(int(said.get(f"__connect.errors.{name}", -1)) for name in ("partition", "offset"))
    return Found(
        partition=batch.partition,
        offset=offset,
        timestamp=int(batch.timestamps[row]),
        key=batch.keys[row],
        value=batch.values[row],
        headers=headers[:ours],
        origin=(origin[0], origin[1]),
        why=why,
        done=spans[before][2] if before >= 0 and offset <= spans[before][1] else "",
        value_of=said.get("streamspc.value", ""),
        limits=said.get("streamspc.limits", ""),
    )


def _original(place: Place, command: str, rows: list[Found]) -> Send:
    keys, values = [found.key for found in rows], [found.value for found in rows]
    headers = [[*found.headers, (RELEASED, command.encode())] for found in rows]
    return Send(place, keys, values, headers, [found.timestamp for found in rows])


def ranges(offsets: list[int]) -> tuple[tuple[int, int], ...]:
    """Ascending offsets as ranges, both ends included.

    >>> ranges([3, 4, 5, 9])
    ((3, 5), (9, 9))
    """
    found: list[tuple[int, int]] = []
    for offset in offsets:
        if found and found[-1][1] + 1 == offset:
            found[-1] = found[-1][0], offset
        else:
            found.append((offset, offset))
    return tuple(found)


def shown(found: Found) -> dict[str, object]:
    """A record for people and machines: text where it is text."""
    return {
        "partition": found.partition,
        "offset": found.offset,
        "source": {"partition": found.origin[0], "offset": found.origin[1]},
        "timestamp": found.timestamp,
        **found.why._asdict(),
        "value_of_metric": found.value_of,
        "limits": found.limits,
        "done": found.done,
        "key": _text(found.key),
        "value": _text(found.value),
        "headers": [[name, _text(value)] for name, value in found.headers],
    }


def _text(data: bytes | None) -> object:
    try:
        return None if data is None else data.decode()
    except UnicodeDecodeError:
        return {"hex": (data or b"").hex()}
