from __future__ import annotations

import numpy as np
import pytest

from charting import known, metric, step, stream
from streamspc.model import BaselineSpec, ChartKind, Effect, MetricKind

ALONE = (ChartKind.SHEWHART,)


def signals(points):
    """Shewhart signals, by segment of the first metric."""
    return (points.broken[0] & 1).tolist()


def test_a_point_on_the_limit_is_no_signal():
    """Only strictly outside is: a Poisson count of 10 with mean 4 has z = 3 exactly."""
    spec = stream(metric(kind=MetricKind.COUNT))
    bank = known(spec, ["a", "b"], centre=4.0, between=4.0)
    points = step(spec, bank, 0, [[10.0, 11.0]])
    assert points.ucl[0, 0] == 10.0
    assert signals(points) == [0, 1]


@pytest.mark.parametrize("kind", [MetricKind.COUNT, MetricKind.SD, MetricKind.PROPORTION])
def test_a_limit_clipped_to_what_is_possible_never_signals(kind):
    """Where centre - L sigma is below 0 the LCL is 0, and a value of 0 is within."""
    spec = stream(metric(kind=kind))
    bank = known(spec, ["a"], centre=0.1, between=0.04)
    points = step(spec, bank, 0, 0.0)
    assert (points.lcl[0, 0], signals(points)) == (0.0, [0])


def test_a_rate_has_no_limit_above_one():
    """The UCL of a rate near 1 is 1, and 1 is within; a mean has no such bound."""
    spec = stream(metric("rate", MetricKind.NULL_RATE), metric("mean"))
    bank = known(spec, ["a"], centre=0.9, between=0.04)
    points = step(spec, bank, 0, 1.0)
    assert points.ucl[:, 0].tolist() == pytest.approx([1.0, 1.5])
    assert points.lcl[:, 0].tolist() == pytest.approx([0.3, 0.3])
    assert points.broken[0, 0] == 0


@pytest.mark.parametrize(("direction", "expected"), [("both", [1, 0, 1]), ("up", [0, 0, 1]), ("down", [1, 0, 0])])
def test_direction_says_which_side_may_signal(direction, expected):
    """A one-sided metric is quiet on its good side."""
    spec = stream(metric(direction=direction, signal_by=ALONE))
    points = step(spec, known(spec, ["a", "b", "c"]), 0, [[-4.0, 0.0, 4.0]])
    assert signals(points) == expected
    assert points.side[0].tolist() == [-expected[0], 0, expected[2]]


@pytest.mark.parametrize(
    ("effect", "threshold"),
    [(Effect(amount=1.0), 1.0), (Effect(amount=0.1, unit="relative"), 1.0), (Effect(amount=5.0, unit="sigma"), 0.5)],
)
def test_a_shift_too_small_to_matter_is_no_signal(effect, threshold):
    """Far outside in sigma, yet judged by its size in the unit that the user chose."""
    spec = stream(metric(min_effect=effect, signal_by=ALONE))
    bank = known(spec, ["a", "b"], centre=-10.0, between=0.01)
    points = step(spec, bank, 0, [[-10.0 + threshold * 0.98, -10.0 - threshold * 1.02]])
    assert signals(points) == [0, 1]


def test_false_alarms_in_control_are_as_many_as_three_sigma_says():
    """400 series of 500 points with unequal n and overdispersion: near 0.0027 of them, a little more as the baseline is an estimate."""
    rng = np.random.default_rng(20)
    spec = stream(metric(signal_by=ALONE), baseline=BaselineSpec(windows=200))
    bank = known(spec, [])
    bank.grow([f"{i:03}" for i in range(400)])
    alarms = 0
    for at in range(700):
        n = rng.integers(5, 100, 400)
        value = 10 + rng.normal(0, 0.5, 400) + rng.normal(0, 2, 400) / np.sqrt(n)
        alarms += sum(signals(step(spec, bank, at, value, n=n, unit=4 * rng.chisquare(n - 1) / (n - 1))))
    assert 0.0020 < alarms / 200_000 < 0.0040
