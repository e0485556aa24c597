"""The Slack message: Block Kit, with a text for notifications and for clients without blocks.

Limits of the platform: 50 blocks, 150 characters a header, 10 fields of 2,000 characters or one text of 3,000 a section, and about
13,000 characters in all, above which it answers `msg_blocks_too_long`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamspc.effect import wording
from streamspc.effect.picture import picture
from streamspc.effect.shorten import cut, fitted

if TYPE_CHECKING:
    from streamspc.effect.wording import Words
    from streamspc.model import Notice, Rendered, Told

HEADER, FIELD, SECTION, TEXT = 150, 500, 3_000, 500  # characters
BYTES = 12_000
LINK = 500  # characters of an address; a longer one is left out, for half of it leads nowhere


def render(notice: Notice, words: Words) -> Rendered:
    """The notice as a message."""
    return fitted(notice, lambda shorter: _message(shorter, words), BYTES)


def _message(notice: Notice, words: Words) -> dict[str, Any]:
    headline = ("✅ " if notice.status == "resolved" else "🚨 ") + wording.headline(notice, words)
    blocks: list[dict[str, Any]] = [{"type": "header", "text": {"type": "plain_text", "text": cut(headline, HEADER), "emoji": False}}]
    if len(notice.told) == 1 and not notice.more:
        blocks += _alone(notice.told[0], words)
    else:
        blocks += [_section(_among(told, words)) for told in notice.told]
    if notice.more:
        blocks.append(_section(f"and {notice.more} more"))
    blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": cut(_origin(notice, words), FIELD)}]})
    return {"text": cut(escape(headline), TEXT), "blocks": blocks}


def escape(text: str) -> str:
    """Text that Slack shows as it is: a name from the data mentions nobody and makes no link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _alone(told: Told, words: Words) -> list[dict[str, Any]]:
    facts = wording.facts(told, words.spec(told.signal))
    fields = [{"type": "mrkdwn", "text": cut(f"*{fact.label}*\n{escape(fact.text)}", FIELD)} for fact in facts]
    seen = picture(told)
    return [{"type": "section", "fields": fields}, *([_section(f"```{seen}```")] if seen else [])]


def _among(told: Told, words: Words) -> str:
    spec = words.spec(told.signal)
    return f"*{escape(wording.title(told.signal, spec))}*\n{escape(wording.paragraph(told, spec))}"


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": cut(text, SECTION)}}


def _origin(notice: Notice, words: Words) -> str:
    places = [f"<{address}|{name}>" for name, address in wording.links(notice.told[0], words) if len(address) <= LINK]
    return " · ".join([*places, escape(wording.origin(notice, words))])
