"""What differs between two semantic configurations."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from streamspc.model import Semantics

_ABSENT = "(absent)"


def difference(a: Semantics, b: Semantics) -> list[str]:
    """One line for each difference, `path: value in a -> value in b`; empty exactly when the hashes agree."""
    return _compare("", msgspec.to_builtins(a), msgspec.to_builtins(b))


def _compare(path: str, a: object, b: object) -> list[str]:
    """Differences of two values at a path."""
    if isinstance(a, dict) and isinstance(b, dict):
        return [line for key in {**a, **b} for line in _compare(f"{path}.{key}" if path else key, a.get(key, _ABSENT), b.get(key, _ABSENT))]
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        left, right = _named(a), _named(b)
        if left is None or right is None:
            return [] if a == b else [f"{path}: {_text(a)} -> {_text(b)}"]
        lines = [
            line for name in {**left, **right} for line in _compare(f"{path}[{name}]", left.get(name, _ABSENT), right.get(name, _ABSENT))
        ]
        if not lines and list(left) != list(right):
            lines = [f"{path}: in the order {', '.join(left)} -> {', '.join(right)}"]
        return lines
    return [] if a == b and type(a) is type(b) else [f"{path}: {_text(a)} -> {_text(b)}"]


def _named(items: Sequence[object]) -> dict[str, object] | None:
    """Items by their name (metrics of `judge_by` by theirs); None where they have none."""
    named: dict[str, object] = {}
    for item in items:
        name = item.get("name", item.get("metric")) if isinstance(item, dict) else None
        if not isinstance(name, str):
            return None
        named[name] = item
    return named if len(named) == len(items) else None


def _text(value: object) -> str:
    """A value as JSON; of a whole stream or metric only that it is there."""
    if value is _ABSENT:
        return _ABSENT
    return "(present)" if isinstance(value, dict) and "name" in value else msgspec.json.encode(value).decode()
