"""The generic body, of webhooks and topics: JSON of our own, version 1, with every number as a number.

    {"version": 1, "id", "type": "streamspc.episodes", "status": "firing" | "resolved", "title", "group", "number", "streams",
     "episodes": [...], "more": 0}

Times are ISO 8601 with the offset of the stream's zone; a number that does not exist is null. In a CloudEvents envelope it is `data`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamspc.effect import times, wording
from streamspc.effect.shorten import fitted

if TYPE_CHECKING:
    from streamspc.effect.wording import Words
    from streamspc.model import Notice, Rendered, Span, StreamSpec, Told

VERSION = 1
BYTES = 900_000  # below the usual limit of a topic's records
TYPE = "io.streamspc.episodes.v1"
SPANS = 1_000  # source partitions that are listed


def render(notice: Notice, words: Words) -> Rendered:
    """The notice as JSON."""
    return fitted(notice, lambda shorter: _payload(shorter, words), BYTES)


def render_event(notice: Notice, words: Words) -> Rendered:
    """The notice as JSON in an envelope: CloudEvents 1.0, structured mode."""
    envelope = attributes(notice, words) | {"specversion": "1.0", "datacontenttype": "application/json"}
    return fitted(notice, lambda shorter: envelope | {"data": _payload(shorter, words)}, BYTES, "application/cloudevents+json")


def attributes(notice: Notice, words: Words) -> dict[str, str]:
    """What CloudEvents want to know of an event. `time` is the end of its newest window."""
    spec = words.spec(notice.told[0].signal)
    return {"id": notice.id, "source": f"/streamspc/{words.app}", "type": TYPE, "subject": notice.group, "time": _time(notice.end, spec)}


def _payload(notice: Notice, words: Words) -> dict[str, Any]:
    return {
        "version": VERSION,
        "id": notice.id,
        "type": "streamspc.episodes",
        "status": notice.status,
        "title": wording.headline(notice, words),
        "group": notice.group,
        "number": notice.number,
        "streams": notice.streams,
        "episodes": [_episode(told, words) for told in notice.told],
        "more": notice.more,
    }


def _episode(told: Told, words: Words) -> dict[str, Any]:
    """One episode; a gap, which is none, has nothing to measure."""
    signal, labels, spec = told.signal, told.labels, words.spec(told.signal)
    head: dict[str, Any] = {
        "id": signal.episode,
        "status": {"resolve": "resolved", "gap": "gap"}.get(signal.kind, "firing"),
        "title": wording.title(signal, spec),
        "stream": signal.stream,
        "severity": labels.severity,
        "owner": labels.owner,
        "window": {"start": _time(signal.start, spec), "end": _time(signal.end, spec), "timezone": times.zone(spec)},
        "links": {name.lower(): address for name, address in wording.links(told, words)},
    }
    if signal.contributions:
        head["contributions"] = [{"metric": one.metric, "share": one.share} for one in signal.contributions]
    if signal.awaiting and signal.kind != "resolve":
        head["awaiting"] = True
    if signal.answer:
        head["answer"] = {"kind": signal.answer, "command": signal.command, "by": signal.by, "why": signal.why}
    return head if signal.kind == "gap" else head | _numbers(told, spec)


def _numbers(told: Told, spec: StreamSpec | None) -> dict[str, Any]:
    signal = told.signal
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
        "course": told.course,
        "opened": _time(signal.opened, spec),
        "windows": signal.windows,
        "onset": {"time": _time(signal.onset, spec), "sources": _spans(signal.onset_sources)},
        "sources": _spans(signal.sources),
        "baseline_version": signal.baseline_version,
        "provisional": signal.provisional,
        "rejected": told.rejected,
        "action": wording.action(told, spec),
        "config": signal.config,
    }


def _time(at: int, spec: StreamSpec | None) -> str:
    return times.moment(at, spec).isoformat()


def _spans(sources: tuple[Span, ...]) -> list[dict[str, int]]:
    return [{"partition": span.partition, "first": span.first, "last": span.last} for span in sources[:SPANS]]
