"""The Google Chat message: a text for the notification and a card, in the thread of its group.

Limit of the platform: 32,000 bytes. Cards read a few HTML tags; the plain text reads mentions as `<users/...>`.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from streamspc.effect import wording
from streamspc.effect.picture import picture
from streamspc.effect.shorten import cut, fitted

if TYPE_CHECKING:
    from streamspc.effect.wording import Words
    from streamspc.model import Notice, Rendered, Told

BYTES = 30_000
TITLE, TEXT, LINK = 200, 300, 1_500  # characters
THREADED = "messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"  # of the address: without it each message begins a thread


def render(notice: Notice, words: Words) -> Rendered:
    """The notice as a message."""
    return fitted(notice, lambda shorter: _message(shorter, words), BYTES)


def _message(notice: Notice, words: Words) -> dict[str, Any]:
    headline = ("✅ " if notice.status == "resolved" else "🚨 ") + wording.headline(notice, words)
    alone = notice.told[0] if len(notice.told) == 1 and not notice.more else None
    widgets = _facts(alone, words) if alone else [_paragraph(_among(told, words)) for told in notice.told]
    if notice.more:
        widgets.append(_paragraph(f"and {notice.more} more"))
    places = [place for place in wording.links(notice.told[0], words) if len(place[1]) <= LINK]
    if places:
        buttons = [{"text": name, "onClick": {"openLink": {"url": address}}} for name, address in places]
        widgets.append({"buttonList": {"buttons": buttons}})
    header = {"title": cut(headline, TITLE), "subtitle": cut(wording.origin(notice, words), TITLE)}
    return {
        "text": cut(headline.replace("<", "(").replace(">", ")"), TEXT),
        "cardsV2": [{"cardId": notice.id, "card": {"header": header, "sections": [{"widgets": widgets}]}}],
        "thread": {"threadKey": f"{words.app}/{notice.group}"},
    }


def _facts(told: Told, words: Words) -> list[dict[str, Any]]:
    facts = wording.facts(told, words.spec(told.signal))
    widgets: list[dict[str, Any]] = [
        {"decoratedText": {"topLabel": fact.label, "text": escape(cut(fact.text, TEXT)), "wrapText": True}} for fact in facts
    ]
    seen = picture(told)
    return [*widgets, *([_paragraph(seen.replace("\n", "<br>"))] if seen else [])]


def _among(told: Told, words: Words) -> str:
    spec = words.spec(told.signal)
    return f"<b>{escape(cut(wording.title(told.signal, spec), TEXT))}</b><br>{escape(cut(wording.paragraph(told, spec), TEXT))}"


def _paragraph(text: str) -> dict[str, Any]:
    return {"textParagraph": {"text": text}}
