"""Where an episode is told, and whether now: the routing tree, mute times and inhibitions, as pure functions of labels and time."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from streamspc.model import Labels

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from streamspc.model import Alerting, Inhibition, MuteTime, Route, Signal

MINUTE = 60_000_000
DAY = 1440  # minutes


class Destination(NamedTuple):
    """A node of the tree at which an episode arrives. `path` is what had to match from the root on."""

    path: tuple[str, ...]
    route: Route


def labels(signal: Signal, alerting: Alerting) -> Labels:
    """The labels of an episode. A gap has the metric "" and the severity of its stream."""
    keys = ((signal.stream, signal.metric), (signal.stream, ""))
    severities, owners = alerting.severities or {}, alerting.owners or {}
    severity = next((severities[key] for key in keys if key in severities), "warning")
    owner = next((owners[key] for key in keys if key in owners), "")
    return Labels(signal.stream, signal.metric, signal.segment, severity, owner, str(signal.opened or signal.start), subject(signal))


def subject(signal: Signal) -> str:
    """The episode, or for a gap, which belongs to no episode, its stream and start."""
    return signal.episode or f"{signal.stream}/{signal.kind}/{signal.start}"


def matches(match: Mapping[str, tuple[str, ...]], of: Labels) -> bool:
    """Has each of the labels one of the values that will do?"""
    return all(getattr(of, name) in values for name, values in match.items())


def destinations(route: Route, of: Labels, path: tuple[str, ...] = ()) -> Iterator[Destination]:
    """Where an episode of these labels arrives below a node that it has reached, in the order of the tree.

    The first child that matches takes it, and those after it while the one before says `proceed`. Without any, the node itself does.
    """
    taken = False
    for child in route.routes:
        if matches(child.match, of):
            taken = True
            yield from destinations(child, of, (*path, str(sorted(child.match.items()))))
            if not child.proceed:
                break
    if not taken:
        yield Destination(path, route)


def destination(alerting: Alerting, of: Labels, receiver: str) -> Destination | None:
    """Where this receiver is told of an episode, the first such place: nobody is told twice. None where it is not."""
    return next((found for found in destinations(alerting.root, of) if receiver in found.route.receivers), None)


def group(found: Destination, of: Labels) -> str:
    """Sixteen hex digits: the same for the episodes that one route puts into one message."""
    parts = [*found.path, *(f"{name}={getattr(of, name)}" for name in found.route.group_by)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def muted(mutes: Iterable[MuteTime], now: int) -> bool:
    """Is `now` (microseconds of the wall) in one of the mute times?"""
    return any(_within(mute, now) for mute in mutes)


def _within(mute: MuteTime, now: int) -> bool:
    local = datetime.fromtimestamp(now // 1_000_000, UTC).astimezone(ZoneInfo(mute.timezone))
    minute, today, yesterday = local.hour * 60 + local.minute, local.weekday(), (local.weekday() - 1) % 7
    if mute.begin < mute.end:
        return today in mute.days and mute.begin <= minute < mute.end
    if mute.begin == mute.end:  # the whole day
        return today in mute.days
    return (today in mute.days and minute >= mute.begin) or (yesterday in mute.days and minute < mute.end)


def inhibited(inhibitions: Sequence[Inhibition], of: Labels, firing: Iterable[Labels]) -> bool:
    """Does another firing episode say more than this one would?"""
    rules = [rule for rule in inhibitions if matches(rule.target, of)]
    if not rules:
        return False
    return any(
        other.episode != of.episode
        and matches(rule.source, other)
        and all(getattr(other, name) == getattr(of, name) for name in rule.equal)
        for other in firing
        for rule in rules
    )


def inhibits(inhibitions: Iterable[Inhibition], of: Labels) -> bool:
    """May an episode of these labels keep others from being told?"""
    return any(matches(rule.source, of) for rule in inhibitions)
