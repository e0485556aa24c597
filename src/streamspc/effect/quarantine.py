"""Headers that say why a record is in quarantine, or what is special about one that is not.

Keys, values, timestamps and headers of a record stay as they came; ours are added behind them, so that no header is overwritten.
The `__connect.errors.*` names are those of Kafka Connect's dead letter queue, for the tools that already read them.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from streamspc.errors import Reason

if TYPE_CHECKING:
    from streamspc.model import Batch, Headers, Ints, Rejection, Routed, StreamSpec

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SMALL = 4096  # bytes of a key that a pointer keeps
_LAST = 253_402_300_799_999_999  # microseconds: 9999-12-31T23:59:59.999999Z


def quarantined(spec: StreamSpec, batch: Batch, rows: Ints, routed: Routed) -> list[Headers]:
    """Headers of the quarantined records at these rows of the batch: the original ones, then why."""
    why_rejected = [_rejected(spec, rejection) for rejection in routed.rejections]
    why_refused = {code: _refused(spec, *routed.refusals[code]) for code in set(routed.refused[rows].tolist()) if code >= 0}
    out = []
    for row in rows.tolist():
        refused = int(routed.refused[row])
        why = why_refused[refused] if refused >= 0 else why_rejected[int(routed.rejected[row])]
        out.append([*_original(batch, row), *_place(batch, row), *why, *_marks(routed, row)])
    return out


def pointer(spec: StreamSpec, batch: Batch, row: int) -> tuple[bytes | None, bytes, Headers]:
    """Key, value and headers of a record that stands for one too large to be forwarded, and says where that one is."""
    key, value = batch.keys[row], batch.values[row] or b""
    size = len(key or b"") + len(value)
    there = {"topic": batch.topic, "partition": batch.partition, "offset": int(batch.offsets[row]), "bytes": size}
    why = _refused(spec, Reason.UNFORWARDABLE, f"key and value are {size} bytes, with the headers more than the topic or a request takes")
    small = key if key is not None and len(key) <= _SMALL else None
    return small, json.dumps({"streamspc.pointer": there}).encode(), [*_place(batch, row), *why]


def _place(batch: Batch, row: int) -> Headers:
    return [
        ("__connect.errors.topic", batch.topic.encode()),
        ("__connect.errors.partition", b"%d" % batch.partition),
        ("__connect.errors.offset", b"%d" % batch.offsets[row]),
    ]


def marked(batch: Batch, rows: Ints, routed: Routed) -> list[Headers] | None:
    """Headers of the clean records at these rows: the original ones, marked where late, or let through by storm guard or operator."""
    special = routed.marked[rows]
    if batch.headers is None and not special.any():
        return None
    either = zip(rows.tolist(), special.tolist(), strict=True)
    return [[*_original(batch, row), *_marks(routed, row)] if mark else _original(batch, row) for row, mark in either]


def _original(batch: Batch, row: int) -> Headers:
    return batch.headers[row] if batch.headers is not None else []


def _marks(routed: Routed, row: int) -> Headers:
    marks: Headers = []
    if routed.late[row]:
        marks.append(("streamspc.late", b"true"))
    if routed.storm[row]:
        marks.append(("streamspc.storm", b"true"))
    if routed.opened[row]:
        marks.append(("streamspc.gate", b"open"))
    return marks


def _connect(spec: StreamSpec, stage: str, kind: str, message: str) -> Headers:
    texts = {
        "connector.name": f"streamspc.{spec.name}",
        "task.id": "0",
        "stage": stage,
        "class.name": "streamspc",
        "exception.class.name": kind,
        "exception.message": message,
    }
    return [(f"__connect.errors.{name}", text.encode()) for name, text in texts.items()]


def _refused(spec: StreamSpec, reason: Reason, detail: str) -> Headers:
    ours: Headers = [("streamspc.stream", spec.name.encode()), ("streamspc.reason", reason.value.encode())]
    return _connect(spec, "VALUE_CONVERTER", f"streamspc.BadRecord.{reason.value}", detail or reason.value) + ours


def _rejected(spec: StreamSpec, rejection: Rejection) -> Headers:
    window = f"{_iso(rejection.start)}/{_iso(rejection.end)}"
    limits = f"[{_number(rejection.lcl)}, {_number(rejection.ucl)}]"
    message = f"{rejection.metric} = {rejection.value:.6g} outside {limits} in window {window}, segment {rejection.segment}"
    texts = {
        "reason": "rejected",
        "stream": spec.name,
        "window": window,
        "segment": rejection.segment,
        "metric": rejection.metric,
        "rule": rejection.chart,
        "value": repr(rejection.value),
        "limits": limits,
        "episode": rejection.episode,
    }
    ours: Headers = [(f"streamspc.{name}", text.encode()) for name, text in texts.items()]
    return _connect(spec, "TRANSFORMATION", "streamspc.OutOfControl", message) + ours


def _number(limit: float | None) -> str:
    return "-" if limit is None else repr(limit)


def _iso(microseconds: int) -> str:
    if microseconds > _LAST:
        return "10000-01-01T00:00:00Z"  # the end of the last windows; datetime knows no such year
    return (_EPOCH + timedelta(microseconds=microseconds)).isoformat().replace("+00:00", "Z")
