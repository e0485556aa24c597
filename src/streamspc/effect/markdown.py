"""Text that a chat with Markdown shows as it is."""

from __future__ import annotations

import re

_MARKS = re.compile(r"([\\`*_~|\[\]<>#])")
_FENCE = "```"


def escape(text: str) -> str:
    """Names from the data make no links, no formats and, with a joiner behind each `@`, mention nobody."""
    return _MARKS.sub(r"\\\1", text).replace("@", "@\u2060")


def block(text: str) -> str:
    """Lines in a fixed-width font; "" for none."""
    return f"{_FENCE}\n{text}\n{_FENCE}" if text else ""


def link(name: str, address: str) -> str:
    """A link, whatever brackets the address has."""
    return f"[{name}]({address.replace('(', '%28').replace(')', '%29')})"
