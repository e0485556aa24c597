"""The Slack message: Block Kit, with a text for notifications and for clients without blocks.

Limits of the platform: 50 blocks, 150 characters a header, 10 fields of 2,000 characters or one text of 3,000 a section. A notice
lists at most eight signals, so a message has at most eleven blocks; texts are cut where a name from the data is long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from streamspc.effect import wording
from streamspc.model import Rendered

if TYPE_CHECKING:
    from streamspc.model import Notice, Signal, StreamSpec

HEADER, FIELD, SECTION = 150, 2_000, 3_000  # characters
FIELDS = 10


def render(notice: Notice, spec: StreamSpec | None, page: str) -> Rendered:
    """The notice as a message. `page` is where people look closer, "" when there is no such place."""
    headline = ("✅ " if notice.status == "resolved" else "🚨 ") + wording.headline(notice, spec)
    blocks: list[dict[str, Any]] = [{"type": "header", "text": {"type": "plain_text", "text": _cut(headline, HEADER), "emoji": False}}]
    if len(notice.signals) == 1 and not notice.more:
        blocks.append({"type": "section", "fields": _fields(notice.signals[0], spec)})
    else:
        blocks += [_section(_paragraph(signal, spec)) for signal in notice.signals]
    if notice.more:
        blocks.append(_section(f"and {notice.more} more"))
    blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": _cut(_origin(notice, page), FIELD)}]})
    text = _cut(escape(headline), SECTION)
    return Rendered(msgspec.json.encode({"text": text, "blocks": blocks}).decode(), "application/json")


def escape(text: str) -> str:
    """Text that Slack shows as it is: a name from the data mentions nobody and makes no link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _fields(signal: Signal, spec: StreamSpec | None) -> list[dict[str, str]]:
    facts = wording.facts(signal, spec)[:FIELDS]
    return [{"type": "mrkdwn", "text": _cut(f"*{fact.label}*\n{escape(fact.text)}", FIELD)} for fact in facts]


def _paragraph(signal: Signal, spec: StreamSpec | None) -> str:
    facts = {fact.label: fact.text for fact in wording.facts(signal, spec)}
    told = [facts[label] for label in ("Value", "Metrics", "Limits", "Since", "Lasted", "Action") if label in facts]
    return f"*{escape(wording.title(signal, spec))}*\n{escape('; '.join(told))}"


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": _cut(text, SECTION)}}


def _origin(notice: Notice, page: str) -> str:
    named = [signal.episode for signal in notice.signals if signal.episode]
    parts = [f"streamspc, {escape(notice.stream)}", *([f"episode {escape(', '.join(named))}"] if named else []), f"message {notice.id}"]
    return " · ".join(parts + ([f"<{page}|look closer>"] if page else []))


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
