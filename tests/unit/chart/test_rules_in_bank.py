from __future__ import annotations

import numpy as np
import pytest

from charting import known, metric, step, stream
from streamspc import wire
from streamspc.chart import Bank
from streamspc.chart.rules import mask, named
from streamspc.decide import Episodes, History, decide
from streamspc.effect import wording
from streamspc.errors import Fatal
from streamspc.model import BaselineSpec, ChartKind, Effect, Rule, Signal

SHEWHART = (ChartKind.SHEWHART,)


def run(spec, values, bank=None, start=0):
    """Points of one series with centre 0 and sigma 1."""
    bank = bank or known(spec, ["a"])
    return [step(spec, bank, start + at, value) for at, value in enumerate(values)]


def ruled(*rules, **settings):
    """A stream with one metric that asks for these rules."""
    return stream(metric(rules=tuple(Rule(rule) for rule in rules), **{"signal_by": SHEWHART, **settings}))


def told(points):
    """Rules broken at each point."""
    return [() if point.rules is None else tuple(map(str, named(int(point.rules[0, 0])))) for point in points]


def test_a_rule_signals_as_the_shewhart_chart():
    """Two points beyond 2 sigma are a signal of the Shewhart chart, upwards, that began with the first of them."""
    points = run(ruled("we2"), [2.1, 0.0, 2.2])
    assert told(points) == [(), (), ("we2",)]
    assert [int(point.broken[0, 0]) for point in points] == [0, 0, 1]
    assert (int(points[-1].side[0, 0]), int(points[-1].onset_lag[0, 0])) == (1, 2)


def test_without_rules_nothing_is_told():
    """A metric that does not ask has points without rules, and no memory of them."""
    points = run(stream(metric()), [2.1] * 9)
    assert all(point.rules is None for point in points)
    assert known(stream(metric()), ["a"]).runs.last.shape == (0, 1)


def test_a_signal_of_the_shewhart_chart_starts_the_rules_again():
    """The points of one signal are not part of the next: eight more are needed, and a point beyond 3 sigma ends the run, too."""
    points = run(ruled("we4"), [0.5] * 16 + [0.5] * 7 + [3.5] + [0.5] * 8)
    assert [at for at, rules in enumerate(told(points)) if rules] == [7, 15, 23, 31]
    points = run(ruled("we4"), [0.5] * 3 + [3.5] + [0.5] * 8)
    assert [at for at, rules in enumerate(told(points)) if rules] == [11]


def test_a_window_without_a_value_ends_a_run():
    """Neither a missing value nor a gap is bridged."""
    spec = ruled("we4")
    assert told(run(spec, [0.5] * 7 + [np.nan] + [0.5] * 7)) == [()] * 15
    bank = known(spec, ["a"])
    run(spec, [0.5] * 7, bank)
    step(spec, bank, 7, 0.5, gap=3)
    assert told(run(spec, [0.5] * 8, bank, 8)) == [()] * 7 + [("we4",)]


def test_rules_know_direction_and_min_effect():
    """A run downwards is not a rise; a run whose mean is too small to matter waits until it is not."""
    assert told(run(ruled("we4", direction="up"), [-0.5] * 12)) == [()] * 12
    spec = ruled("we4", min_effect=Effect(amount=0.6, unit="sigma"))
    points = run(spec, [0.5] * 8 + [1.4] * 2)
    assert told(points) == [()] * 8 + [("we4",), ()]
    assert int(points[8].onset_lag[0, 0]) == 8


def test_a_trend_has_a_side_wherever_it_is():
    """Six rising points below the centre are a rise, but of no size that a min_effect could be compared with."""
    rising = [-1.5, -1.3, -1.1, -0.9, -0.7, -0.5]
    points = run(ruled("nelson3", direction="up"), rising)
    assert told(points)[-1] == ("nelson3",)
    assert (int(points[-1].side[0, 0]), int(points[-1].onset_lag[0, 0])) == (1, 5)
    assert told(run(ruled("nelson3", direction="down"), rising))[-1] == ()
    assert told(run(ruled("nelson3", min_effect=Effect(amount=0.1)), rising))[-1] == ()


def test_rules_about_a_pattern_know_no_direction():
    """Fifteen points near the centre are told whatever side is asked for, with the side of the newest."""
    points = run(ruled("nelson7", direction="up", min_effect=Effect(amount=5.0)), [-0.5] * 15)
    assert told(points)[-1] == ("nelson7",)
    assert (int(points[-1].side[0, 0]), int(points[-1].onset_lag[0, 0])) == (-1, 14)


def test_rules_are_silent_where_the_shewhart_chart_is():
    """signal_by silences the rules with their chart."""
    assert told(run(ruled("we2", signal_by=()), [2.5] * 4)) == [()] * 4


def test_rules_do_not_run_in_phase_one():
    """A series that learns has no z, so its first eight points of Phase II are eight points."""
    spec = stream(metric(rules=(Rule.WE4,), signal_by=SHEWHART), baseline=BaselineSpec(windows=4))
    bank = Bank.empty(spec)
    bank.grow(["a"])
    points = run(spec, [1.0, -1.0, 1.0, -1.0] + [0.5] * 8, bank)
    assert [at for at, rules in enumerate(told(points)) if rules] == [11]


def test_each_metric_asks_for_its_own_rules():
    """Rules of one metric are not told of its neighbours, wherever it stands."""
    spec = stream(metric("a"), metric("b", rules=(Rule.WE2,), signal_by=SHEWHART), metric("c", rules=(Rule.NELSON3,), signal_by=SHEWHART))
    bank = known(spec, ["x", "y"])
    for at in range(2):
        points = step(spec, bank, at, [[2.5, 2.5], [2.5, 0.0], [2.5, 2.5]])
    assert points.rules is not None
    assert points.rules.tolist() == [[0, 0], [mask(["we2"]), 0], [0, 0]]
    assert points.broken[1:].tolist() == [[1, 0], [0, 0]]


def test_points_travel_with_their_rules():
    """Where a rule is broken there is one more column; of another shape it is refused."""
    quiet, loud = run(ruled("we2"), [2.1, 2.2])
    assert wire.decode_points(wire.encode_points(quiet)).rules is None
    back = wire.decode_points(wire.encode_points(loud)).rules
    assert back is not None
    assert back.dtype == np.uint16
    assert back.tolist() == [[2]]
    loud = wire.decode_points(wire.encode_points(loud))
    object.__setattr__(loud, "rules", np.array([[1], [2]], np.uint16))
    with pytest.raises(Fatal, match="points was expected"):
        wire.decode_points(wire.encode_points(loud))


def test_signals_name_the_rules():
    """The signal that opens an episode says which rules were broken."""
    spec = ruled("we2", "nelson3")
    episodes, history = Episodes.empty(spec), History()
    episodes.grow(["a"])
    signals: list[Signal] = []
    for points in run(spec, [2.1, 2.2]):
        history.add(points.start, points.sources)
        signals += decide(spec, episodes, points, history).signals
    assert [(signal.kind, signal.charts, signal.rules) for signal in signals] == [("open", ("shewhart",), ("we2",))]


@pytest.mark.parametrize(
    ("rules", "z", "words"),
    [
        (("we2",), 2.5, "two of three points beyond 2 sigma"),
        (("we2", "nelson5"), 2.5, "two of three points beyond 2 sigma"),
        (("we1",), 3.5, "one point beyond 3 sigma"),
        (("nelson3",), 3.5, "one point beyond 3 sigma and six points that rise or fall steadily"),
        (("one of tomorrow",), 0.1, "one of tomorrow"),
        ((), 3.5, "one point beyond 3 sigma"),
    ],
)
def test_messages_say_which_rule(rules, z, words):
    """A signal of a rule is not called a point beyond the limits."""
    signal = Signal(kind="open", stream="s", config="c", metric="m", charts=("shewhart",), rules=rules, z=z, shewhart_limit=3.0)
    assert wording.rule(signal, None) == words
