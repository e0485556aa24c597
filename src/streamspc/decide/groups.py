"""The book of one receiver: the episodes that it is or will be told of, in groups, and when the next message of each group is due.

    news        an episode that was not told, one that was told and is over, or one that became a level shift which awaits an answer
    first       `group_wait` after the first news of a group: so that what one cause moves is one message
    later       news waits until `group_interval` after the group's last message
    again       without news, `repeat_interval` after the last message, while an episode is open

A muted group waits; an inhibited episode waits, and is told when nothing inhibits it any more, unless it is over by then. Any other
episode that was over before it was told is told all the same, once. Time is the wall's, in microseconds, and an argument.

The book is a function of its records and of the signals since; updates change it, but are no record: the next one brings them again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec.structs import replace

from streamspc.decide import routing
from streamspc.decide.notice import Message, message
from streamspc.model import Signal, Told

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamspc.decide.routing import Destination
    from streamspc.model import Alerting, Labels

COURSE = 40  # windows of an episode whose z is remembered
MEMBERS = 10_000  # episodes of one receiver; more are counted and not told
AGAIN = 10_000_000  # microseconds until a group that could say nothing is looked at again
AT_ONCE = 2**62  # a time at which everything is due


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One episode: the record of `<app>.outbox` under key `<receiver>/episode/<subject>`."""

    version: int = 1
    signal: Signal  # the newest
    told: Literal["", "firing"] = ""
    news: int = 0  # when its last news came
    course: tuple[float, ...] = ()
    rejected: int = 0

    @property
    def over(self) -> bool:
        """Is there nothing more to come? A gap is over as it is found."""
        return self.signal.kind in {"resolve", "gap"}


class Spoken(msgspec.Struct, frozen=True, kw_only=True):
    """What a group has said: the record under key `<receiver>/group/<group>`."""

    version: int = 1
    first: str = ""  # the first episode
    at: int = 0  # of the last message, 0 before the first
    number: int = 0  # of messages


@dataclass(slots=True)
class _Group:
    """Members of one group."""

    place: Destination
    spoken: Spoken
    subjects: dict[str, None] = field(default_factory=dict)  # in the order in which they came
    not_before: int = 0


@dataclass(slots=True)
class Book:
    """Episodes and groups of one receiver."""

    receiver: str
    alerting: Alerting
    send_resolved: bool = True
    members: dict[str, Member] = field(default_factory=dict)
    overflow: int = 0  # episodes that were not taken, since the last `drain`
    _labels: dict[str, Labels] = field(default_factory=dict)
    _groups: dict[str, _Group] = field(default_factory=dict)
    _where: dict[str, str] = field(default_factory=dict)  # group by episode; none for one that only inhibits
    _changed: dict[bytes, None] = field(default_factory=dict)

    def load(self, members: Iterable[Member], spoken: dict[str, Spoken], streams: frozenset[str], now: int) -> None:
        """Take the records. Episodes of streams that are gone are forgotten, and groups that nobody belongs to."""
        for member in members:
            if member.signal.stream in streams and self._place(member, now, spoken):
                continue
            self._changed[self._key("episode", routing.subject(member.signal))] = None
        self._changed |= {self._key("group", key): None for key in spoken.keys() - self._groups.keys()}

    def hear(self, signal: Signal, now: int, *, stale: bool = False) -> None:
        """Take a signal. One that is stale is too old to be told: it opens nothing, and is the end of what was not told yet."""
        subject = routing.subject(signal)
        known = self.members.get(subject)
        if known is None:
            if signal.kind in {"open", "shift", "gap"} and not signal.muted and not stale:
                self._take(Member(signal=signal, news=now, course=_course((), signal), rejected=int(signal.rejected)))
            return
        if known.over:
            return
        if signal.kind == "shift":  # the same window as the signal before: only what it means is news
            self.members[subject] = replace(known, signal=signal) if stale else replace(known, signal=signal, told="", news=now)
            self._changed[self._key("episode", subject)] = None
            return
        course = _course(known.course, signal)
        if signal.kind == "resolve":
            ended = replace(known, signal=signal, news=now, course=course)
            if (stale and not known.told) or not self._wants(ended):
                self._drop(subject)
            else:
                self.members[subject] = ended
                self._changed[self._key("episode", subject)] = None
        elif signal.kind == "update":
            self.members[subject] = replace(known, signal=signal, course=course, rejected=known.rejected + signal.rejected)

    def due(self) -> int:
        """When `flush` has something to say; `AT_ONCE` and more when never."""
        return min((self._due(group) for group in self._groups.values()), default=AT_ONCE)

    def overtaken(self, signal: Signal, now: int) -> bool:
        """Would this signal end an episode whose message is due, but not made yet? Then `flush` comes first."""
        subject = routing.subject(signal)
        member, key = self.members.get(subject), self._where.get(subject, "")
        return signal.kind == "resolve" and member is not None and not member.told and bool(key) and self._due(self._groups[key]) <= now

    def flush(self, now: int, *, at_once: bool = False) -> list[Message]:
        """The messages that are due, as told: the caller commits them with `drain`. `at_once`: news waits for nothing but mute times."""
        found = []
        firing = [self._labels[subject] for subject, member in self.members.items() if not member.over]
        for key, group in list(self._groups.items()):
            news = at_once and any(self._news(self.members[subject]) for subject in group.subjects)
            if not news and self._due(group) > now:
                continue
            said = None if routing.muted(group.place.route.mutes, now) else self._say(key, group, firing, now)
            if said is None:
                group.not_before = now + AGAIN
            else:
                found.append(said)
        return found

    def told(self, subject: str) -> Told:
        """What a message says of an episode."""
        member = self.members[subject]
        return Told(member.signal, self._labels[subject], member.course, member.rejected)

    def assigned(self) -> list[str]:
        """The episodes that this receiver is told of, not those that only inhibit."""
        return [subject for subject, group in self._where.items() if group]

    def news(self, subject: str) -> bool:
        """Is there something about the episode that the receiver was not told?"""
        return self._news(self.members[subject])

    def settled(self, subject: str) -> None:
        """The receiver knows the newest of the episode: it is forgotten if it is over."""
        member = self.members[subject]
        if member.over:
            self._drop(subject)
        elif not member.told:
            self.members[subject] = replace(member, told="firing")
            self._changed[self._key("episode", subject)] = None

    def drain(self) -> list[tuple[bytes, bytes | None]]:
        """The records that changed since the last time, None for those that are gone. The caller commits them before it sends."""
        rows: list[tuple[bytes, bytes | None]] = []
        for key in self._changed:
            _, kind, name = key.decode().split("/", 2)
            group = self._groups.get(name)
            record: Member | Spoken | None = self.members.get(name) if kind == "episode" else group.spoken if group else None
            rows.append((key, None if record is None else msgspec.json.encode(record)))
        self._changed.clear()
        self.overflow = 0
        return rows

    def _take(self, member: Member) -> None:
        if len(self.members) >= MEMBERS:
            self.overflow += 1
        elif self._place(member, member.news, {}):
            self._changed[self._key("episode", routing.subject(member.signal))] = None

    def _place(self, member: Member, now: int, spoken: dict[str, Spoken]) -> bool:
        """Put an episode into its group. False where it is nothing to this receiver."""
        subject, labels = routing.subject(member.signal), routing.labels(member.signal, self.alerting)
        place = routing.destination(self.alerting, labels, self.receiver)
        if place is None and (member.over or not routing.inhibits(self.alerting.inhibitions, labels)):
            return False
        key = routing.group(place, labels) if place else ""
        self.members[subject], self._labels[subject], self._where[subject] = member, labels, key
        if place and key not in self._groups:
            said = Spoken(first=subject, at=now if member.told else 0, number=1 if member.told else 0)
            self._groups[key] = _Group(place, spoken.get(key, said))
            if key not in spoken:
                self._changed[self._key("group", key)] = None
        if place:
            self._groups[key].subjects[subject] = None
        return True

    def _drop(self, subject: str) -> None:
        key = self._where.pop(subject)
        del self.members[subject], self._labels[subject]
        self._changed[self._key("episode", subject)] = None
        if key:
            group = self._groups[key]
            del group.subjects[subject]
            if not group.subjects:
                del self._groups[key]
                self._changed[self._key("group", key)] = None

    def _wants(self, ended: Member) -> bool:
        """Is the end of an episode worth a word? It is where nothing was said of the episode before."""
        return bool(self._where[routing.subject(ended.signal)]) and (self.send_resolved or not ended.told)

    def _news(self, member: Member) -> bool:
        return member.over or not member.told

    def _due(self, group: _Group) -> int:
        route, spoken = group.place.route, group.spoken
        members = [self.members[subject] for subject in group.subjects]
        came = min((member.news for member in members if self._news(member)), default=None)
        if came is None:
            when = spoken.at + route.repeat_interval
        else:
            when = max(came, spoken.at + route.group_interval) if spoken.at else came + route.group_wait
        return max(when, group.not_before)

    def _say(self, key: str, group: _Group, firing: list[Labels], now: int) -> Message | None:
        """One message of a group; None when there is no news that nothing inhibits, and it is not time to say it again."""
        rules, members = self.alerting.inhibitions, self.members
        held = [
            s for s in group.subjects if routing.inhibited(rules, self._labels[s], firing) and not (members[s].over and members[s].told)
        ]
        free = [subject for subject in group.subjects if subject not in held]
        for subject in held:
            if members[subject].over:
                self._drop(subject)
        again = now >= group.spoken.at + group.place.route.repeat_interval
        if not free or not (again or any(self._news(members[subject]) for subject in free)):
            return None
        number = group.spoken.number + 1
        said = message(self.receiver, key, group.spoken.first, number, [self.told(subject) for subject in free])
        group.spoken = Spoken(first=group.spoken.first, at=now, number=number)
        self._changed[self._key("group", key)] = None
        for subject in free:
            self.settled(subject)
        return said

    def _key(self, kind: str, name: str) -> bytes:
        return f"{self.receiver}/{kind}/{name}".encode()


def _course(before: tuple[float, ...], signal: Signal) -> tuple[float, ...]:
    return before if signal.z is None else (*before, signal.z)[-COURSE:]
