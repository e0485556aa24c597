"""The Discord message: one embed, and nobody is mentioned.

Limits of the platform, in characters: content 2,000; description 4,096; 25 fields with names of 256 and values of 1,024;
footer 2,048; 6,000 in the embed's texts together.
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

CONTENT, DESCRIPTION, VALUE, FOOTER = 1_000, 4_096, 250, 300
LISTED = 480  # characters of each of several episodes
LINK = 400
BYTES = 100_000  # never reached: the bounds above are tighter
GREEN, RED = 0x2A9D5C, 0xD1495B


def render(notice: Notice, words: Words) -> Rendered:
    """The notice as a message."""
    return fitted(notice, lambda shorter: _message(shorter, words), BYTES)


def _message(notice: Notice, words: Words) -> dict[str, Any]:
    resolved = notice.status == "resolved"
    headline = wording.headline(notice, words)
    embed: dict[str, Any] = {
        "color": GREEN if resolved else RED,
        "footer": {"text": cut(wording.origin(notice, words), FOOTER)},
    }
    alone = notice.told[0] if len(notice.told) == 1 and not notice.more else None
    if alone:
        facts = wording.facts(alone, words.spec(alone.signal))
        embed["fields"] = [{"name": fact.label, "value": cut(escape(fact.text), VALUE), "inline": len(fact.text) < 40} for fact in facts]
    lines = [block(picture(alone))] if alone else [_among(told, words) for told in notice.told]
    lines += [f"and {notice.more} more"] if notice.more else []
    lines += [" · ".join(link(*place) for place in wording.links(notice.told[0], words) if len(place[1]) <= LINK)]
    if any(lines):
        embed["description"] = cut("\n".join(filter(None, lines)), DESCRIPTION)
    icon = "✅" if resolved else "🚨"
    return {"content": cut(f"{icon} {escape(headline)}", CONTENT), "allowed_mentions": {"parse": []}, "embeds": [embed]}


def _among(told: Told, words: Words) -> str:
    spec = words.spec(told.signal)
    return cut(f"**{escape(wording.title(told.signal, spec))}**\n{escape(wording.paragraph(told, spec))}", LISTED)
