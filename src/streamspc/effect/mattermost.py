"""The Mattermost message: one attachment.

Limit of the platform: 16,383 characters of text; longer ones are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamspc.effect import wording
from streamspc.effect.markdown import block, escape, link
from streamspc.effect.picture import picture
from streamspc.effect.shorten import cut, fitted

if TYPE_CHECKING:
    from streamspc.effect.wording import Words
    from streamspc.model import Notice, Rendered, Told

BYTES = 15_000
TITLE, VALUE, LISTED, LINK = 500, 600, 1_500, 1_000  # characters


def render(notice: Notice, words: Words) -> Rendered:
    """The notice as a message."""
    return fitted(notice, lambda shorter: _message(shorter, words), BYTES)


def _message(notice: Notice, words: Words) -> dict[str, Any]:
    resolved = notice.status == "resolved"
    headline = ("✅ " if resolved else "🚨 ") + wording.headline(notice, words)
    alone = notice.told[0] if len(notice.told) == 1 and not notice.more else None
    lines = [block(picture(alone))] if alone else [_among(told, words) for told in notice.told]
    lines += [f"and {notice.more} more"] if notice.more else []
    lines += [" · ".join(link(*place) for place in wording.links(notice.told[0], words) if len(place[1]) <= LINK)]
    attachment: dict[str, Any] = {
        "fallback": cut(escape(headline), TITLE),
        "color": "#2a9d5c" if resolved else "#d1495b",
        "title": cut(escape(headline), TITLE),
        "text": "\n".join(filter(None, lines)),
        "footer": cut(wording.origin(notice, words), TITLE),
    }
    if alone:
        facts = wording.facts(alone, words.spec(alone.signal))
        attachment["fields"] = [{"title": f.label, "value": cut(escape(f.text), VALUE), "short": len(f.text) < 40} for f in facts]
    return {"attachments": [attachment]}


def _among(told: Told, words: Words) -> str:
    spec = words.spec(told.signal)
    return cut(f"**{escape(wording.title(told.signal, spec))}**\n{escape(wording.paragraph(told, spec))}", LISTED)
