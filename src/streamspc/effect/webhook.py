"""The generic webhook's body: JSON of our own, version 1, with every number as a number.

    {"version": 1, "id", "type": "streamspc.episodes", "status": "firing" | "resolved", "title", "stream",
     "window": {"start", "end", "timezone"}, "episodes": [...], "more": 0, "links": {...}}

Times are ISO 8601 with the offset of the stream's zone; a number that does not exist is null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from streamspc.effect import wording
from streamspc.model import Rendered

if TYPE_CHECKING:
    from streamspc.model import Notice, Signal, Span, StreamSpec

VERSION = 1


def render(notice: Notice, spec: StreamSpec | None, page: str) -> Rendered:
    """The notice as JSON. `page` is where people look closer, "" when there is no such place."""
    start = min(signal.start for signal in notice.signals)
    payload = {
        "version": VERSION,
        "id": notice.id,
        "type": "streamspc.episodes",
        "status": notice.status,
        "title": wording.headline(notice, spec),
        "stream": notice.stream,
        "window": {"start": _time(start, spec), "end": _time(notice.end, spec), "timezone": wording.zone(spec)},
        "episodes": [_episode(signal, spec) for signal in notice.signals],
        "more": notice.more,
        "links": {"page": page} if page else {},
    }
    return Rendered(msgspec.json.encode(payload).decode(), "application/json")


def _episode(signal: Signal, spec: StreamSpec | None) -> dict[str, Any]:
    """One episode; a gap, which is none, has nothing to measure."""
    head: dict[str, Any] = {
        "id": signal.episode,
        "status": {"open": "firing", "resolve": "resolved"}.get(signal.kind, signal.kind),
        "title": wording.title(signal, spec),
    }
    if signal.contributions:
        head["contributions"] = [{"metric": one.metric, "share": one.share} for one in signal.contributions]
    return head if signal.kind == "gap" else head | _numbers(signal, spec)


def _numbers(signal: Signal, spec: StreamSpec | None) -> dict[str, Any]:
    return {
        "metric": signal.metric,
        "segment": signal.segment,
        "charts": signal.charts,
        "rules": signal.rules,
        "side": signal.side,
        "value": signal.value,
        "n": signal.n,
        "center": signal.centre,
        "sigma": signal.sigma,
        "lcl": signal.lcl,
        "ucl": signal.ucl,
        "z": signal.z,
        "opened": _time(signal.opened, spec),
        "windows": signal.windows,
        "onset": {"time": _time(signal.onset, spec), "sources": _spans(signal.onset_sources)},
        "sources": _spans(signal.sources),
        "baseline_version": signal.baseline_version,
        "rejected": signal.rejected,
        "action": wording.action(signal, spec),
        "config": signal.config,
    }


def _time(at: int, spec: StreamSpec | None) -> str:
    return wording.moment(at, spec).isoformat()


def _spans(sources: tuple[Span, ...]) -> list[dict[str, int]]:
    return [{"partition": span.partition, "first": span.first, "last": span.last} for span in sources]
