"""A price rises for good: its windows are rejected, then await an answer, are accepted by a command, and judged by the new level."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from confluent_kafka import Producer

from e2e.orders import PARTITIONS
from e2e.outcome import outcome
from e2e.stage import command, foreign, make_topic

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(240)]

SOURCE = "e2e.prices"
BEGIN = 1_709_632_800_000  # milliseconds
STREAM: dict[str, Any] = {
    "name": "prices",
    "window": "1m",
    "event_time": {"field": "at", "unit": "ms"},
    "clock": "log",
    "metrics": [{"name": "price", "kind": "mean", "field": "price", "charts": {"shewhart": {"limit": 5}, "cusum": {"h": 20}}}],
    "baseline": {"windows": 20},
    "episodes": {"max_reject": 5},
    "judge_by": [{"metric": "price"}],
    "gate": {"storm": {"windows": 100}},
}
PER_WINDOW = 12


@pytest.fixture(scope="module")
def app(broker, application):
    """An application on a topic of its own."""
    make_topic(broker.address, SOURCE)
    with application("e2e-level", SOURCE) as opened:
        yield opened


def sell(address: str, windows: range, level: float, seed: int, topic: str = SOURCE) -> None:
    """Records of these windows in every partition."""
    producer, noise = Producer({"bootstrap.servers": address, "linger.ms": 5}), np.random.default_rng(seed)
    for window in windows:
        for i in range(PER_WINDOW):
            at = BEGIN + 60_000 * window + 60_000 * i // PER_WINDOW
            value = json.dumps({"at": at, "price": round(level + float(noise.normal()), 4)}).encode()
            producer.produce(topic, value, b"%d" % window, partition=i % PARTITIONS, timestamp=at)
    assert producer.flush(30) == 0


def price(file: str) -> dict[str, Any]:
    """What `baseline show` says of the price, nothing before it says anything."""
    shown = command("baseline", "show", "price", "--config.file", file, "--json")
    return json.loads(shown.stdout) if shown.returncode == 0 else {}


def test_a_lasting_shift_is_accepted_and_records_flow_again(app):
    """Killed right after the command, the daemon goes on and obeys it."""
    path = app.write(stream=STREAM, fetch_wait="100ms", snapshot_every="1s", instance="one")
    file = str(path)
    assert command("topics", "create", file).returncode == 0
    daemon = app.start(path)
    sell(app.address, range(30), 10.0, 1)
    daemon.until(lambda: price(file).get("version") == 1, "a baseline")
    asked = ("baseline", "accept", "price", "--config.file", file)
    nothing = command(*asked)
    assert (nothing.returncode, nothing.stdout) == (1, "")
    assert "open episode" in nothing.stderr

    sell(app.address, range(30, 33), 30.0, 2)
    daemon.until(lambda: bool(app.receivers.at(f"/hook/{app.app}")), "a message")
    sell(app.address, range(33, 45), 30.0, 2)
    daemon.until(lambda: bool((price(file).get("episode") or {}).get("awaiting")), "a level shift")
    daemon.until(lambda: (price(file).get("last") or {}).get("start") == 1000 * (BEGIN + 60_000 * 43), "the last window that is complete")
    given = ("--by", "ann", "--why", "prices rose", "--json")
    dry, done = (json.loads(command(*asked, *given, *more).stdout) for more in (("--dry-run",), ()))
    daemon.kill()
    since = 1000 * (BEGIN + 60_000 * 45)
    assert (dry["dry_run"], dry["series"], dry["since"]) == (True, ["price"], since)
    assert (done["dry_run"], done["series"], done["since"]) == (False, ["price"], since)

    daemon = app.start(path)
    sell(app.address, range(45, 61), 30.0, 3)
    daemon.until(lambda: price(file).get("version") == 2, "the new baseline")
    sell(app.address, range(61, 63), 10.0, 4)
    sell(app.address, range(63, 65), 30.0, 5)
    daemon.until(lambda: sold(path) == {"clean": 57, "quarantine": 7}, "all windows but the open one")
    assert price(file)["centre"] == pytest.approx(30.0, abs=0.2)
    daemon.drain()
    look(app, path, done["id"])


def sold(path) -> dict[str, int]:
    """Windows in each of the outputs."""
    found = outcome(path)
    windows = {name: {record.key for record in getattr(found, name)} for name in ("clean", "quarantine")}
    return {name: len(keys) for name, keys in windows.items()}


def look(app, path, command_id: str) -> None:
    """Which windows went where, and what was said of it."""
    found = outcome(path)
    assert {record.key for record in found.quarantine} == {b"%d" % window for window in (*range(30, 35), 61, 62)}
    assert len(found.clean) + len(found.quarantine) == 64 * PER_WINDOW
    (audit,) = [json.loads(record.value or b"") for record in foreign(app.address, f"{app.app}.control") if record.key == b"command"]
    assert (audit["kind"], audit["id"], audit["by"], audit["why"]) == ("accept", command_id, "ann", "prices rose")
    told = [json.loads(delivery.body)["episodes"][0] for delivery in app.receivers.at(f"/hook/{app.app}")]
    titles = list(dict.fromkeys(episode["title"].split(":")[0] for episode in told))
    assert titles[:3] == ["price out of control", "price level shift, awaits an answer", "price has a new level that was accepted"]
    answer = next(episode["answer"] for episode in told if "answer" in episode)
    assert answer == {"kind": "accept", "command": command_id, "by": "ann", "why": "prices rose"}
