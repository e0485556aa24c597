"""The PagerDuty event (Events API v2): a group of episodes is one incident, which its messages trigger, update and resolve.

Limits of the platform: 1,024 characters a summary, 255 a `dedup_key`, 512 KB in all. The routing key is added as an event leaves:
what is stored holds no secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from streamspc.effect import times, wording
from streamspc.effect.picture import picture
from streamspc.effect.shorten import cut, fitted

if TYPE_CHECKING:
    from streamspc.effect.wording import Words
    from streamspc.model import Notice, Rendered

BYTES = 500_000
SUMMARY, FIELD, LINK = 1_024, 1_000, 2_000  # characters
ORDER = ("critical", "warning", "info")


def render(notice: Notice, words: Words) -> Rendered:
    """The notice as an event, without its routing key."""
    return fitted(notice, lambda shorter: _event(shorter, words), BYTES)


def keyed(body: str, routing_key: str) -> bytes:
    """The event as it is sent."""
    return msgspec.json.encode({"routing_key": routing_key, **msgspec.json.decode(body)})


def _event(notice: Notice, words: Words) -> dict[str, Any]:
    key = f"{words.app}/{notice.group}"
    if notice.status == "resolved":
        return {"event_action": "resolve", "dedup_key": key}
    first = notice.told[0].signal
    spec = words.spec(first)
    payload = {
        "summary": cut(wording.headline(notice, words), SUMMARY),
        "source": cut(f"streamspc {words.app}: {', '.join(notice.streams)}", FIELD),
        "severity": min((told.labels.severity for told in notice.told), key=ORDER.index),
        "timestamp": times.moment(first.opened or first.start, spec).isoformat(),
        "component": cut(wording.series(first), FIELD),
        "group": cut(first.stream, FIELD),
        "class": cut("a gap" if first.kind == "gap" else wording.rule(first, spec), FIELD),
        "custom_details": _details(notice, words),
    }
    event: dict[str, Any] = {"event_action": "trigger", "dedup_key": key, "payload": payload, "client": "streamspc"}
    if words.links.page:
        event["client_url"] = words.links.page
    places = [place for place in wording.links(notice.told[0], words) if len(place[1]) <= LINK]
    return event | {"links": [{"href": address, "text": name} for name, address in places]}


def _details(notice: Notice, words: Words) -> dict[str, str]:
    details = {}
    if len(notice.told) == 1 and not notice.more:
        told = notice.told[0]
        details = {fact.label: cut(fact.text, FIELD) for fact in wording.facts(told, words.spec(told.signal))}
        details |= {"Picture": seen} if (seen := picture(told)) else {}
    else:
        for number, told in enumerate(notice.told, start=1):
            spec = words.spec(told.signal)
            details[f"Episode {number}"] = cut(f"{wording.title(told.signal, spec)}; {wording.paragraph(told, spec)}", FIELD)
    return details | ({"And": f"{notice.more} more"} if notice.more else {}) | {"Origin": cut(wording.origin(notice, words), FIELD)}
