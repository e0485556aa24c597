from __future__ import annotations

import numpy as np
import pytest

from charting import known, metric, step, stream
from streamspc.chart import sigma
from streamspc.model import BaselineSpec, MetricKind


def test_sigma_shrinks_with_the_records_down_to_what_lies_between_windows():
    """between^2 + unit / n + extra: the first and the last do not shrink."""
    spec = stream(metric())
    bank = known(spec, ["a", "b", "c"], between=4.0, unit=100.0)
    points = step(spec, bank, 0, 0.0, n=[1, 100, 10**8], extra=0.25)
    assert points.sigma[0].tolist() == pytest.approx([np.sqrt(104.25), np.sqrt(5.25), np.sqrt(4.250001)])


def test_a_window_without_records_counts_as_one():
    """An empty count has a value, and its sigma is finite."""
    assert sigma.within(np.array([3.0]), np.array([0]), np.array([0.0])).tolist() == [3.0]


@pytest.mark.parametrize("constant", [0.0, 0.1, -7.0, 1e12])
def test_a_constant_metric_that_moves_signals(constant):
    """Sigma is never 0 and rounding is not a movement: staying is quiet, a millionth more is not."""
    spec = stream(metric(kind=MetricKind.MAX), baseline=BaselineSpec(windows=7))
    bank = known(spec, ["a"])
    bank.grow(["b"])
    for at in range(9):
        points = step(spec, bank, at, [[0.0, constant]])
    assert (points.phase[0, 1], points.broken[0, 1]) == (1, 0)
    assert points.sigma[0, 1] > 0.0
    moved = step(spec, bank, 9, [[0.0, constant + max(abs(constant), 1.0) * 1e-6]])
    assert moved.broken[0, 1] & 1
    assert moved.z[0, 1] > 900
