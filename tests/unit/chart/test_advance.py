from __future__ import annotations

import numpy as np
import pytest

from charting import ROWLESS, known, metric, step, stream
from streamspc.chart import Bank
from streamspc.chart.phase import TOO_FEW
from streamspc.model import NO_POINT, BaselineSpec, MetricKind, Rule

SPEC = stream(metric(), metric("n", MetricKind.COUNT), baseline=BaselineSpec(windows=5))


def phases(points):
    return points.phase.tolist()


def grown(*names):
    bank = Bank.empty(SPEC)
    bank.grow(names)
    return bank


def test_the_first_points_learn_and_limits_begin_with_the_next():
    """Five points without limits, centre or signal, however wild; the sixth has the baseline of version 1."""
    bank = grown("a")
    for at, value in enumerate([1.0, 2.0, 3.0, 2.0, 1e9]):
        points = step(SPEC, bank, at, [[value], [7.0]])
        assert phases(points) == [[0], [0]]
        for name in ("centre", "sigma", "lcl", "ucl", "z", "cusum_up", "cusum_down", "ewma", "ewma_limit"):
            assert np.isnan(getattr(points, name)).all(), name
        assert not points.broken.any()
        assert not points.version.any()
    points = step(SPEC, bank, 5, [[2.0], [7.0]])
    assert phases(points) == [[1], [1]]
    assert points.version.tolist() == [[1], [1]]
    assert points.centre[:, 0].tolist() == [2.0, 7.0]


def test_a_window_without_a_value_does_not_teach():
    """Each series counts its own points: the mean waits for its fifth."""
    bank = grown("a")
    for at in range(6):
        step(SPEC, bank, at, [[np.nan if at == 2 else at], [9.0 + at % 2]])
    assert bank.baseline.version.tolist() == [[1], [1]]
    assert bank.baseline.centre[0].tolist() == [pytest.approx((0 + 1 + 3 + 4 + 5) / 5)]
    late = grown("a")
    for at in range(5):
        step(SPEC, late, at, [[np.nan if at == 2 else at], [9.0 + at % 2]])
    assert late.baseline.version.tolist() == [[0], [1]]


def test_a_baseline_is_never_taught_again():
    """A shift that lasts stays a shift."""
    bank = known(SPEC, ["a"])
    for at in range(100):
        points = step(SPEC, bank, at, 5.0)
    assert points.centre.tolist() == [[0.0], [0.0]]
    assert (points.broken & 1).all()


def test_where_there_is_no_value_there_is_no_point():
    """No phase, no z, no signal; centre and version still say what the series is judged by."""
    bank = known(SPEC, ["a", "b"])
    points = step(SPEC, bank, 0, [[np.nan, 9.0], [np.nan, np.nan]], n=0)
    assert phases(points) == [[NO_POINT, 1], [NO_POINT, NO_POINT]]
    assert np.isnan(points.z).tolist() == [[True, False], [True, True]]
    assert points.broken.tolist()[1] == [0, 0]
    assert points.centre[0, 0] == 0.0


def test_records_without_a_value_are_too_few_and_not_missing():
    """Learning or judged, the window has a phase of its own, teaches nothing and signals nothing."""
    for bank in (grown("a", "b"), known(SPEC, ["a", "b"])):
        points = step(SPEC, bank, 0, np.nan, n=[[9, 0], [0, 0]])
        assert phases(points) == [[TOO_FEW, NO_POINT], [NO_POINT, NO_POINT]]
        assert not points.broken.any()
        assert not bank.learning.seen.any()


def test_too_few_records_break_runs():
    """Eight points on one side are none when one of the windows between had no value."""
    spec = stream(metric(rules=(Rule.WE4,)))
    for between, rules in (((), 1), ((np.nan,), 0)):
        bank = known(spec, ["a"])
        points = [step(spec, bank, at, value, n=3) for at, value in enumerate([0.4] * 4 + [*between] + [0.4] * 4)]
        assert (points[-1].rules is not None) == rules


def test_a_gap_is_no_point_for_any_series():
    """A window that stands for many empty ones neither teaches nor signals, not even a count of zero."""
    learning, charted = grown("a"), known(SPEC, ["a"], centre=100.0)
    assert phases(step(SPEC, learning, 0, 0.0, gap=1)) == [[NO_POINT], [NO_POINT]]
    assert learning.learning.seen.tolist() == [[0], [0]]
    points = step(SPEC, charted, 0, 0.0, gap=1)
    assert (phases(points), points.broken.tolist(), points.gap) == ([[NO_POINT], [NO_POINT]], [[0], [0]], 1)


def test_an_absurd_value_is_not_remembered_for_ever():
    """A z is cut off at a million sigma, infinity included, and all statistics stay finite."""
    bank = known(SPEC, ["a", "b"])
    points = step(SPEC, bank, 0, [[np.inf, -1e300], [1e200, 5.0]])
    assert points.z.tolist() == [[1e6, -1e6], [1e6, 5.0]]
    assert np.isfinite(bank.ewma.value).all()


def test_points_say_which_window_and_series_they_are():
    """Names, times, sources and counts pass through."""
    bank = known(SPEC, ["b", "a", "*"])
    points = step(SPEC, bank, 3, 0.0, n=4, sources=ROWLESS, counts={"late_after_close": 2})
    assert (points.stream, points.config, points.start, points.end) == ("s", "c", 300, 400)
    assert (points.metrics, points.segments) == (("m", "n"), ("*", "a", "b"))
    assert (points.sources, points.counts, points.gap) == (ROWLESS, {"late_after_close": 2}, 0)
    assert points.records.tolist() == [4, 4, 4]


def test_a_bank_without_segments_has_points_without_series():
    """Nothing is charted yet, and nothing fails."""
    assert step(SPEC, Bank.empty(SPEC), 0, np.zeros((2, 0))).value.shape == (2, 0)


def test_statistics_of_another_shape_are_refused():
    """The columns of the statistics are those of the bank."""
    with pytest.raises(ValueError, match="do not fit"):
        step(stream(metric()), known(SPEC, ["a"]), 0, 0.0)
