"""What the settings say of routes, owners and links, as the values that decide and effect take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamspc.model import Alerting, Inhibition, Links, MuteTime, Route, Severity
from streamspc.settings.part import microseconds
from streamspc.settings.routing import DAYS, Routing, SubRoute

if TYPE_CHECKING:
    from streamspc.settings import routing
    from streamspc.settings.schema import Settings

_TIMES = ("group_wait", "group_interval", "repeat_interval")


def alerting(settings: Settings) -> Alerting:
    """All of it. A gap of a stream, which has no metric, is under the metric ""."""
    mutes = {mute.name: _mute(mute) for mute in settings.routing.mute_times}
    everybody = Route(tuple(receiver.name for receiver in settings.receivers), {})
    owners: dict[tuple[str, str], str] = {}
    severities: dict[tuple[str, str], Severity] = {}
    runbooks: dict[tuple[str, str], str] = {}
    for stream in settings.streams:
        owners[stream.name, ""], severities[stream.name, ""] = stream.owner, stream.severity
        for metric in stream.metrics:
            key = stream.name, metric.name
            owners[key] = metric.owner or stream.owner
            severities[key] = metric.severity or stream.severity
            if metric.runbook:
                runbooks[key] = metric.runbook
    inhibitions = tuple(Inhibition(it.source.labels(), it.target.labels(), it.equal) for it in settings.routing.inhibit)
    links = Links(settings.server.external_url, settings.links.dashboard, settings.links.runbook, runbooks)
    return Alerting(_route(settings.routing, everybody, mutes), inhibitions, owners, severities, links)


def _route(written: Routing | SubRoute, above: Route, mutes: dict[str, MuteTime]) -> Route:
    """A route with what it has from the one above it."""
    has: dict[str, Any] = {key: getattr(above, key) for key in ("receivers", "group_by", "mutes", *_TIMES)}
    has |= {key: getattr(written, key) for key in written.written("receivers", "group_by")}
    has |= {key: microseconds(getattr(written, key)) for key in written.written(*_TIMES)}
    if written.mute is not None:
        has["mutes"] = tuple(mutes[name] for name in written.mute)
    own: dict[str, Any] = {"match": {}}
    if isinstance(written, SubRoute):
        own = {"match": written.match.labels(), "proceed": written.proceed}
    here = Route(**has, **own)
    return Route(**has, **own, routes=tuple(_route(below, here, mutes) for below in written.routes))


def _mute(written: routing.MuteTime) -> MuteTime:
    begin, end = (int(text[:2]) * 60 + int(text[3:]) for text in (written.begin, written.end))
    return MuteTime(written.name, tuple(DAYS.index(day) for day in written.days), begin, end, written.timezone)
