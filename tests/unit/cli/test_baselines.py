"""`streamspc baseline show`, `accept` and `reset` on a cluster in memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from driving import LOCAL, Roles, prepare, run
from strategies import at, put, quick
from streamspc.cli import main
from streamspc.kafka_io import client
from streamspc.kafka_io.memory import MemoryKafka
from streamspc.model import Command
from streamspc.roles.control import entries
from streamspc.settings import load_semantics

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
    segment_by: [shop]
    expected_segments: 2
    metrics:
      - {name: price, kind: mean, field: price, charts: {shewhart: {limit: 4}, cusum: {h: 50}}}
    baseline: {windows: 10, relearn: accepted_shifts}
    judge_by: [{metric: price}]
    gate: {clean: clean, quarantine: quarantine}
"""


@pytest.fixture
def kafka(tmp_path, monkeypatch):
    """An application that has seen its price double for the last twelve of thirty windows."""
    quick(monkeypatch)
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text(CONFIG)
    made, spec = MemoryKafka(), load_semantics("c.yaml")
    prepare(made, spec, 1)
    put(
        made,
        0,
        *(at(w + i / 10, "north", price=(20.0 if w >= 18 else 10.0) + (i - 4.5) / 10 + w % 3 / 10) for w in range(30) for i in range(10)),
    )
    run(Roles(made, spec, LOCAL).all())
    monkeypatch.setattr(client, "KafkaPython", lambda _local: made)
    return made


def baseline(*words: str) -> int:
    """Run the command."""
    return main(["baseline", *words, "--config.file", "c.yaml"])


def test_show_tells_people_and_machines(kafka, capsys):
    """Of one series or of all of them, the whole stream first."""
    assert baseline("show") == 0
    out = capsys.readouterr().out
    assert out.startswith("price: version 1, centre 10.09, 10 windows; at ")
    assert "episode " in out
    assert "price[north]: version 1" in out

    assert baseline("show", "price[north]", "--json") == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["metric"], row["segment"], row["phase"], row["kept"], row["dropped"]) == ("price", "north", "monitoring", 10, 0)
    assert row["centre"] == pytest.approx(10.1, abs=0.05)
    assert (row["episode"]["side"], row["episode"]["awaiting"], row["episode"]["rejecting"]) == ("up", False, 12)
    assert row["last"]["lcl"] < row["centre"] < row["last"]["ucl"] < row["last"]["value"]

    assert baseline("show", "--segment", "south") == 1
    assert "none is named so" in capsys.readouterr().err


def test_a_command_says_what_it_does_and_is_in_control(kafka, capsys):
    """First dry, which writes nothing; then the entry has who and why."""
    before = entries(kafka, "app")
    assert baseline("accept", "price", "--dry-run") == 0
    assert capsys.readouterr().out == "would be as of now: price: its level is normal from the next window on\n"
    assert entries(kafka, "app") == before

    since = ("--since", "2023-11-14T23:00:01Z")
    assert baseline("reset", "--metric", "price", *since, "--by", "ann", "--why", "new", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["series"] == ["price", "price[north]"]
    (entry,) = [one for one in entries(kafka, "app") if isinstance(one, Command)]
    assert (entry.kind, entry.metric, entry.segment, entry.by, entry.why, entry.id) == ("reset", "price", None, "ann", "new", said["id"])
    assert entry.since == said["since"] == 1_700_002_810_000_000  # the first window that begins at that time or later
    assert baseline("show", "price") == 0
    assert "\n  reset by ann waits for the window at 2023-11-14 23:00 UTC\n" in capsys.readouterr().out


@pytest.mark.parametrize(("words", "problem"), [
    (("accept",), "accept what? Say SERIES, --metric or --segment, or --all"),
    (("reset", "cost"), "no metric 'cost' in stream s: there are price"),
    (("reset", "price", "--segment", "north"), "say SERIES, or --metric and --segment"),
    (("reset", "price", "--since", "yesterday"), "--since yesterday: expected a time with its zone"),
    (("learn", "price"), "learn from which windows? Say --from, and perhaps --to"),
    (("learn", "price", "--from", "noon"), "--from noon: expected earliest"),
    (("learn", "price", "--from", "earliest", "--since", "2023-11-14T23:00:00Z"), "what is learnt from the past holds at once"),
    (("reset", "price", "--from", "earliest"), "are for learn, not for reset"),
    (("diagnose",), "of what data? Say --input FILE"),
    (("show", "--stream", "t"), "there is no stream 't'"),
])  # fmt: skip
def test_what_is_not_clear_is_asked(kafka, capsys, words, problem):
    """Nothing is written by accident."""
    before = entries(kafka, "app")
    assert baseline(*words) == 2
    assert problem in capsys.readouterr().err
    assert entries(kafka, "app") == before


def test_learn_puts_the_past_into_the_log(kafka, capsys):
    """And says from when on it holds: at once. The new baseline is shown as soon as the log has it."""
    assert baseline("learn", "price", "--from", "175", "--by", "ann") == 0
    assert capsys.readouterr().out.startswith("price: has learnt from the range; that holds from the next window on\ncommand ")
    (entry,) = [one for one in entries(kafka, "app") if isinstance(one, Command)]
    assert (entry.kind, entry.metric, entry.segment, entry.begin, entry.end) == ("learn", "price", "*", "175", "")
    assert baseline("show", "price", "--json") == 0
    row = json.loads(capsys.readouterr().out)
    assert row["centre"] == pytest.approx(20.1, abs=0.1)
    assert (row["version"], row["episode"], row["phase"]) == (2, None, "monitoring")


def test_what_would_change_nothing_is_not_written(kafka, capsys):
    """An episode of another segment, a segment without charts."""
    before = entries(kafka, "app")
    assert baseline("accept", "price[south]") == baseline("reset", "--segment", "south") == 1
    assert "no series is named so" in capsys.readouterr().err
    assert entries(kafka, "app") == before


def test_a_policy_that_forbids_is_named(kafka, capsys):
    """Before anything is looked at."""
    Path("c.yaml").write_text(CONFIG.replace("accepted_shifts", "on_demand"))
    assert baseline("accept", "price") == 2
    assert "the configuration forbids it: streams: s: baseline: relearn: on_demand" in capsys.readouterr().err


def test_a_file_that_does_not_run_gives_no_commands(kafka, capsys):
    """What the fold would make of it is not what the file says."""
    Path("c.yaml").write_text(CONFIG.replace("windows: 10", "windows: 11"))
    assert baseline("reset", "price") == 4
    assert "give the file that runs" in capsys.readouterr().err
