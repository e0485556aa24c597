"""From records to a configuration that runs and finds a fault."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamspc.cli import main
from streamspc.model import MetricKind, Semantics
from streamspc.settings import load
from streamspc.survey import Proposal, propose, survey
from streamspc.survey.propose import Sample

BEGIN = 1_767_225_600  # 2026-01-01 00:00 UTC


def iso(seconds: float) -> str:
    """As JSON writers write it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def sample(rows: list[dict[str, Any]], seconds: list[float]) -> Sample:
    """The rows in two partitions, each stored two seconds after it happened."""
    return Sample(survey(rows), [round((at + 2.0) * 1e6) for at in seconds], [i % 2 for i in range(len(rows))], 0)


class World:
    """Records of one shape. `fault` is the share of the time after which something breaks."""

    def __init__(self, shape: str, size: int = 6000, fault: float = 2.0) -> None:
        rng = np.random.default_rng(3)
        self.seconds = [BEGIN + 4.0 * i + float(rng.uniform(0, 3)) for i in range(size)]
        late = [i > fault * size for i in range(size)]
        make = getattr(self, shape)
        self.rows = [make(rng, i, at, broken) for i, (at, broken) in enumerate(zip(self.seconds, late, strict=True))]

    @staticmethod
    def flat(rng: np.random.Generator, i: int, at: float, broken: bool) -> dict[str, Any]:
        """Numbers, a status, a bounded key, an unbounded one."""
        return {
            "order_id": 1000 + i,
            "created_at": iso(at),
            "country": str(rng.choice(["DE", "FR", "US"])),
            "customer": f"c{rng.integers(0, 10**9)}",
            "status": "failed" if rng.random() < (0.3 if broken else 0.02) else "done",
            "amount": round(float(rng.normal(50, 8)), 2),
        }

    @staticmethod
    def nested(rng: np.random.Generator, i: int, at: float, broken: bool) -> dict[str, Any]:
        """Objects in objects, epoch milliseconds, a field that becomes null."""
        return {
            "meta": {"event": {"ts": round(at * 1000), "uuid": f"{i:032x}"}},
            "payload": {
                "sensor": {"celsius": float(rng.normal(20, 1)), "ok": bool(rng.random() < 0.97)},
                "site": None if broken else "north",
            },
        }

    @staticmethod
    def epoch(rng: np.random.Generator, i: int, at: float, broken: bool) -> dict[str, Any]:
        """Epoch seconds, and latencies with a long tail."""
        return {
            "timestamp": at,
            "seq": i,
            "latency_ms": float(rng.lognormal(3 + (1.5 if broken else 0), 1)),
            "region": f"r{rng.integers(0, 4)}",
        }

    @staticmethod
    def unbounded(rng: np.random.Generator, i: int, at: float, broken: bool) -> dict[str, Any]:
        """Only keys whose values go on coming, and a number."""
        return {
            "time": round(at * 1e6),
            "session": f"s{i // 2}",
            "url": f"/item/{rng.integers(0, 10**6)}",
            "bytes": float(rng.normal(900, 60) * (2 if broken else 1)),
        }

    @staticmethod
    def sparse(rng: np.random.Generator, i: int, at: float, broken: bool) -> dict[str, Any]:
        """Fields that are there now and then; no time at all."""
        row: dict[str, Any] = {"kind": str(rng.choice(["a", "b"])), "value": float(rng.normal(5, 1) + (4 if broken else 0))}
        return row | ({"note": f"n{i}"} if i % 7 == 0 else {}) | ({"extra": 1.0 + i % 3} if rng.random() < 0.1 else {})


SHAPES = ("flat", "nested", "epoch", "unbounded", "sparse")


def proposed(world: World, folder: Path) -> tuple[Proposal, Semantics]:
    """The proposal, as it loads."""
    proposal = propose("app", "shop.orders", "localhost:9092", sample(world.rows, world.seconds))
    file = folder / "c.yaml"
    file.write_text(proposal.text)
    return proposal, load(file, {}).semantics


@pytest.mark.parametrize(
    ("shape", "event", "segments", "metrics"),
    [
        (
            "flat",
            ("created_at", "iso8601"),
            ("country",),
            {"volume", "lag", "amount", "failed", "amount_null", "status_null", "customer_null"},
        ),
        ("nested", ("meta.event.ts", "ms"), (), {"volume", "lag", "payload_sensor_celsius", "payload_sensor_ok"}),
        ("epoch", ("timestamp", "s"), ("region",), {"volume", "lag", "latency_ms_median", "latency_ms_p95"}),
        ("unbounded", ("time", "us"), (), {"volume", "lag", "bytes"}),
        ("sparse", (None, "ms"), ("kind",), {"volume", "value"}),
    ],
)
def test_each_shape_has_its_configuration(shape, event, segments, metrics, tmp_path):
    """Event time, bounded segments, metrics that measure something; keys and counters are neither."""
    _, semantics = proposed(World(shape), tmp_path)
    [stream] = semantics.streams
    assert (stream.event_time.field, stream.event_time.unit) == event
    assert stream.segment_by == segments
    names = {metric.name for metric in stream.metrics}
    assert metrics <= names
    assert not {name for name in names if name in {"order_id", "seq", "session", "url"}}
    assert stream.window_us == 900_000_000  # a record in four seconds: 225 in a quarter of an hour
    assert stream.clean_topic is None
    assert not stream.judge_by


@pytest.mark.parametrize("shape", SHAPES)
def test_it_finds_an_injected_fault_without_an_edit(shape, tmp_path, monkeypatch, capsys):
    """Charts of a day, of which the last tenth is broken: an episode begins there and nowhere before."""
    monkeypatch.chdir(tmp_path)
    world = World(shape, size=18_000, fault=0.9)
    healthy = World(shape)
    proposed(healthy, tmp_path)
    stamp = [] if shape != "sparse" else ["--timestamp", "kafka_ms"]
    rows = (
        world.rows
        if shape != "sparse"
        else [row | {"kafka_ms": round(at * 1000)} for row, at in zip(world.rows, world.seconds, strict=True)]
    )
    if shape != "sparse":  # lag needs a time of arrival
        rows = [row | {"arrived": round((at + 2.0) * 1000)} for row, at in zip(rows, world.seconds, strict=True)]
        stamp = ["--timestamp", "arrived"]
    Path("x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    code = main(["check", "--config.file", "c.yaml", "--input", "x.jsonl", "--any-order", "--json", *stamp])
    found = json.loads(capsys.readouterr().out)
    begin = iso(world.seconds[int(0.9 * 18_000)] - 900)
    assert code == 1
    assert found["records"] - sum(found["refused"].values()) == 18_000
    assert any(episode["opened"] >= begin[:19] for episode in found["episodes"])


def test_names_that_yaml_and_expressions_mistake_are_quoted(tmp_path):
    """Fields called null or with a colon, values with quotes: the proposal loads, and means them."""
    rng = np.random.default_rng(1)
    rows = [
        {
            "at": BEGIN + i,
            "on": float(rng.normal()),
            "state": 'failed "hard"' if i % 9 == 0 else "it's fine",
            "yes": bool(i % 2),
            "a.b": float(rng.normal()),
        }
        for i in range(900)
    ]
    proposal = propose("app", "t", "h:1", sample(rows, [BEGIN + i for i in range(900)]))
    file = tmp_path / "c.yaml"
    file.write_text(proposal.text)
    [stream] = load(file, {}).semantics.streams
    fields = {metric.field for metric in stream.metrics}
    assert {"on", "`a.b`"} <= fields
    wheres = [metric.where for metric in stream.metrics if metric.kind is MetricKind.PROPORTION]
    assert any('failed \\"hard\\"' in (where or "") for where in wheres)


def test_nothing_to_go_by_is_refused():
    """No object in the sample."""
    with pytest.raises(ValueError, match="no record of the sample is a JSON object"):
        propose("app", "t", "h:1", Sample({}, [], [], 12))
