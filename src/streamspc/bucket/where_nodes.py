"""The tree of a `where` expression, and the error that points at a place in its text."""

from __future__ import annotations

from dataclasses import dataclass

from streamspc.errors import ConfigError

_SHOWN = 60  # characters of the text on each side of a fault


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, text, flag or null."""

    at: int
    value: float | str | bool | None


@dataclass(frozen=True, slots=True)
class Field:
    """A field by its canonical path."""

    at: int
    path: str


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`left op right`, with op one of + - * / %."""

    at: int
    op: str
    left: Value
    right: Value


@dataclass(frozen=True, slots=True)
class Compare:
    """`left op right`, with op one of == != < <= > >=."""

    at: int
    op: str
    left: Value
    right: Value


@dataclass(frozen=True, slots=True)
class Among:
    """`operand in (...)`, or `not in`."""

    at: int
    operand: Value
    members: tuple[Literal, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class IsNull:
    """`operand is null`, or `is not null`."""

    at: int
    operand: Value
    negated: bool


@dataclass(frozen=True, slots=True)
class Logic:
    """Two or more conditions with `and` between them, or `or`."""

    at: int
    op: str
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """`not operand`."""

    at: int
    operand: Condition


Value = Literal | Field | Arithmetic
Condition = Compare | Among | IsNull | Logic | Not
Node = Value | Condition


def fault(text: str, at: int, problem: str) -> ConfigError:
    """An error that shows where in the text, what is wrong, and (in `problem`) what was expected."""
    low, high = max(0, at - _SHOWN), min(len(text), at + _SHOWN)
    line = "".join(" " if character.isspace() else character for character in text[low:high])
    return ConfigError(f"where, character {at + 1}: {problem}\n  {line}\n  {' ' * (at - low)}^")
