from __future__ import annotations

import numpy as np
import pytest

from charting import known, metric, step, stream
from streamspc.model import ChartKind, ChartSpec, Effect

ALONE = (ChartKind.CUSUM,)


def run(spec, values, bank=None, start=0):
    """Points of one series with centre 0 and sigma 1."""
    bank = bank or known(spec, ["a"])
    return [step(spec, bank, start + at, value) for at, value in enumerate(values)]


def up(points):
    return [float(point.cusum_up[0, 0]) for point in points]


def broken(points):
    return [int(point.broken[0, 0]) for point in points]


def test_both_sides_follow_the_tabular_recursion():
    """C+ gathers what is above k, C- what is below -k, and neither is ever negative."""
    points = run(stream(metric()), [1.0, 2.0, -1.0, -1.5, 0.0])
    assert up(points) == [0.5, 2.0, 0.5, 0.0, 0.0]
    assert [float(point.cusum_down[0, 0]) for point in points] == [0.0, 0.0, 0.5, 1.5, 1.0]


def test_it_signals_strictly_above_h_and_starts_again_from_zero():
    """The statistic of the signal is shown as it was; the next point begins anew."""
    points = run(stream(metric(signal_by=ALONE)), [5.5, 0.75, 1.0])
    assert up(points) == [5.0, 5.25, 0.5]
    assert broken(points) == [0, 2, 0]


def test_the_lower_side_signals_downwards():
    """A sustained fall is told with side -1."""
    points = run(stream(metric(signal_by=ALONE)), [-2.0] * 4)
    assert [int(point.side[0, 0]) for point in points] == [0, 0, 0, -1]


def test_the_onset_is_the_first_point_since_the_statistic_left_zero():
    """Three quiet points, then a shift: it began where the run did."""
    points = run(stream(metric(signal_by=ALONE)), [-0.3, 0.2, -0.1, 2.0, 2.0, 2.0, 2.0])
    assert (broken(points)[-1], int(points[-1].onset_lag[0, 0])) == (2, 3)


def test_windows_without_a_point_are_held_over_but_count_for_the_onset():
    """The onset is that many windows ago, also when some of them had no value; the statistic waits."""
    points = run(stream(metric(signal_by=ALONE)), [2.0, np.nan, np.nan, 2.0, 2.0, 2.0])
    assert up(points) == [1.5, 1.5, 1.5, 3.0, 4.5, 6.0]
    assert (broken(points)[-1], int(points[-1].onset_lag[0, 0])) == (2, 5)


def test_a_small_shift_is_too_small_however_long_it_lasts():
    """The estimate of the shift is k + C / N: 1 sigma never reaches a min_effect of 2 sigma, nor hides a shift of 4 that follows."""
    spec = stream(metric(signal_by=ALONE, min_effect=Effect(amount=2.0, unit="sigma")))
    bank = known(spec, ["a"])
    assert set(broken(run(spec, [1.0] * 200, bank))) == {0}
    assert 2 in broken(run(spec, [4.0] * 4, bank, 200))


def test_a_chart_that_may_not_signal_is_kept_all_the_same():
    """signal_by silences; the statistic stays on the page."""
    points = run(stream(metric(signal_by=())), [4.0, 4.0])
    assert (up(points), broken(points)) == ([3.5, 7.0], [0, 0])


@pytest.mark.parametrize(("h", "arl0"), [(5.0, 465.44), (4.0, 167.68)])
def test_the_average_run_length_is_the_published_one(h, arl0):
    """With k = 0.5 and known parameters, over 4 million points."""
    rng = np.random.default_rng(7)
    spec = stream(metric(signal_by=ALONE, charts=ChartSpec(cusum_h=h)))
    bank = known(spec, [f"{i:04}" for i in range(4000)])
    alarms = sum(np.count_nonzero(step(spec, bank, at, rng.standard_normal((1, 4000))).broken) for at in range(1000))
    assert 4_000_000 / alarms == pytest.approx(arl0, rel=0.035)
