"""`routing:` who is told of which episodes, when and how often; `links:` what messages lead to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, WithJsonSchema

from streamspc.settings.part import Duration, Name, NotEmpty, Part, Seconds, Switch, Text, fault
from streamspc.settings.zone import Zone

_SOME: dict[str, JsonValue] = {"minItems": 1}
Grouped = Literal["stream", "metric", "segment", "severity", "owner", "window", "episode"]
Severity = Literal["critical", "warning", "info"]
Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
DAYS: tuple[Day, ...] = get_args(Day)
_LINK = r"^(https?://\S+)?$"
PLACES = ("stream", "metric", "segment", "from", "to")


def _listed(value: object) -> object:
    """One value, or a list of them."""
    return (value,) if isinstance(value, str) else value


def _minutes(value: object) -> str:
    """A time of day, `00:00` to `23:59`."""
    if not isinstance(value, str) or not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", value):
        raise fault('expected a time of day in quotes, such as "08:30"')
    return value


def _link(address: str) -> str:
    """An address whose places in braces are known."""
    for place in re.findall(r"\{([^{}]*)\}", address):
        if place not in PLACES:
            raise fault(f"unknown place {{{place}}}; expected some of {', '.join('{' + known + '}' for known in PLACES)}")
    return address


def _one_or_more(item: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [item, {"type": "array", "items": item, "minItems": 1}]})


Values = Annotated[tuple[Text, ...], NotEmpty, BeforeValidator(_listed), _one_or_more({"type": "string", "minLength": 1})]
Severities = Annotated[tuple[Severity, ...], NotEmpty, BeforeValidator(_listed), _one_or_more({"enum": list(get_args(Severity))})]
Time = Annotated[str, BeforeValidator(_minutes), WithJsonSchema({"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"})]
Link = Annotated[str, Field(pattern=_LINK), AfterValidator(_link)]


class Match(Part):
    """Labels of an episode, each with the value or values that will do. Without any, everything matches."""

    stream: Values | None = None
    """Names of streams."""
    metric: Values | None = None
    """Names of metrics."""
    segment: Values | None = None
    """Segments; `"*"` is the whole stream."""
    severity: Severities | None = None
    """Severities."""
    owner: Values | None = None
    """Owners."""

    def labels(self) -> dict[str, tuple[str, ...]]:
        """Those that are written."""
        return {name: getattr(self, name) for name in self.written(*type(self).model_fields)}


class MuteTime(Part):
    """A time at which nobody is told. What happens meanwhile is told after it."""

    name: Name
    """Name, for `mute` of routes."""
    days: Annotated[tuple[Day, ...], NotEmpty] = Field(default=DAYS, json_schema_extra=_SOME)
    """Days of the week on which it begins."""
    begin: Time = "00:00"
    """When it begins."""
    end: Time = "00:00"
    """When it ends: the next day where that is not later. The same as `begin` is the whole day."""
    timezone: Zone = "UTC"
    """Zone of the days and times."""


class _Timing(Part):
    """What a route has, or has from the route above it."""

    receivers: tuple[Name, ...] | None = None
    """Who is told; without it those of the route above, and at the top all of them."""
    group_by: tuple[Grouped, ...] | None = None
    """Episodes with the same values of these labels are one message: `[stream]` at the top. `window` is that of the opening."""
    group_wait: Duration | None = None
    """How long the first message of a group waits for more: `10s` at the top."""
    group_interval: Duration | None = None
    """How long a group is silent before it tells more news: `5m` at the top."""
    repeat_interval: Seconds | None = None
    """How long a group is silent before it says again what is still so: `4h` at the top."""
    mute: tuple[Name, ...] | None = None
    """Mute times."""


class SubRoute(_Timing):
    """A route below another one. The first that matches takes an episode."""

    match: Match = Match()
    """Which episodes it takes."""
    proceed: Switch = False
    """Whether the routes after it may take them, too."""
    routes: tuple[SubRoute, ...] = ()
    """Routes below this one, with what it has where they do not say otherwise."""


class Inhibition(Part):
    """While one episode is open, others that it explains are not told."""

    source: Match
    """The one that explains."""
    target: Match
    """Those that are not told."""
    equal: tuple[Grouped, ...] = ("stream",)
    """Labels that both have in common."""

    def faults(self) -> Iterator[tuple[str, str]]:
        """What explains is not what is explained."""
        if not self.target.labels():
            yield "target", "matches everything, also what explains it"


class Routing(_Timing):
    """Who is told of which episodes, when and how often. Without it, everybody hears of everything."""

    routes: tuple[SubRoute, ...] = ()
    """Routes for some episodes."""
    inhibit: tuple[Inhibition, ...] = ()
    """Which episodes explain others."""
    mute_times: tuple[MuteTime, ...] = ()
    """Times at which nobody is told, for `mute` of routes."""


class Links(Part):
    """Where messages lead to. `{stream}`, `{metric}`, `{segment}`, `{from}` and `{to}` (milliseconds) are replaced."""

    dashboard: Link = ""
    """A dashboard, at the time of the episode."""
    runbook: Link = ""
    """What to do; a metric may have its own."""
