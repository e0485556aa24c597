"""The oracle's first half: records to windows to statistics, one record and one window at a time, with numpy alone.

It imports nothing of the program, nor does it share its shape: plain loops over the records of each source partition in the order of
their offsets. It knows the stream of `orders`: windows of one minute in UTC, so that a window is a division.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

MINUTE = 60_000_000  # microseconds
WHOLE = "*"
RAW = 64  # a quantile of at most so many values is exact, of more it is within 1 %


class Record(NamedTuple):
    """A record as it is in a topic. The timestamp is in milliseconds."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


@dataclass
class Seen:
    """A record and what the oracle makes of it. `reason` is empty for one that was admitted."""

    record: Record
    reason: str = ""
    at: int = 0
    segment: str = ""
    late: bool = False
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def start(self) -> int:
        """Start of its window."""
        return self.at // MINUTE * MINUTE


class Statistic(NamedTuple):
    """What a window says of one metric and segment. The variance within the window is unit / n + extra."""

    value: float
    n: int
    unit: float = 0.0
    exact: bool = True
    beside: tuple[float, float] = (math.nan, math.nan)  # of a quantile: the two values that its rank is between


def see(record: Record, max_future: int) -> Seen:
    """Decode one record, or say why not."""
    if record.value is None:
        return Seen(record, "tombstone")
    try:
        found = json.loads(record.value.decode())
    except ValueError:
        found = None
    if not isinstance(found, dict):
        return Seen(record, "undecodable")
    reason, at = _fault(found) or _untimely(found, record.timestamp * 1000 + max_future)
    if reason:
        return Seen(record, reason)
    region = found.get("region")
    found["customer"] = (found.get("customer") or {}).get("id")
    found["lag"] = (record.timestamp * 1000 - at) / 1e6
    return Seen(record, "", at, "∅" if region is None else region, fields=found)


def _fault(found: dict[str, Any]) -> tuple[str, int] | None:
    """A field that is not what its uses need."""
    amount, numeric = found.get("amount"), all(_number(found.get(name)) for name in ("amount", "at"))
    if not (numeric and isinstance(found.get("status"), str | None) and isinstance(found.get("customer"), dict | None)):
        return "wrong_type", 0
    return ("number_out_of_range", 0) if amount is not None and abs(amount) > 2.0**500 else None


def _untimely(found: dict[str, Any], latest: int) -> tuple[str, int]:
    """What is wrong with the event time, if anything, and the event time."""
    if found.get("at") is None:
        return "no_event_time", 0
    at = math.floor(found["at"] * 1000)
    if not -62_135_596_800_000_000 <= at <= 253_402_300_799_999_999:
        return "bad_event_time", 0
    return "future" if at > latest else "", at


def _number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def mark_late(seen: list[Seen], disorder: int, lateness: int) -> None:
    """Late is what comes after its window closed by the watermark of its own partition. `seen` is in the order of offsets."""
    newest: dict[int, int] = {}
    for one in seen:
        if not one.reason:
            partition = one.record.partition
            newest[partition] = max(one.at, newest.get(partition, one.at))
            one.late = one.start + MINUTE <= newest[partition] - disorder - lateness


def windows(seen: list[Seen]) -> dict[int, list[Seen]]:
    """Records of every window from the first to the last one with records, the empty ones between them too."""
    inside = [one for one in seen if not one.reason and not one.late]
    starts = [one.start for one in inside]
    held: dict[int, list[Seen]] = {start: [] for start in range(min(starts), max(starts) + 1, MINUTE)}
    for one in inside:
        held[one.start].append(one)
    return held


def without_silence(held: dict[int, list[Seen]], most: int) -> tuple[dict[int, list[Seen]], set[int]]:
    """Of each run of empty windows the first `most`, and one more that stands for the rest: the starts of those are gaps."""
    kept: dict[int, list[Seen]] = {}
    gaps: set[int] = set()
    empties = 0
    for start, inside in held.items():
        empties = 0 if inside else empties + 1
        if empties <= most + 1:
            kept[start] = inside
        if empties == most + 1:
            gaps.add(start)
    return kept, gaps


def statistic(metric: dict[str, Any], rows: list[Seen]) -> Statistic:
    """One metric of the records of one window and segment."""
    kind = metric["kind"]
    if kind == "count":
        return Statistic(float(len(rows)), len(rows))
    if kind in {"proportion", "null_rate"}:
        hits, n = shares(kind, rows)
        p = hits / n if n else math.nan
        return Statistic(p, n, p * (1 - p) if n else 0.0)
    values = numbers(metric, rows)
    return _quantile(values, metric["q"]) if kind == "quantile" else _moments(values, kind)


def shares(kind: str, rows: list[Seen]) -> tuple[int, int]:
    """Hits, and of how many."""
    if kind == "null_rate":
        return sum(one.fields["customer"] is None for one in rows), len(rows)
    states = [one.fields.get("status") for one in rows]  # status == "failed" of status != "test"; a comparison with null is false
    return states.count("failed"), sum(state is not None and state != "test" for state in states)


def numbers(metric: dict[str, Any], rows: list[Seen]) -> np.ndarray:
    """Values of the metric's field, or the lag, that are not null."""
    found = [one.fields.get(metric.get("field", "lag")) for one in rows]
    return np.array([value for value in found if value is not None], float)


def _moments(values: np.ndarray, kind: str) -> Statistic:
    n = len(values)
    variance = float(np.var(values, ddof=1)) if n > 1 else math.nan
    unit = 0.0 if n < 2 else variance
    if kind == "sd":
        return Statistic(math.sqrt(variance) if n > 1 else math.nan, n, unit / 2)
    return Statistic(math.fsum(values) / n if n else math.nan, n, unit)


def _quantile(values: np.ndarray, q: float) -> Statistic:
    """Type 7, where ten values or more lie beyond it on average; Hall and Sheather's bandwidth for the density there."""
    n = len(values)
    if n * min(q, 1 - q) < 10 - 1e-6:
        return Statistic(math.nan, n, exact=n <= RAW)
    z = NormalDist().inv_cdf(q)
    density = NormalDist().pdf(z)
    h = n ** (-1 / 3) * NormalDist().inv_cdf(0.975) ** (2 / 3) * (1.5 * density**2 / (2 * z * z + 1)) ** (1 / 3)
    h = min(h, min(q, 1 - q) / 2)
    low, middle, high = (float(np.quantile(values, p)) for p in (q - h, q, q + h))
    beside = tuple(float(np.quantile(values, q, method=method)) for method in ("lower", "higher"))
    return Statistic(middle, n, q * (1 - q) * ((high - low) / (2 * h)) ** 2, n <= RAW, (beside[0], beside[1]))
