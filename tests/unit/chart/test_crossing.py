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
    """A rise too small to matter with many records, then a fall with one: the EWMA is still above, and the Shewhart chart is believed."""
    spec = stream(metric(signal_by=(ChartKind.SHEWHART, ChartKind.EWMA), min_effect=Effect(amount=2.0)))
    bank = known(spec, ["a"], between=0.0, unit=1.0)
    assert not any(step(spec, bank, at, 1.95, n=4).broken.any() for at in range(20))
    points = step(spec, bank, 20, -3.1, n=1)
    assert points.ewma[0, 0] > 2.0
    assert (points.broken[0, 0], points.side[0, 0]) == (0b101, -1)


def test_a_series_that_does_not_cross_says_nothing():
    """No bit, no side, no lag."""
    assert speak([0.3, -0.4]) == (0, 0, 0)
