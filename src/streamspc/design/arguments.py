"""Checks of arguments: what cannot be is refused with a ValueError that names the argument, what it was, and what it should be.

Each check returns the value as a plain Python number, so that results can be cached by it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def finite(name: str, value: float | str | bytes) -> float:
    """A finite number.

    >>> finite("shift", 1)
    1.0
    """
    try:
        number = None if isinstance(value, str | bytes) else float(value)
    except (TypeError, ValueError):
        number = None
    if number is None:
        raise ValueError(f"{name} is {value!r}: it must be a number")
    if not math.isfinite(number):
        raise ValueError(f"{name} is {number}: it must be finite")
    return number


def positive(name: str, value: float) -> float:
    """A finite number above 0."""
    number = finite(name, value)
    if number <= 0.0:
        raise ValueError(f"{name} is {number:g}: it must be above 0")
    return number


def non_negative(name: str, value: float) -> float:
    """A finite number, 0 or more."""
    number = finite(name, value)
    if number < 0.0:
        raise ValueError(f"{name} is {number:g}: it must not be negative")
    return number


def share(name: str, value: float) -> float:
    """A probability strictly between 0 and 1."""
    number = finite(name, value)
    if not 0.0 < number < 1.0:
        raise ValueError(f"{name} is {number:g}: it must lie between 0 and 1")
    return number


def probability(name: str, value: float) -> float:
    """A probability, 0 and 1 included."""
    number = finite(name, value)
    if not 0.0 <= number <= 1.0:
        raise ValueError(f"{name} is {number:g}: it must be from 0 to 1")
    return number


def weight(name: str, value: float) -> float:
    """The weight of an EWMA: above 0, at most 1."""
    number = finite(name, value)
    if not 0.0 < number <= 1.0:
        raise ValueError(f"{name} is {number:g}: it must be above 0 and at most 1")
    return number


def correlation(name: str, value: float) -> float:
    """A coefficient of a stationary AR(1): strictly between -1 and 1."""
    number = finite(name, value)
    if not -1.0 < number < 1.0:
        raise ValueError(f"{name} is {number:g}: it must lie between -1 and 1, or the series has no stationary law")
    return number


def run_length(name: str, value: float) -> float:
    """A wished average run length: above 1, as no chart signals before its first point."""
    number = finite(name, value)
    if number <= 1.0:
        raise ValueError(f"{name} is {number:g}: an average run length is above 1")
    return number


def whole(name: str, value: float, least: int, most: int | None = None) -> int:
    """A whole number, at least `least` and at most `most`.

    >>> whole("n", 5.0, 2)
    5
    """
    number = finite(name, value)
    if number != int(number):
        raise ValueError(f"{name} is {number:g}: it must be a whole number")
    if number < least:
        raise ValueError(f"{name} is {number:g}: it must be at least {least}")
    if most is not None and number > most:
        raise ValueError(f"{name} is {number:g}: it must be at most {most}")
    return int(number)


def one_of(name: str, value: str, options: Iterable[str]) -> str:
    """One of the words that are known."""
    known = tuple(options)
    if value not in known:
        raise ValueError(f"{name} is {value!r}: it must be one of {', '.join(map(repr, known))}")
    return value


def ordered(low: tuple[str, float], high: tuple[str, float]) -> None:
    """Two named limits, the first strictly below the second."""
    if low[1] >= high[1]:
        raise ValueError(f"{low[0]} is {low[1]:g}, {high[0]} is {high[1]:g}: {low[0]} must be below {high[0]}")
