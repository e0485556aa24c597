from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from charting import metric, step, stream
from streamspc.chart import Bank, stuck
from streamspc.decide import Episodes, History, decide
from streamspc.model import BaselineSpec, Budget, ChartKind, ChartSpec, MetricKind, Rule

STUCK = 1 << list(Rule).index(Rule.STUCK)
M = 50
PROMISED = {"charts": ChartSpec(), "signal_by": (ChartKind.SHEWHART, ChartKind.CUSUM)}


def spec_of(kind=MetricKind.MEAN, arl0=43_200.0, **more):
    return stream(metric(kind=kind, **{**PROMISED, **more}), baseline=BaselineSpec(windows=M), budget=Budget(arl0=arl0, per="series"))


def learnt(spec, draw, *names):
    """A bank after Phase I."""
    bank = Bank.empty(spec)
    bank.grow(names or ["a"])
    for at in range(M):
        step(spec, bank, at, draw(at), n=9)
    return bank


def told(spec, bank, values, n=9):
    """Whether each window says `stuck`."""
    points = [step(spec, bank, 1000 + at, value, n=n) for at, value in enumerate(values)]
    return [one.rules is not None and bool(one.rules[0, 0] & STUCK) for one in points], points


@pytest.mark.parametrize(("ties", "pairs"), [(0, 49), (3, 49), (20, 49), (0, 199), (150, 199)])
@pytest.mark.parametrize("chance", [1e-3, 1e-7])
def test_the_run_is_the_least_that_is_unlikely_enough(ties, pairs, chance):
    """As the mean of t^s over a beta law has it."""
    run = stuck.run(ties, pairs, chance)

    def mean(power):
        return np.exp(special.betaln(ties + 0.5 + power, pairs - ties + 0.5) - special.betaln(ties + 0.5, pairs - ties + 0.5))

    assert mean(run) <= chance * (1 + 1e-6)
    assert run == 1 or mean(run - 1) > chance


def test_a_value_that_stops_moving_signals_by_a_rule_of_its_own():
    """At the length that follows from Phase I and the budget, as a part of the Shewhart chart, from the first of the values on."""
    rng = np.random.default_rng(1)
    spec = spec_of()
    bank = learnt(spec, lambda _: rng.normal(10.0, 1.0))
    ties = stuck.run(0, M - 1, 0.02 / 43_200.0)
    said, points = told(spec, bank, [10.2] * (ties + 3))
    assert said == [False] * ties + [True] + [False] * 2
    assert (points[ties].broken[0, 0], points[ties].onset_lag[0, 0], points[ties].side[0, 0]) == (1, ties, 1)


def test_it_is_one_episode_as_long_as_it_lasts():
    """Between two signals there are fewer quiet windows than end an episode."""
    rng = np.random.default_rng(2)
    spec = spec_of()
    bank, episodes, history = learnt(spec, lambda _: rng.normal(10.0, 1.0)), Episodes.empty(spec), History()
    episodes.grow(["a"])
    kinds = []
    for at in range(60):
        points = step(spec, bank, M + at, 10.1 if at < 40 else rng.normal(10.0, 1.0))
        history.add(100 * (M + at), points.sources)
        decided = decide(spec, episodes, points, history)
        bank.restart(decided.over)
        kinds += [(signal.kind, signal.rules) for signal in decided.signals if signal.rules or signal.kind == "resolve"]
    assert kinds[0] == ("open", ("stuck",))
    assert [kind for kind, _ in kinds].count("open") == [kind for kind, _ in kinds].count("resolve") == 1


@pytest.mark.parametrize(
    ("case", "more"),
    [
        ("a quantile is a sketch's", {"kind": MetricKind.QUANTILE, "q": 0.5}),
        ("a share is 0 as long as all is well", {"kind": MetricKind.NULL_RATE}),
        ("it was switched off", {"stuck": False}),
        ("the Shewhart chart may not speak", {"signal_by": (ChartKind.CUSUM,)}),
        ("its limit was written", {"charts": ChartSpec(shewhart_limit=3.0)}),
    ],
)
def test_what_is_never_stuck(case, more):
    """Other metrics, and those that asked not to be."""
    rng = np.random.default_rng(3)
    spec = spec_of(**more)
    bank = learnt(spec, lambda _: rng.uniform(0.45, 0.55))
    assert not any(told(spec, bank, [0.5] * 100)[0]), case


def test_a_constant_is_not_stuck_and_signals_when_it_moves():
    """It has tied all of Phase I; the smallest move is out of control."""
    spec = spec_of()
    bank = learnt(spec, lambda _: 7.0)
    said, points = told(spec, bank, [7.0] * 200 + [7.001])
    assert not any(said)
    assert [point.broken[0, 0] for point in points] == [0] * 200 + [3]


def test_a_missing_window_ends_the_run():
    """Nothing is bridged."""
    rng = np.random.default_rng(4)
    spec = spec_of()
    bank = learnt(spec, lambda _: rng.normal(10.0, 1.0))
    ties = stuck.run(0, M - 1, 0.02 / 43_200.0)
    said, _ = told(spec, bank, ([10.2] * ties + [np.nan]) * 4)
    assert not any(said)


def test_nights_without_a_hit_are_not_stuck():
    """Zero for ten hours of each day: a night, and a holiday of two days, is no signal; a day that repeats one number is."""
    rng = np.random.default_rng(5)
    spec = stream(metric(kind=MetricKind.SUM, **PROMISED), baseline=BaselineSpec(windows=240), budget=Budget(arl0=43_200.0, per="series"))
    bank = Bank.empty(spec)
    bank.grow(["a"])
    for at in range(240):
        step(spec, bank, at, 0.0 if at % 24 < 10 else float(rng.integers(50, 500)))
    of_any, usual, value = (numbers[0, 0] for numbers in bank.fit.stuck)
    assert value == 0.0
    assert 58 < usual < stuck.MOST
    assert of_any < 9
    assert told(spec, bank, [0.0] * 58)[0] == [False] * 58
    assert told(spec, bank, [170.0] * 9)[0].count(True) == 1


@pytest.mark.parametrize("decimals", [0, 1])
@pytest.mark.parametrize("kind", [MetricKind.SUM, MetricKind.COUNT])
def test_the_rule_takes_no_more_than_its_part_of_the_false_alarms(decimals, kind):
    """In control, values that tie by rounding say `stuck` in at most 2 % of the false alarms that are allowed."""
    rng = np.random.default_rng(6)
    spec, size, windows = spec_of(kind=kind, arl0=100.0), 4000, 300
    sigma = 2.0 if kind is MetricKind.SUM else 0.7
    base = 20.0 if kind is MetricKind.SUM else 30.0
    bank = learnt(spec, lambda _: np.round(rng.normal(base, sigma, (1, size)), decimals), *[f"{i:04}" for i in range(size)])
    alarms = 0
    for at in range(windows):
        point = step(spec, bank, M + at, np.round(rng.normal(base, sigma, (1, size)), decimals))
        alarms += 0 if point.rules is None else int(np.count_nonzero(point.rules & STUCK))
    allowed = stuck.SHARE * size * windows / 100.0
    assert alarms < allowed + 3 * np.sqrt(allowed)
    assert decimals or alarms > 0


def test_it_goes_on_from_a_snapshot():
    """Saved within a run of equal values and loaded in parts, the signal comes at the same window."""
    rng = np.random.default_rng(7)
    spec = spec_of()
    whole = learnt(spec, lambda _: rng.normal(10.0, 1.0, (1, 3)), "a", "b", "c")
    cut = Bank.load(spec, [(["a", "b", "c"], whole.save([0, 1, 2]))])
    for at in range(30):
        value = [[10.0, rng.normal(10.0, 1.0), 9.9]]
        one, other = step(spec, whole, M + at, value), step(spec, cut, M + at, value)
        assert (one.rules is None) == (other.rules is None)
        assert one.broken.tobytes() == other.broken.tobytes()
        if at == 3:
            cut = Bank.load(spec, [(["c", "a"], cut.save([2, 0])), (["b"], cut.save([1]))])
