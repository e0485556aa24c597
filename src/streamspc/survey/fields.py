"""The fields of a sample: how often they are there, what they are, and how they behave."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from streamspc.model.path import join

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DEEP = 4  # levels of objects that are looked into
MOSTLY = 0.95
MANY = 1000  # distinct texts that are counted; more are many


@dataclass(slots=True)
class Field:
    """One dotted path. `numbers` and `texts` are in the order of the records, as (record, value)."""

    path: str
    present: int = 0
    null: int = 0
    flags: Counter[bool] = field(default_factory=Counter)
    numbers: list[tuple[int, float]] = field(default_factory=list)
    whole: int = 0  # numbers that are integers
    texts: list[tuple[int, str]] = field(default_factory=list)
    other: int = 0  # lists and objects too deep

    @property
    def kind(self) -> str:
        """number, text, flag or other: what nearly all values are, for a few bad records must not hide a field. Else mixed, or nothing."""
        sizes = {"number": len(self.numbers), "text": len(self.texts), "flag": self.flags.total(), "other": self.other}
        most = max(sizes, key=sizes.__getitem__)
        total = sum(sizes.values())
        return "nothing" if not total else most if sizes[most] >= MOSTLY * total else "mixed"

    def distinct(self) -> Counter[str]:
        """How often each text comes, up to MANY of them."""
        found: Counter[str] = Counter()
        for _, text in self.texts:
            if text in found or len(found) < MANY:
                found[text] += 1
        return found

    def grows(self) -> bool:
        """Do new texts go on coming? Then they are keys, or their number has no bound that the sample shows."""
        half = len(self.texts) // 2
        first, second = ({text for _, text in part} for part in (self.texts[:half], self.texts[half:]))
        return len(second - first) > max(1.0, 0.05 * len(first))

    def counts_up(self) -> bool:
        """Is it a number of its record: whole, never twice, and rising or with nearly as many values as records?"""
        values = [value for _, value in self.numbers]
        return self.whole == len(values) > 10 and len(set(values)) > 0.9 * len(values) and max(values) - min(values) >= len(values) - 1

    def quantiles(self, *shares: float) -> list[float]:
        """Of the numbers; a few absurd ones move none of them."""
        values = sorted(value for _, value in self.numbers)
        return [values[round(share * (len(values) - 1))] for share in shares]

    def spread(self) -> tuple[float, float]:
        """Median, and the standard deviation of a normal law with the same quartiles."""
        low, middle, high = self.quantiles(0.25, 0.5, 0.75)
        return middle, (high - low) / 1.349

    def varies(self) -> bool:
        """Is it not always the same number?"""
        least, most = self.quantiles(0.0, 1.0)
        return least < most

    def tail(self) -> float:
        """How much farther the 99th percentile lies from the median than the first one does; 1 where the law is symmetric."""
        low, middle, high = self.quantiles(0.01, 0.5, 0.99)
        return (high - middle) / (middle - low) if middle > low else math.inf if high > middle else 1.0


def survey(records: Sequence[dict[str, Any]]) -> dict[str, Field]:
    """All fields of these records, in the order in which they first come."""
    found: dict[str, Field] = {}
    for at, record in enumerate(records):
        for path, value in _leaves(record, ()):
            name = join(path)
            _add(found.setdefault(name, Field(name)), at, value)
    return found


def _leaves(value: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, inner in value.items():
        if not name:
            continue  # no path can name it
        if isinstance(inner, dict) and len(path) + 1 < DEEP:
            yield from _leaves(inner, (*path, name))
        else:
            yield (*path, name), inner


def _add(one: Field, at: int, value: Any) -> None:
    one.present += 1
    match value:
        case None:
            one.null += 1
        case bool():
            one.flags[value] += 1
        case int() | float():
            one.numbers.append((at, float(value)))
            one.whole += float(value).is_integer()
        case str():
            one.texts.append((at, value))
        case _:
            one.other += 1
