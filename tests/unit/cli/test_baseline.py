"""`streamspc baseline diagnose`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from streamspc.cli import main

CONFIG = """
app: shop
streams:
  - name: orders
    topic: orders
    window: 1h
    event_time: {field: at, unit: s}
    segment_by: [country]
    metrics:
      - {name: volume, kind: count}
      - {name: price, kind: mean, field: price}
"""


@pytest.fixture(autouse=True)
def _place(tmp_path, monkeypatch):
    """A folder with a configuration and ten days of records."""
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text(CONFIG)
    rng = np.random.default_rng(1)
    rows = [
        {"at": 1_704_067_200 + 3600 * hour + i * 60, "country": "DE" if i % 2 else "FR", "price": float(rng.normal(20, 3))}
        for hour in range(240)
        for i in range(rng.poisson(20))
    ]
    Path("x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def diagnose(*words: str) -> int:
    """Run the command."""
    return main(["baseline", "diagnose", *words, "--config.file", "c.yaml", "--input", "x.jsonl"])


def test_people_are_told_of_the_series_of_the_whole_stream(capsys):
    """What they are like, the chart, and what it costs and finds."""
    assert diagnose() == 0
    out = capsys.readouterr().out
    assert "volume (count): 240 windows" in out
    assert "price (mean): 240 windows" in out
    assert "DE" not in out
    assert "chart: Shewhart and CUSUM" in out
    assert "three sigma limits from moving ranges: a false alarm each 370 windows" in out
    assert "its limits now: a false alarm each" in out


def test_a_segment_is_asked_for_in_brackets(capsys):
    """As JSON, for machines."""
    assert diagnose("price[DE]", "--json") == 0
    [told] = json.loads(capsys.readouterr().out)
    assert (told["series"]["metric"], told["series"]["segment"], told["series"]["windows"]) == ("price", "DE", 240)
    assert told["series"]["centre"] == pytest.approx(20, abs=0.5)
    assert told["advice"]["delay"].keys() == {"0.5 sigma", "1 sigma", "2 sigma"}


def test_what_is_not_there_is_named(capsys):
    """An unknown series, and data without a record."""
    assert diagnose("cost") == 2
    assert "no series 'cost': metrics are volume, price" in capsys.readouterr().err
    Path("x.jsonl").write_text("")
    assert diagnose() == 3
    assert "no window" in capsys.readouterr().err
