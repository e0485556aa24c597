"""The port: all that streamspc asks of Kafka. The hot path asks for batches (columns), never for a record.

Errors: every foreign error leaves an implementation as `Transient` (make new clients, go back to the committed offset), `Fenced`
or `Fatal`. After any error of `transact` the producer and consumer are spent: close both and connect again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from streamspc.model import Batch, Headers, Ints, Stored


class Place(NamedTuple):
    """One partition of a topic."""

    topic: str
    partition: int


class Committed(NamedTuple):
    """A group's committed position: the next offset to read, and the metadata string that was committed with it."""

    offset: int
    metadata: str


@dataclass(frozen=True, slots=True)
class Send:
    """Records for one partition, as columns of equal length. `timestamps` are milliseconds; None is now."""

    place: Place
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    headers: Sequence[Headers] | None = None
    timestamps: Sequence[int] | Ints | None = None
    stored: Stored | None = None  # the same, to go on as polled; a record whose body is null here is made anew


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """How a topic has to be: partitions and the settings that matter (others are left as they are)."""

    name: str
    partitions: int
    settings: Mapping[str, str] = field(default_factory=dict)


class Consumer(Protocol):
    """Reads batches, read_committed, never committing by itself."""

    def poll(self, timeout: float, max_records: int) -> list[Batch]: ...
    def assignment(self) -> frozenset[Place]: ...
    def generation(self) -> int: ...  # changes with each assignment; position and committed state must be loaded again
    def committed(self, places: Iterable[Place]) -> dict[Place, Committed | None]: ...  # waits for stable offsets
    def position(self, place: Place) -> int: ...
    def seek(self, place: Place, offset: int) -> None: ...
    def pause(self, places: Iterable[Place]) -> None: ...
    def resume(self, places: Iterable[Place]) -> None: ...
    def bounds(self, places: Iterable[Place]) -> dict[Place, tuple[int, int]]: ...  # first offset, stable end
    def offsets_at(self, places: Iterable[Place], time_ms: int) -> dict[Place, int]: ...  # first of that Kafka timestamp or later; else end
    def at_end(self, place: Place) -> bool: ...  # fetchable, and nothing left to read when last asked
    def held_back(self, place: Place) -> bool: ...  # when last asked, an open transaction held records behind the stable end
    def partitions(self, topic: str) -> int: ...
    def group_token(self) -> object: ...  # taken right after poll, given to transact; raises Fenced when membership is lost
    def close(self) -> None: ...


class Producer(Protocol):
    """One transactional id. Opening it fences every older holder of the id and aborts what that one left open."""

    def transact(
        self, sends: Sequence[Send], offsets: Mapping[Place, Committed], consumer: Consumer | None, token: object, deadline: float
    ) -> None: ...  # all of it or nothing; `deadline` in seconds; empty sends and offsets are allowed
    def too_large(self, send: Send, limit: int) -> list[int]: ...  # rows that no request, or no topic with that limit, can carry
    def close(self) -> None: ...


class Admin(Protocol):
    """Topics."""

    def describe(self, names: Iterable[str]) -> dict[str, TopicPlan]: ...  # those that exist, with all their settings
    def create(self, plans: Sequence[TopicPlan], replication: int) -> None: ...
    def delete_before(self, offsets: Mapping[Place, int]) -> None: ...
    def broker_version(self) -> str: ...
    def close(self) -> None: ...


class Kafka(Protocol):
    """Opens clients. `group` with topics subscribes; `places` without a group reads them from their first offset on."""

    def subscribe(self, group: str, topics: Sequence[str], instance: str | None = None) -> Consumer: ...
    def read(self, places: Sequence[Place]) -> Consumer: ...
    def producer(self, transactional_id: str) -> Producer: ...
    def admin(self) -> Admin: ...
