"""Event time of records in microseconds, from a field or from Kafka's timestamp."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from streamspc.admit import iso8601
from streamspc.errors import BadRecord, Reason
from streamspc.model import Floats, Ints

if TYPE_CHECKING:
    from collections.abc import Iterable

FIRST = -62_135_596_800_000_000  # 0001-01-01T00:00:00Z
LAST = 253_402_300_799_999_999  # 9999-12-31T23:59:59.999999Z
SCALE = {"s": 1_000_000, "ms": 1_000, "us": 1}
_EXACT = 2.0**53  # below it, integers are doubles and products of integers are exact

Faults = dict[int, BadRecord]


def kafka_time(timestamps: Ints) -> Ints:
    """Kafka's milliseconds as microseconds; -1 where Kafka has none, at most the last instant of the year 9999 and a millisecond."""
    return np.where(timestamps < 0, -1, np.clip(timestamps, 0, LAST // 1000 + 1) * 1000)


def from_kafka(kafka: Ints) -> tuple[Ints, Faults]:
    """Event time that is Kafka's timestamp (microseconds as `kafka_time` gives them), and what is wrong by position."""
    faults = _missing(np.flatnonzero(kafka < 0), "the record has no Kafka timestamp")
    return kafka, faults | _outside(kafka)


def from_field(raw: list[Any], unit: str) -> tuple[Ints, Faults]:
    """Event times of a field's values in `unit` (texts for iso8601, else integers and floats), and what is wrong by position."""
    if unit != "iso8601" and (whole := _integers(raw, SCALE[unit])) is not None:
        return whole, {}
    missing = [at for at, value in enumerate(raw) if value is None] if None in raw else []
    faults = _missing(missing, "null or missing")
    if unit == "iso8601":
        texts = ["" if value is None else value for value in raw] if missing else raw
        times, read = iso8601.parse(texts)
        for at in np.flatnonzero(~read):
            shown = f"{raw[at]!r:.60}"
            faults.setdefault(int(at), BadRecord(Reason.BAD_EVENT_TIME, f"{shown}: expected date, time and zone, as 2013-02-08T05:15:00Z"))
    else:
        times = _scaled(raw, SCALE[unit])
    return times, _outside(times) | faults


def _integers(raw: list[Any], scale: int) -> Ints | None:
    """Microseconds, where all are integers within the years 1 to 9999; else None."""
    if set(map(type, raw)) != {int}:
        return None
    try:
        whole = np.fromiter(raw, dtype=np.int64, count=len(raw))
    except OverflowError:
        return None
    return whole * scale if FIRST // scale < whole.min() and whole.max() < LAST // scale else None


def _scaled(raw: list[Any], scale: int) -> Ints:
    """Microseconds, 0 for None, anything outside the years 1 to 9999 for what does not fit."""
    with np.errstate(over="ignore"):
        product = np.floor(numbers(raw) * scale)
    exact = np.abs(product) < _EXACT
    times = np.where(exact, product, 0).astype(np.int64)
    for at in np.flatnonzero(~exact):
        value = raw[at]
        if value is not None:
            micros = value * scale if isinstance(value, int) else _floor(value * scale)
            times[at] = min(max(micros, FIRST - 1), LAST + 1)
    return times


def _floor(value: float) -> int:
    return math.floor(value) if math.isfinite(value) else LAST + 1


def numbers(raw: list[Any]) -> Floats:
    """Numbers as doubles: nan for None, infinite where an integer is beyond them."""
    try:
        return np.array(raw, dtype=np.float64)
    except OverflowError:
        return np.array([math.inf if isinstance(value, int) and abs(value) >= 2**1023 else value for value in raw], dtype=np.float64)


def _missing(positions: Iterable[int], detail: str) -> Faults:
    return {int(at): BadRecord(Reason.NO_EVENT_TIME, detail) for at in positions}


def _outside(times: Ints) -> Faults:
    outside = np.flatnonzero((times < FIRST) | (times > LAST))
    return {int(at): BadRecord(Reason.BAD_EVENT_TIME, "outside of the years 1 to 9999") for at in outside}
