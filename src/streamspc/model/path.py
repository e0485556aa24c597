"""Dotted paths: how configuration names a field of a record, `status` or `flight.delay` or ``request.`user.id` ``.

A segment that holds a dot or a backquote is written between backquotes, a backquote inside it twice. `join` writes the one
canonical text of a path, so that a field has one name however it was written.
"""

from __future__ import annotations

import re

from streamspc.errors import ConfigError

_SEGMENT = re.compile(r"`((?:[^`]|``)+)`|([^.`]+)")


def split(text: str) -> tuple[str, ...]:
    """Segments of a path. Raises ConfigError where one is empty or a backquote has no partner."""
    parts: list[str] = []
    at = 0
    while True:
        found = _SEGMENT.match(text, at)
        if found is None:
            raise ConfigError(f"field path {text!r}, character {at + 1}: expected a name or a `quoted name`")
        parts.append(found[2] if found[1] is None else found[1].replace("``", "`"))
        at = found.end()
        if at == len(text):
            return tuple(parts)
        if text[at] != ".":
            raise ConfigError(f"field path {text!r}, character {at + 1}: expected a dot or the end")
        at += 1


def join(parts: tuple[str, ...]) -> str:
    """Canonical text of a path: `split(join(parts)) == parts`. Segments must not be empty."""
    return ".".join("`" + part.replace("`", "``") + "`" if "." in part or "`" in part else part for part in parts)
