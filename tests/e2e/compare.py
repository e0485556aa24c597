"""The oracle's words and the program's, side by side."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from e2e.oracle_charts import NAN, Point
from e2e.oracle_windows import MINUTE
from streamspc.model import Signal

if TYPE_CHECKING:
    from e2e.oracle import Foreseen, Rejected, Way
    from e2e.oracle_windows import Record, Statistic
    from e2e.outcome import Outcome
    from e2e.stage import Delivery
    from streamspc.model import Points, Span

NUMBERS = ("centre", "sigma", "lcl", "ucl", "z", "cusum_up", "cusum_down", "ewma", "ewma_limit")
CHARTS = ("shewhart", "cusum", "ewma")
SIDES = {1: "up", -1: "down"}


def close(found: float | None, expected: float, scale: float = 0.0) -> bool:
    """Equal to 1e-9, relative or of the scale; both missing is equal too."""
    found = NAN if found is None else found
    if math.isnan(expected) or math.isnan(found):
        return math.isnan(expected) and math.isnan(found)
    return math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9 * scale)


def series(points: Points) -> Iterator[tuple[str, str, tuple[int, int]]]:
    """Metric, segment and place of every series of these points."""
    for m, metric in enumerate(points.metrics):
        for s, segment in enumerate(points.segments):
            yield metric, segment, (m, s)


def differs(points: Points, at: tuple[int, int], expected: Point) -> list[str]:
    """Fields of one point that are not as the oracle has them."""
    scale = dict.fromkeys(NUMBERS, 1.0) | dict.fromkeys(("centre", "sigma", "lcl", "ucl"), abs(expected.centre))
    wrong = [name for name in NUMBERS if not close(float(getattr(points, name)[at]), getattr(expected, name), scale[name])]
    broken = sum(1 << CHARTS.index(chart) for chart in expected.charts)
    told = {"broken": broken, "side": expected.side, "onset_lag": expected.lag, "version": int(expected.judged)}
    return wrong + [name for name, value in told.items() if int(getattr(points, name)[at]) != value]


def expected_signals(foreseen: Foreseen) -> dict[tuple[str, str, int], dict[str, Any]]:
    """Every signal that has to be there, by metric, segment and window, with all that it says but the name of its episode."""
    found: dict[tuple[str, str, int], dict[str, Any]] = {}
    for (metric, segment), told in foreseen.episodes.items():
        for one in told:
            point = foreseen.points[metric, segment][one.at - foreseen.first[segment]]
            found[metric, segment, one.at] = {
                "kind": one.kind,
                "charts": point.charts,
                "side": SIDES[one.side],
                "opened": foreseen.starts[one.opened],
                "onset": foreseen.starts[one.onset],
                "windows": one.windows,
                "n": point.n,
                "muted": one.muted,
                "end": foreseen.starts[one.at] + MINUTE,
                "baseline_version": 1,
                "sources": foreseen.spans[one.at],
                "onset_sources": foreseen.spans[one.onset],
                "point": point,
            }
    return found


def check_signal(signal: Signal, expected: dict[str, Any]) -> None:
    """One signal says what the oracle says."""
    said = msgspec.structs.asdict(signal)
    point: Point = expected["point"]
    for name in ("value", "centre", "sigma", "lcl", "ucl", "z"):
        assert close(said[name], getattr(point, name), abs(point.centre)), (name, signal)
    for name in ("sources", "onset_sources"):
        assert spans(said[name]) == expected[name]
    plain = [name for name in expected if name not in {"point", "sources", "onset_sources"}]
    assert {name: said[name] for name in plain} == {name: expected[name] for name in plain}


def spans(told: tuple[Span, ...]) -> list[tuple[int, int, int]]:
    """Source offsets as plain numbers."""
    return [(span.partition, span.first, span.last) for span in told]


def signals_of(out: Outcome) -> list[Signal]:
    """Signals of series, not of the stream itself."""
    return [signal for rows in out.signals.values() for signal in rows if signal.episode]


def transitions(deliveries: list[Delivery]) -> dict[str, set[tuple[str, str]]]:
    """What each webhook message says: episodes and whether they fire or are resolved, by message id."""
    found: dict[str, set[tuple[str, str]]] = {}
    for delivery in deliveries:
        body = json.loads(delivery.body)
        assert body["more"] == 0
        found[delivery.headers["webhook-id"]] = {(episode["id"], episode["status"]) for episode in body["episodes"]}
    return found


def due(out: Outcome) -> set[tuple[str, str]]:
    """What receivers have to be told: each opening and each end of an episode that is not muted, and the gap."""
    status = {"open": "firing", "resolve": "resolved", "gap": "gap"}
    told = [signal for rows in out.signals.values() for signal in rows if signal.kind in status and not signal.muted]
    return {(signal.episode, status[signal.kind]) for signal in told}


def amiss(told: dict[str, set[tuple[str, str]]], out: Outcome) -> list[tuple[str, str, str]]:
    """What was not told, told unasked, or ended twice. What still fires may be named again when others of its group end."""
    said, wanted = Counter(one for episodes in told.values() for one in episodes), due(out)
    again = [one for one, times in said.items() if times > 1 and one[1] != "firing"]
    faults = {"not told": wanted - said.keys(), "not asked for": said.keys() - wanted, "told again": again}
    return [(fault, *one) for fault, ones in faults.items() for one in sorted(ones)]


def original(record: Record, *, quarantined: bool) -> tuple[object, ...]:
    """A record of an output topic as it was in the source: ours are behind its own headers, of which some may have the same names."""
    headers = list(record.headers)
    if quarantined:
        names = [name for name, _ in headers]
        headers = headers[: len(names) - 1 - names[::-1].index("__connect.errors.topic")]
    while headers and headers[-1][0] in {"streamspc.late", "streamspc.storm"}:
        headers.pop()
    return record.partition, record.timestamp, record.key, record.value, tuple(headers)


def originals(records: list[Record], *, quarantined: bool = False) -> list[tuple[object, ...]]:
    """Records of an output topic as they were in the source."""
    return [original(record, quarantined=quarantined) for record in records]


def input_of(record: Record) -> tuple[object, ...]:
    """A source record in the same form."""
    return record.partition, record.timestamp, record.key, record.value, record.headers


def headers_of(way: Way, topic: str, episodes: dict[tuple[str, str, int], str]) -> dict[str, str]:
    """The headers that a record gets from us; of `exception.message` only that it is there."""
    marks = {"streamspc.late": "true"} if way.late else {}
    marks |= {"streamspc.storm": "true"} if way.storm else {}
    if not way.reason:
        return marks
    place = {"topic": topic, "partition": str(way.record.partition), "offset": str(way.record.offset)}
    refused = way.rejected is None
    place |= {"connector.name": "streamspc.orders", "task.id": "0", "class.name": "streamspc"}
    place |= {"stage": "VALUE_CONVERTER" if refused else "TRANSFORMATION"}
    place |= {"exception.class.name": f"streamspc.BadRecord.{way.reason}" if refused else "streamspc.OutOfControl"}
    found = {f"__connect.errors.{name}": value for name, value in place.items()}
    found |= {"streamspc.stream": "orders", "streamspc.reason": way.reason}
    if way.rejected is not None:
        found |= {f"streamspc.{name}": value for name, value in _rejection(way.rejected, way.start, episodes).items()}
    return found | marks


def _rejection(why: Rejected, start: int, episodes: dict[tuple[str, str, int], str]) -> dict[str, str]:
    window = "/".join(datetime.fromtimestamp(at / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for at in (start, start + MINUTE))
    episode = episodes[why.metric, why.segment, start]
    return {"window": window, "segment": why.segment, "metric": why.metric, "rule": why.chart, "episode": episode}


def check_numbers(headers: dict[str, bytes | None], why: Rejected) -> None:
    """Value and limits in the headers are those of the point."""
    value = float(headers["streamspc.value"] or b"")
    lower, upper = (float(text) for text in (headers["streamspc.limits"] or b"").decode().strip("[]").split(", "))
    assert (value, lower, upper) == pytest.approx((why.point.value, why.point.lcl, why.point.ucl), rel=1e-9)


def near(found: float, expected: Statistic) -> bool:
    """Within 1 % of the two values that the rank of the quantile is between, as a sketch promises; or missing in both."""
    low, high = expected.beside
    return math.isnan(found) if math.isnan(expected.value) else 0.99 * low <= found <= 1.01 * high
