"""`rules:` of a metric."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamspc.errors import ConfigError
from streamspc.model import MetricSpec, Rule
from streamspc.settings import load

FILE = """
app: shop
kafka: {{bootstrap_servers: "localhost:9092"}}
streams:
  - name: orders
    topic: orders
    metrics:
      - {{name: volume, kind: count, {keys}}}
"""


def metric(folder: Path, keys: str) -> MetricSpec:
    """The metric of a file with these keys."""
    path = folder / "c.yaml"
    path.write_text(FILE.format(keys=keys))
    return load(path, {}).semantics.streams[0].metrics[0]


def test_a_metric_asks_for_rules(tmp_path):
    """By name; without, there are none."""
    assert metric(tmp_path, "rules: [we2, nelson3], charts: {shewhart: {limit: 3}}").rules == (Rule.WE2, Rule.NELSON3)
    assert metric(tmp_path, "direction: up").rules == ()


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("rules: [we5]", r"rules\[0\]: unknown 'we5'; did you mean 'we4'"),
        ("rules: [we2], signal_by: [cusum]", "rules: signal only with shewhart in signal_by"),
        ("rules: [nelson3]", r"metrics\[volume\]: .*nelson3"),  # its rate is its own: whoever wants it writes the limit
    ],
)
def test_rules_that_nobody_would_hear_of_are_refused(tmp_path, keys, problem):
    """Unknown ones, and those of a chart that may not signal."""
    with pytest.raises(ConfigError, match=problem):
        metric(tmp_path, keys)
