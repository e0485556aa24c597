"""Who is told of what, and when: routes, mute times and inhibitions. Local: it changes no point, no signal and no verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Severity = Literal["critical", "warning", "info"]


@dataclass(frozen=True, slots=True)
class MuteTime:
    """A span that comes again each week, in a zone: on these days (Monday is 0), from minute to minute of the day.

    A span that ends before it begins goes on past midnight; one that ends where it begins is the whole day.
    """

    name: str
    days: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)
    begin: int = 0
    end: int = 0
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Route:
    """A node of the routing tree; times are microseconds. Without children that match, it is the destination itself."""

    receivers: tuple[str, ...]
    match: Mapping[str, tuple[str, ...]]  # label: values that will do; all of the labels must fit
    group_by: tuple[str, ...] = ("stream",)
    group_wait: int = 10_000_000
    group_interval: int = 300_000_000
    repeat_interval: int = 14_400_000_000
    mutes: tuple[MuteTime, ...] = ()
    proceed: bool = False  # look at the siblings that follow, too
    routes: tuple[Route, ...] = ()


@dataclass(frozen=True, slots=True)
class Inhibition:
    """While an episode matches `source`, those that match `target` and have the same `equal` labels are not told."""

    source: Mapping[str, tuple[str, ...]]
    target: Mapping[str, tuple[str, ...]]
    equal: tuple[str, ...] = ("stream",)


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses for people. `dashboard` and `runbook` may hold {stream}, {metric}, {segment}, {from} and {to} (milliseconds)."""

    page: str = ""
    dashboard: str = ""
    runbook: str = ""
    runbooks: Mapping[tuple[str, str], str] | None = None  # (stream, metric): one of its own


@dataclass(frozen=True, slots=True)
class Alerting:
    """All of it. `owners` and `severities` are by (stream, metric)."""

    root: Route
    inhibitions: tuple[Inhibition, ...] = ()
    owners: Mapping[tuple[str, str], str] | None = None
    severities: Mapping[tuple[str, str], Severity] | None = None
    links: Links = Links()

    @classmethod
    def to(cls, *receivers: str) -> Alerting:
        """Everything to these receivers."""
        return cls(Route(receivers, {}))
