"""`streamspc init` on a topic in Apache Kafka: what it writes runs, and finds what is wrong there."""

from __future__ import annotations

import json

import pytest

from e2e.conftest import SOURCE
from e2e.stage import command

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(240)]


def test_from_a_topic_to_a_found_fault_without_an_edit(source, broker, tmp_path):
    """Look at the topic, then check all of it with the configuration as it was written."""
    file = tmp_path / "orders.yaml"
    looked = command("init", "--topic", SOURCE, "--bootstrap", broker.address, "--sample", "20000", "--out", str(file))
    assert looked.returncode == 0, looked.stderr
    assert "event_time: {field: at, unit: ms}" in file.read_text()

    checked = command("check", "--config.file", str(file), "--from", "earliest", "--json", "--max-bad", "1")
    assert checked.returncode == 1, checked.stderr
    found = json.loads(checked.stdout)
    assert found["records"] == len(source)
    assert {"failed", "amount"} <= {episode["metric"] for episode in found["episodes"]}
