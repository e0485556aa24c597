"""The stream that the end-to-end tests run on: two hours of orders in three partitions, with every kind of trouble planted."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import numpy as np

PARTITIONS = 3
WINDOWS = 120
BASE = 1_709_632_800_000  # milliseconds: 2024-03-05T10:00Z
SHIFT_OF_FAILED = range(55, 58)  # in the south, a third of the orders fails
SHIFT_OF_AMOUNT = range(71, 76)  # everywhere, amounts rise by a third: long enough for the storm guard
GAP = range(60, 69)  # no records for longer than `max_empty_windows`, and for longer than a partition may run ahead
OUTAGE = range(85, 87)  # no records at all
DRIFT_OF_AMOUNT = range(95, 110)  # in the north, by about one sigma: for CUSUM and EWMA
BACKLOG = (*range(10, 55), *range(70, 80))  # one in five is late: the first one after a restart tells if the watermark was kept
NO_CUSTOMER = range(112, 114)  # in the west
SEGMENTS = {"north": 45, "south": 50, "west": 104, "isle": 3, None: 2}  # records in a window, about

FAILED, TRIED = 'status == "failed"', 'status != "test"'
STREAM: dict[str, Any] = {
    "name": "orders",
    "window": "1m",
    "event_time": {"field": "at", "unit": "ms"},
    "disorder": "5s",
    "lateness": "10s",
    "segment_by": ["region"],
    "min_records": 20,
    "max_open_windows": 6,
    "max_empty_windows": 3,
    "clock": "log",
    "baseline": {"windows": 40, "screen": 3.5},
    "episodes": {"quiet": 2, "refractory": 12},
    "charts": {"shewhart": {"limit": 3}, "cusum": {"h": 5}, "ewma": {"limit": 2.85934}},
    "metrics": [
        {"name": "volume", "kind": "count", "direction": "down", "min_effect": "50 %"},
        {"name": "amount", "kind": "mean", "field": "amount", "signal_by": ["shewhart", "cusum", "ewma"], "min_effect": "0.2 sigma"},
        {"name": "spread", "kind": "sd", "field": "amount", "signal_by": []},
        {"name": "failed", "kind": "proportion", "where": FAILED, "of": TRIED, "direction": "up", "min_effect": "5 pp"},
        {"name": "no_customer", "kind": "null_rate", "field": "customer.id", "direction": "up", "min_effect": "2 pp"},
        {"name": "median", "kind": "quantile", "field": "amount", "q": 0.5, "signal_by": []},
        {"name": "p90", "kind": "quantile", "field": "amount", "q": 0.9, "signal_by": []},
        {"name": "delivery", "kind": "lag", "direction": "up", "min_effect": 0.2},
    ],
    "judge_by": [
        {"metric": "failed", "charts": ["shewhart", "cusum"], "segments": ["north", "south", "west"]},
        {"metric": "amount", "segments": ["*"]},
        {"metric": "no_customer"},
    ],
    "gate": {"storm": {"max_share": 0.5, "windows": 3}},
}  # fmt: skip

Headers = list[tuple[str, bytes | None]]
HEADERS: list[Headers] = [
    [("trace", b"\x00\xff4bf92f"), ("empty", b""), ("null", None)],
    [("twice", b"1"), ("twice", b"2")],
    [("__connect.errors.topic", b"of an earlier life"), ("ünïcode", "ü".encode())],
]


class Produced(NamedTuple):
    """A record on its way to a partition; `arrived` is its Kafka timestamp in milliseconds."""

    arrived: int
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers


def orders(seed: int = 7) -> list[Produced]:
    """All records in the order of arrival."""
    rng = np.random.default_rng(seed)
    made = [_order(rng, window, segment) for window in range(WINDOWS) if window not in (*OUTAGE, *GAP) for segment in _segments(rng)]
    made += [_order(rng, window, "south", late=True) for window in BACKLOG for _ in range(60)]
    made += [_trouble(rng, kind) for kind in range(len(TROUBLE)) for _ in range(12)]
    made += [one for window in range(10, 30) for one in _edge(rng, window, 15_000 - window % 2)]
    return sorted(made, key=lambda one: one.arrived)


def _segments(rng: np.random.Generator) -> list[str | None]:
    """Regions of the orders of one window."""
    spread = {"north": 6, "south": 6, "west": 9, "isle": 2, None: 2}
    return [name for name, about in SEGMENTS.items() for _ in range(about + int(rng.integers(-spread[name], spread[name] + 1)))]


def _order(rng: np.random.Generator, window: int, region: str | None, *, late: bool = False) -> Produced:
    at = BASE + 60_000 * window + int(rng.integers(60_000))
    late = late or bool(rng.random() < 0.01)
    delay = int(rng.integers(80_000, 200_000)) if late else int(rng.gamma(2.0, 600.0)) % 4_900
    found: dict[str, Any] = {"at": at, "region": region, "amount": _amount(rng, window, region), "status": _status(rng, window, region)}
    lost = 0.4 if window in NO_CUSTOMER and region == "west" else 0.02
    found["customer"] = None if rng.random() < lost / 2 else {"id": None if rng.random() < lost / 2 else int(rng.integers(1_000_000))}
    if rng.random() < 0.05:
        found["nöte"] = ["ignored", {"amount": "not this one"}]
    if found["region"] is None:
        del found["region"]
    value = json.dumps(found, ensure_ascii=bool(rng.random() < 0.5), separators=(",", ":") if rng.random() < 0.5 else None).encode()
    return Produced(at + delay, int(rng.integers(PARTITIONS)), _key(rng), value, _headers(rng))


def _edge(rng: np.random.Generator, window: int, after: int) -> tuple[Produced, Produced]:
    """The newest record of a partition so far, and with it one of the window before: late from 15,000 ms on, and not before."""
    arrived, partition = BASE + 60_000 * window + after, int(rng.integers(PARTITIONS))
    values = (b'{"at": %d, "region": "south", "amount": 50}' % at for at in (arrived, BASE + 60_000 * window - 1))
    first, second = (Produced(arrived, partition, _key(rng), value, []) for value in values)
    return first, second


def _amount(rng: np.random.Generator, window: int, region: str | None) -> float | int | None:
    if rng.random() < 0.02:
        return None
    amount = rng.gamma(4.0, 12.5) * (1.35 if window in SHIFT_OF_AMOUNT else 1.0)
    if window in DRIFT_OF_AMOUNT and region == "north":
        amount += 4.0
    return int(amount) if rng.random() < 0.1 else round(float(amount), 2)


def _status(rng: np.random.Generator, window: int, region: str | None) -> str | None:
    draw = rng.random()
    if draw < 0.03:
        return None if draw < 0.01 else "test"
    failing = 0.35 if window in SHIFT_OF_FAILED and region == "south" else 0.02
    return "failed" if rng.random() < failing else "paid"


TROUBLE = (
    b'{"at": 1709640000000, "amount": ',  # cut off
    b"",
    b"[1, 2]",
    b'{"at": 1709640000000, "status": "\xff"}',
    b'{"at": 1709640000000, "amount": "12"}',
    b'{"at": 1709640000000, "status": 7}',
    b'{"at": 1709640000000, "customer": "me"}',
    b'{"at": 1709640000000, "amount": 1e200}',
    b'{"amount": 12}',
    b'{"at": null, "amount": 12}',
    b'{"at": 1e300}',
    b'{"at": 1709999999000, "amount": 12}',  # days ahead of its arrival
    None,
)


def _trouble(rng: np.random.Generator, kind: int) -> Produced:
    arrived = BASE + int(rng.integers(60_000 * WINDOWS))
    return Produced(arrived, int(rng.integers(PARTITIONS)), _key(rng), TROUBLE[kind], _headers(rng))


def _key(rng: np.random.Generator) -> bytes | None:
    draw = rng.random()
    return None if draw < 0.1 else b"" if draw < 0.15 else b"order-%d" % rng.integers(1_000_000_000)


def _headers(rng: np.random.Generator) -> Headers:
    return HEADERS[int(rng.integers(len(HEADERS)))] if rng.random() < 0.1 else []
