"""Messages that no service refuses for their size: texts are cut, then episodes are told by their number alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from streamspc.model import Rendered

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamspc.model import Notice

JSON = "application/json"


def cut(text: str, limit: int) -> str:
    """The text, or its beginning and an ellipsis: at most so many UTF-16 units, which is how most services count."""
    if len(text) * 2 <= limit or _units(text) <= limit:
        return text
    kept = text[: limit - 1]
    while _units(kept) > limit - 1:
        kept = kept[:-1]
    return kept + "…"


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def fitted(notice: Notice, make: Callable[[Notice], Any], limit: int, content_type: str = JSON) -> Rendered:
    """The JSON of `make`, with as many of the episodes told as go into `limit` bytes, at least the first one."""
    for count in range(len(notice.told), 0, -1):
        fewer = notice._replace(told=notice.told[:count], more=notice.more + len(notice.told) - count)
        body = msgspec.json.encode(make(fewer))
        if len(body) <= limit:
            break
    return Rendered(body.decode(), content_type)
