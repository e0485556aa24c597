"""Groups: members share the partitions of their topics by range; whoever comes or goes makes a new generation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from streamspc.errors import Fenced
from streamspc.kafka_io.port import Place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Membership(NamedTuple):
    """Proof of membership in one generation."""

    group: str
    member: str
    generation: int


class Member(NamedTuple):
    """What a member asked for."""

    topics: tuple[str, ...]
    instance: str | None


@dataclass(slots=True, eq=False)
class Group:
    """The members of a group, in the order in which they came."""

    name: str
    generation: int = 0
    members: dict[str, Member] = field(default_factory=dict)
    _named: int = 0

    def join(self, topics: Sequence[str], instance: str | None) -> str:
        """A new member's id. A static instance takes over from its predecessor."""
        for member, known in list(self.members.items()):
            if instance is not None and known.instance == instance:
                del self.members[member]
        self._named += 1
        member = f"{self.name}-{self._named:04d}"
        self.members[member] = Member(tuple(topics), instance)
        self.generation += 1
        return member

    def leave(self, member: str) -> None:
        """Take the member out, if it is still there."""
        if self.members.pop(member, None) is not None:
            self.generation += 1

    def check(self, member: Membership) -> None:
        """Raises Fenced unless it is a member of the present generation."""
        if member.member not in self.members or member.generation != self.generation:
            raise Fenced(f"{member.member} is not in generation {self.generation} of group {self.name}")

    def assigned(self, member: str, partitions: Mapping[str, int]) -> frozenset[Place]:
        """The partitions of a member, by range within each topic."""
        found: set[Place] = set()
        for topic in self.members[member].topics:
            sharers = sorted(name for name, it in self.members.items() if topic in it.topics)
            at, count = sharers.index(member), partitions[topic]
            each, extra = divmod(count, len(sharers))
            first = at * each + min(at, extra)
            found |= {Place(topic, i) for i in range(first, first + each + (at < extra))}
        return frozenset(found)
