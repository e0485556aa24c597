from __future__ import annotations

from charting import known, metric, step, stream
from streamspc.model import ChartKind, Effect


def speak(values, **settings):
    """The last point of one series with centre 0 and sigma 1: broken, side, onset_lag."""
    spec = stream(metric(**settings))
    bank = known(spec, ["a"])
    points = [step(spec, bank, at, value) for at, value in enumerate(values)]
    return tuple(getattr(points[-1], name)[0, 0].item() for name in ("broken", "side", "onset_lag"))


def test_each_chart_has_its_bit():
    """Bits in the order of ChartKind; only those in signal_by."""
    slope = [1.9, 1.9, 1.9, 4.0]
    assert speak(slope, signal_by=(ChartKind.SHEWHART, ChartKind.CUSUM))[0] == 0b011
    assert speak(slope, signal_by=(ChartKind.CUSUM,))[0] == 0b010
    assert speak([4.0], signal_by=tuple(ChartKind))[0] == 0b101
    assert speak(slope, signal_by=())[0] == 0


def test_the_largest_lag_of_the_charts_that_signal_is_the_onset():
    """The CUSUM's run began three windows ago, the Shewhart chart sees only this one."""
    assert speak([1.9, 1.9, 1.9, 4.0], signal_by=(ChartKind.SHEWHART, ChartKind.CUSUM)) == (0b011, 1, 3)
    assert speak([1.9, 1.9, 1.9, 4.0], signal_by=(ChartKind.SHEWHART,)) == (0b001, 1, 0)


def test_the_first_chart_that_signals_says_the_side():
    """After a rise the EWMA may still be above when a point falls far below: what is plainest is told."""
    assert speak([1.2] * 6 + [-3.1], signal_by=tuple(ChartKind), min_effect=Effect(amount=0.2))[:2] == (0b001, -1)


def test_a_series_that_does_not_cross_says_nothing():
    """No bit, no side, no lag."""
    assert speak([0.3, -0.4]) == (0, 0, 0)
