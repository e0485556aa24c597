"""Alerts for Alertmanager (API v2): an episode is an alert for as long as it is open, said again and again.

Labels identify an alert, so they are the series and nothing that changes on the way: what is measured is in annotations. An alert that
is not said again ends by itself after `VALID`: a streamspc that is dead leaves no alert behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from streamspc.effect import times, wording
from streamspc.effect.picture import picture
from streamspc.effect.shorten import JSON, cut
from streamspc.model import Rendered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamspc.effect.wording import Words
    from streamspc.model import Told

PATH = "/api/v2/alerts"
VALID = 300_000_000  # microseconds
EACH = 250  # alerts a request
LABEL, TEXT, LINK = 500, 2_000, 2_000  # characters


def render(told: Sequence[Told], words: Words, now: int) -> list[Rendered]:
    """The alerts of these episodes at `now` (microseconds), in requests of a size that is taken."""
    chunks = [told[at : at + EACH] for at in range(0, len(told), EACH)]
    return [Rendered(msgspec.json.encode([_alert(one, words, now) for one in chunk]).decode(), JSON) for chunk in chunks]


def _alert(told: Told, words: Words, now: int) -> dict[str, Any]:
    signal, labels = told.signal, told.labels
    begun = min(signal.opened or signal.start, now)
    over = signal.kind == "resolve"
    named = {
        "alertname": "SpcStreamSilent" if signal.kind == "gap" else "SpcLevelShift" if signal.awaiting else "SpcOutOfControl",
        "stream": signal.stream,
        "metric": signal.metric,
        "segment": wording.plain(signal.segment),
        "severity": labels.severity,
        "owner": labels.owner,
    }
    alert = {
        "labels": {name: cut(value, LABEL) for name, value in named.items() if value},
        "annotations": _annotations(told, words),
        "startsAt": _instant(begun),
        "endsAt": _instant(max(begun, min(signal.end, now)) if over else now + VALID),
    }
    return alert | ({"generatorURL": words.links.page} if words.links.page else {})


def _annotations(told: Told, words: Words) -> dict[str, str]:
    spec = words.spec(told.signal)
    facts = "\n".join(f"{fact.label}: {fact.text}" for fact in wording.facts(told, spec))
    found = {"summary": cut(wording.title(told.signal, spec), TEXT), "description": cut(facts, TEXT), "picture": picture(told)}
    places = {name.lower(): address for name, address in wording.links(told, words) if len(address) <= LINK}
    if "runbook" in places:
        places["runbook_url"] = places.pop("runbook")
    return {name: value for name, value in (found | places).items() if value}


def _instant(at: int) -> str:
    return times.moment(at, None).isoformat(timespec="milliseconds").replace("+00:00", "Z")
