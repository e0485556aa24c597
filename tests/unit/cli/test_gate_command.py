"""`streamspc gate` on a cluster in memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from driving import LOCAL, Roles, prepare, run
from strategies import at, put, quick
from streamspc.cli import main
from streamspc.kafka_io import client
from streamspc.kafka_io.memory import MemoryKafka
from streamspc.model import NEVER, Override
from streamspc.roles.control import entries
from streamspc.roles.observe import ObserveRole
from streamspc.settings import load, load_semantics

CONFIG = """
app: app
kafka: {bootstrap_servers: "nowhere:9092"}
charts: {partitions: 2}
streams:
  - name: s
    topic: source
    window: 10s
    event_time: {field: at, unit: ms}
    clock: log
    metrics:
      - {name: price, kind: mean, field: price}
    judge_by: [{metric: price}]
    gate: {clean: clean, quarantine: quarantine}
"""


@pytest.fixture
def kafka(tmp_path, monkeypatch):
    """Five windows that observe has read, and nobody has charted."""
    quick(monkeypatch)
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text(CONFIG)
    made, spec = MemoryKafka(), load_semantics("c.yaml")
    prepare(made, spec, 1)
    put(made, 0, *(at(window) for window in range(5)))
    role = ObserveRole(made, spec, "s", load("c.yaml").local.kafka)
    role.connect()
    for _ in range(3):
        role.turn()
    role.disconnect()
    monkeypatch.setattr(client, "KafkaPython", lambda _local: made)
    return made


def gate(action: str, *words: str) -> int:
    """Run the command."""
    return main(["gate", action, "c.yaml", *words])


def overrides(kafka):
    """Those in control."""
    return [entry for entry in entries(kafka, "app") if isinstance(entry, Override)]


def test_what_waits_is_let_pass(kafka, capsys):
    """Dry first; then it is in control, and `status` shows what waits, and the override."""
    assert gate("open", "--dry-run") == 0
    said = capsys.readouterr().out
    assert said == "would be open: windows that are not judged, before 2023-11-14 22:14 UTC\n"
    assert overrides(kafka) == []

    assert gate("open", "--by", "ann", "--why", "chart is down") == 0
    (entry,) = overrides(kafka)
    assert (entry.kind, entry.since, entry.until, entry.by) == ("open", NEVER, 1_700_000_050_000_000, "ann")
    capsys.readouterr()
    assert gate("status") == 0
    out = capsys.readouterr().out
    assert "s: 6 offsets of source are not routed yet\n" in out
    assert "chart partition 1 has judged nothing" in out
    assert f"(by ann: chart is down; {entry.id})" in out


def test_windows_to_come_are_kept_back(kafka, capsys):
    """From a time to another; machines are told in numbers."""
    times = ("--since", "2023-11-14T23:00:00Z", "--until", "2023-11-15T00:00:00Z")
    assert gate("close", *times, "--why", "test orders", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    (entry,) = overrides(kafka)
    assert (told["kind"], told["since"], told["until"], told["id"]) == ("closed", 1_700_002_800_000_000, 1_700_006_400_000_000, entry.id)
    assert gate("status", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["judged_until"], facts["storm"]) == ({"0": None, "1": None}, False)
    assert facts["waiting"] == [{"partition": 0, "offset": 0, "end": 6}]
    assert [one["id"] for one in facts["overrides"]] == [entry.id]


@pytest.mark.parametrize(("words", "problem"), [
    (("open", "--until", "tomorrow"), "--until tomorrow: expected a time with its zone"),
    (("close", "--since", "2023-11-14T23:00:00Z", "--until", "2023-11-14T23:00:00Z"), "none starts at --since or later"),
    (("open", "--stream", "t"), "streams with a gate are: s"),
])  # fmt: skip
def test_what_is_not_clear_is_asked(kafka, capsys, words, problem):
    """Nothing is written."""
    assert gate(*words) == 2
    assert problem in capsys.readouterr().err
    assert overrides(kafka) == []


def test_a_log_that_has_ended_is_said_to_have(kafka, capsys):
    """Behind the end of time there is no window to open, nor a date worth telling."""
    run(Roles(kafka, load_semantics("c.yaml"), LOCAL).all())

    assert gate("status") == 0
    assert capsys.readouterr().out.count("has judged everything: its log has ended") == 2
