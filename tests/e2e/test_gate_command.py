"""Nobody charts: the gate holds what it has, until an operator lets it pass."""

from __future__ import annotations

import json

import pytest

from e2e.outcome import outcome
from e2e.stage import command, make_topic
from e2e.test_baseline_command import PER_WINDOW, STREAM, sell

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(240)]

SOURCE = "e2e.held"


def test_what_nobody_judges_is_opened_and_closed(broker, application):
    """Five windows pass, the next five are kept back; what comes behind them waits."""
    make_topic(broker.address, SOURCE)
    with application("e2e-gate", SOURCE) as app:
        path = app.write(stream=STREAM, fetch_wait="100ms")
        file = str(path)
        assert command("topics", "create", file).returncode == 0
        daemon = app.start(path, "--roles", "observe,gate")
        sell(app.address, range(5), 10.0, 1, SOURCE)
        daemon.until(lambda: command("gate", "open", file, "--dry-run").returncode == 0, "records that were read")
        daemon.until(
            lambda: json.loads(command("gate", "open", file, "--dry-run", "--json").stdout)["until"] == 1_709_633_100_000_000, "all"
        )
        assert command("gate", "open", file, "--by", "ann", "--why", "nobody charts").returncode == 0
        daemon.until(lambda: len(outcome(path).clean) == 5 * PER_WINDOW, "five windows")
        closed = ("--until", "2024-03-05T10:10:00Z", "--why", "tests")
        assert command("gate", "close", file, *closed).returncode == 0
        sell(app.address, range(5, 12), 10.0, 2, SOURCE)
        daemon.until(lambda: len(outcome(path).quarantine) == 5 * PER_WINDOW, "five windows more")
        daemon.drain()

        found = outcome(path)
        assert {record.key for record in found.clean} == {b"%d" % window for window in range(5)}
        assert {dict(record.headers)["streamspc.gate"] for record in found.clean} == {b"open"}
        assert {record.key for record in found.quarantine} == {b"%d" % window for window in range(5, 10)}
        listed = [json.loads(line) for line in command("quarantine", "list", file, "--json").stdout.splitlines()]
        assert [(row["reason"], row["records"]) for row in listed] == [("gate_closed", 5 * PER_WINDOW)]
        status = json.loads(command("gate", "status", file, "--json").stdout)
        assert [one["kind"] for one in status["overrides"]] == ["open", "closed"]
        assert status["judged_until"] == {"0": None, "1": None}
