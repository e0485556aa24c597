"""The Microsoft Teams message: an Adaptive Card for the address of a workflow; the older connectors are gone.

Limit of the platform: 28 KB. It answers 202 as it takes a message, which does not prove that anybody sees it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamspc.effect import wording
from streamspc.effect.markdown import escape
from streamspc.effect.picture import picture
from streamspc.effect.shorten import cut, fitted

if TYPE_CHECKING:
    from streamspc.effect.wording import Words
    from streamspc.model import Notice, Rendered, Told

BYTES = 27_000
TEXT, FACT, LINK = 600, 400, 1_000  # characters


def render(notice: Notice, words: Words) -> Rendered:
    """The notice as a card."""
    return fitted(notice, lambda shorter: _message(shorter, words), BYTES)


def _message(notice: Notice, words: Words) -> dict[str, Any]:
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": cut(wording.headline(notice, words), TEXT),
        "msteams": {"width": "Full"},
        "body": _body(notice, words),
        "actions": [
            {"type": "Action.OpenUrl", "title": name, "url": address}
            for name, address in wording.links(notice.told[0], words)
            if len(address) <= LINK
        ],
    }
    return {
        "type": "message",
        "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}],
    }


def _body(notice: Notice, words: Words) -> list[dict[str, Any]]:
    resolved = notice.status == "resolved"
    headline = ("✅ " if resolved else "🚨 ") + escape(wording.headline(notice, words))
    body = [_text(headline, size="Large", weight="Bolder", color="Good" if resolved else "Attention")]
    if len(notice.told) == 1 and not notice.more:
        body += _alone(notice.told[0], words)
    else:
        for told in notice.told:
            spec = words.spec(told.signal)
            body.append(_text(escape(wording.title(told.signal, spec)), weight="Bolder", separator=True))
            body.append(_text(escape(wording.paragraph(told, spec))))
    if notice.more:
        body.append(_text(f"and {notice.more} more", separator=True))
    return [*body, _text(escape(wording.origin(notice, words)), isSubtle=True, size="Small")]


def _alone(told: Told, words: Words) -> list[dict[str, Any]]:
    facts = wording.facts(told, words.spec(told.signal))
    listed = {"type": "FactSet", "facts": [{"title": fact.label, "value": cut(escape(fact.text), FACT)} for fact in facts]}
    return [listed, *[_text(line, fontType="Monospace", spacing="None") for line in picture(told).splitlines()]]


def _text(text: str, **how: object) -> dict[str, Any]:
    return {"type": "TextBlock", "text": cut(text, TEXT), "wrap": True, **how}
