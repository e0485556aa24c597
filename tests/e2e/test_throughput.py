"""Throughput has not fallen far below what was measured: ratios to bare client loops in the same run, held loosely."""

from __future__ import annotations

import json

import pytest
from bench.stage import fill
from bench.throughput import BARE, COPY, FIGURES, GATE, OBSERVE, RESULTS, once, ratios

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
_RECORDS = 200_000
_LEAST = 0.6  # of the committed ratio: machines differ, and this one may be busy


@pytest.mark.timeout(180)
def test_ratios_are_not_far_below_the_committed_ones(broker):
    """Observe beside a poll loop, the gate beside a consume-send loop; the better of two rounds counts."""
    fill(broker.address, "throughput", _RECORDS, 50)
    runs = (OBSERVE, BARE, GATE, COPY)
    speeds: dict[str, list[float]] = {str(run): [] for run in runs}
    for _ in range(2):
        for run in runs:
            found = once(run, broker.address, "throughput", _RECORDS)
            speeds[str(run)].append(found["records"] / found["cpu"])
    committed = {it["name"]: it["median"] for it in json.loads(RESULTS.read_text())["figures"]}
    for figure in FIGURES:
        if figure.run in runs and figure.beside in runs and figure.run != figure.beside:
            assert max(ratios(figure, speeds)) >= _LEAST * committed[figure.name], figure.name
