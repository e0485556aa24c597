from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from streamspc.app import App
from streamspc.errors import ConfigError
from streamspc.settings import load

MINIMAL = Path(__file__).parents[2] / "config" / "minimal.yaml"


@pytest.mark.parametrize("role", ["notify", "gate"])
def test_roles_without_work_are_refused(role):
    """A process that would do nothing for ever does not start: this configuration has no receivers, and without gate no gate."""
    loaded = load(MINIMAL, {})
    stream = replace_topics(loaded.semantics.streams[0])
    semantics = loaded.semantics.__class__(app="x", chart_partitions=1, streams=(stream,))

    with pytest.raises(ConfigError, match="nothing to do"):
        App(semantics, replace(loaded.local, listen="127.0.0.1:0"), [role]).run()


def replace_topics(spec):
    """The stream without a gate."""
    fields = {name: getattr(spec, name) for name in spec.__struct_fields__}
    return spec.__class__(**{**fields, "clean_topic": None, "quarantine_topic": None})


def test_a_start_without_kafka_ends_at_a_signal(tmp_path):
    """SIGTERM ends the process at once though the client library would wait for its brokers far longer."""
    config = tmp_path / "x.yaml"
    config.write_text(MINIMAL.read_text().replace("localhost:9092", "127.0.0.1:1"))
    command = [sys.executable, "-m", "streamspc", "run", "--config.file", str(config), "--web.listen-address", "127.0.0.1:0"]
    with subprocess.Popen([*command, "--log.level", "debug", "--log.format", "json"], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "starting" in process.stderr.readline()
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)

        assert process.wait(20) == 0
        assert time.monotonic() - begun < 10
