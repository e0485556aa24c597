from __future__ import annotations

import math

import numpy as np
import pytest

from charting import known, metric, step, stream
from streamspc.model import ChartKind, ChartSpec, Effect

ALONE = (ChartKind.EWMA,)


def run(spec, values, bank=None, start=0):
    """Points of one series with centre 0 and sigma 1."""
    bank = bank or known(spec, ["a"])
    return [step(spec, bank, start + at, value) for at, value in enumerate(values)]


def numbers(points, name):
    return [getattr(point, name)[0, 0].item() for point in points]


def test_it_is_the_weighted_mean_with_exact_limits():
    """E and L sqrt(lambda / (2 - lambda) (1 - (1 - lambda)^2t)), t from 1."""
    points = run(stream(metric(charts=ChartSpec(ewma_lambda=0.25, ewma_limit=3.0))), [1.0, 0.0, -2.0])
    assert numbers(points, "ewma") == pytest.approx([0.25, 0.1875, -0.359375])
    assert numbers(points, "ewma_limit") == pytest.approx([3 * math.sqrt(0.25 / 1.75 * (1 - 0.75 ** (2 * t))) for t in (1, 2, 3)])


def test_it_starts_again_after_a_signal_with_narrow_limits():
    """The statistic of the signal is shown as it was; then E is 0 and t is 1 again."""
    points = run(stream(metric(signal_by=ALONE)), [0.5, 4.0, 1.0])
    assert numbers(points, "broken") == [0, 4, 0]
    assert numbers(points, "ewma") == pytest.approx([0.1, 0.88, 0.2])
    assert numbers(points, "ewma_limit")[2] == numbers(points, "ewma_limit")[0]


def test_a_crossing_that_may_not_speak_leaves_it_be():
    """A shift of 4 sigma reaches a min_effect of 3 after some points, although narrow limits are crossed at once."""
    spec = stream(metric(signal_by=ALONE, min_effect=Effect(amount=3.0, unit="sigma")))
    points = run(spec, [4.0] * 7)
    assert numbers(points, "broken") == [0, 0, 0, 0, 0, 0, 4]


def test_the_onset_is_where_it_last_crossed_the_centre():
    """The run on this side of the centre began three points ago."""
    points = run(stream(metric(signal_by=ALONE)), [0.4, -0.9, 0.8, 1.2, 1.5, 2.5])
    assert numbers(points, "broken")[-2:] == [0, 4]
    assert numbers(points, "onset_lag")[-1] == 3


def test_a_window_without_a_point_makes_it_older():
    """All weights shrink by 1 - lambda, the limit with them, and nothing signals, even when E stays outside."""
    spec = stream(metric(signal_by=ALONE, min_effect=Effect(amount=1.5, unit="sigma")))
    points = run(spec, [6.0, np.nan, np.nan, 1.0])
    assert numbers(points, "ewma") == pytest.approx([1.2, 0.96, 0.768, 0.2 + 0.8 * 0.768])
    variances = [0.04, 0.64 * 0.04, 0.64**2 * 0.04, 0.64**3 * 0.04 + 0.04]
    assert numbers(points, "ewma_limit") == pytest.approx([2.85934 * math.sqrt(one) for one in variances])
    assert numbers(points, "broken") == [0, 0, 0, 0]


def test_after_a_long_gap_it_is_a_chart_that_begins():
    """What was before it has no weight any more, and the limit is that of a first point."""
    spec = stream(metric(signal_by=ALONE))
    points = run(spec, [1.0, 1.2, *[np.nan] * 100, 0.5])
    assert numbers(points, "ewma")[-1] == pytest.approx(0.1)
    assert numbers(points, "ewma_limit")[-1] == pytest.approx(numbers(points, "ewma_limit")[0])


@pytest.mark.parametrize(("share", "points_an_alarm"), [(0.1, 350.0), (0.5, 290.0)])
def test_missing_windows_add_no_false_alarms_in_time(share, points_an_alarm):
    """366.7 points an alarm where none is missing. Fewer where many are, for neighbours are less alike, but more windows of time."""
    rng = np.random.default_rng(9)
    spec = stream(metric(signal_by=ALONE))
    bank, alarms, points = known(spec, [f"{i:04}" for i in range(4000)]), 0.0, 0.0
    for at in range(900):
        z = np.where(rng.random((1, 4000)) < share, np.nan, rng.standard_normal((1, 4000)))
        alarms += np.count_nonzero(step(spec, bank, at, z).broken)
        points += np.count_nonzero(~np.isnan(z))
    assert points / alarms == pytest.approx(points_an_alarm, rel=0.04)
    assert 900 * 4000 / alarms > 366.7


def test_the_average_run_length_is_a_little_less_than_with_fixed_limits():
    """With lambda 0.2, L 2.85934: 370.4 with fixed limits, about one per cent less with exact ones."""
    rng = np.random.default_rng(8)
    spec = stream(metric(signal_by=ALONE))
    bank = known(spec, [f"{i:04}" for i in range(4000)])
    alarms = sum(np.count_nonzero(step(spec, bank, at, rng.standard_normal((1, 4000))).broken) for at in range(1000))
    assert 4_000_000 / alarms == pytest.approx(366.7, rel=0.035)
