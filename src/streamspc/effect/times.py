"""Moments of event time, as people and machines read them: in the zone of their stream."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from streamspc.model import StreamSpec

EARLIEST, LATEST = -62_000_000_000_000_000, 253_000_000_000_000_000  # microseconds: the years 5 to 9987


def window(start: int, end: int, spec: StreamSpec | None) -> str:
    """A span of event time with its zone: `2013-02-08 00:00 to 2013-02-09 00:00 EST (America/New_York)`."""
    first, last = moment(start, spec), moment(end, spec)
    unit = "minutes" if start % 60_000_000 == end % 60_000_000 == 0 else "milliseconds"
    begin, to = (at.replace(tzinfo=None).isoformat(" ", unit) for at in (first, last))
    turn = "" if first.tzname() == last.tzname() else f" {first.tzname()}"  # the clocks change on the way
    return f"{begin}{turn} to {to} {last.tzname()} ({zone(spec)})"


def instant(at: int, spec: StreamSpec | None) -> str:
    """A moment of event time with its zone's short name."""
    return f"{moment(at, spec):%Y-%m-%d %H:%M %Z}"


def moment(at: int, spec: StreamSpec | None) -> datetime:
    """Microseconds as a moment in the stream's zone, as near as the calendar of the machine reaches."""
    seconds, us = divmod(min(max(at, EARLIEST), LATEST), 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=us).astimezone(ZoneInfo(zone(spec)))


def zone(spec: StreamSpec | None) -> str:
    """The stream's zone; UTC for a stream of another configuration."""
    return spec.timezone if spec else "UTC"
