"""Limits from a budget of false alarms: how it is split, when it is split anew, and that it is kept."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charting import TEXTBOOK, known, metric, step, stream
from streamspc.chart import Bank, stuck
from streamspc.chart.limits import choose, divisor, limits, room, undesigned
from streamspc.decide import Episodes, History, decide
from streamspc.model import BaselineSpec, Budget, ChartKind, ChartSpec, Points, Rule, StreamSpec

ALONE = (ChartKind.SHEWHART,)
BOTH = (ChartKind.SHEWHART, ChartKind.CUSUM)


def of(*metrics: Any, arl0: float = 1000.0, segmented: bool = True, **budget: Any) -> StreamSpec:
    """A stream of metrics with designed Shewhart charts, if nothing else is said."""
    metrics = metrics or (designed("a"), designed("b"))
    return stream(*metrics, segment_by=("x",) if segmented else (), budget=Budget(arl0=arl0, **budget), baseline=BaselineSpec(windows=4))


def designed(name: str = "m", **settings: Any) -> Any:
    """A metric whose limits follow from the budget, all of it."""
    return metric(name, **{"signal_by": ALONE, "charts": ChartSpec(), "stuck": False, **settings})


def rate(limit: Any) -> Any:
    """False alarms a window of two-sided Shewhart limits."""
    return np.vectorize(lambda x: 2.0 * NormalDist().cdf(-x))(limit)


def bank_of(spec: StreamSpec, names: list[str], partitions: int = 1) -> Bank:
    """A bank of known series."""
    bank = Bank.empty(spec, partitions)
    bank.grow(names)
    return bank


def test_the_rule_stuck_has_its_part_of_the_budget():
    """What the charts are allowed and what the rule is, together, are what the series is."""
    bank = bank_of(of(designed(stuck=True), segmented=False), ["*"])
    assert rate(bank.limits.shewhart).sum() == pytest.approx((1 - stuck.SHARE) / 1000, rel=1e-3)


def test_a_stream_without_segments_gives_all_of_its_budget_to_its_metrics():
    """Two series: together they signal falsely once in 1000 windows."""
    bank = bank_of(of(segmented=False), ["*"])
    assert rate(bank.limits.shewhart).sum() == pytest.approx(1 / 1000, rel=1e-3)


def test_declared_segments_and_the_whole_stream_share_nine_tenths():
    """All that may come are there: nine tenths of the budget are used, the reserve is not."""
    bank = bank_of(of(expected_segments=3), ["*", "p", "q", "r"])
    assert rate(bank.limits.shewhart).sum() == pytest.approx(0.9 / 1000, rel=1e-3)
    assert not bank.later.any()


def test_each_series_may_have_a_budget_of_its_own():
    """`per: series` divides nothing."""
    bank = bank_of(of(per="series"), ["*", "p", "q", "r"])
    assert rate(bank.limits.shewhart) == pytest.approx(np.full((2, 4), 1 / 1000), rel=1e-3)


@given(st.integers(1, 300), st.integers(0, 3000), st.integers(1, 8), st.floats(100, 1e5))
@settings(max_examples=50, deadline=None)
def test_the_budget_is_never_exceeded_however_many_come_later(segments, later, partitions, arl0):
    """Known series of all partitions, and later ones in each of them: expectations add up to the budget at most."""
    spec = of(arl0=arl0)
    here = limits(spec, segments, np.arange(1 + later) > 0, partitions).shewhart
    total = rate(here[:, 0]).sum() * (segments + 1)
    if later:
        total += rate(here[:, 1]).sum() * later * partitions
    assert total <= (1 + 2e-3) / arl0


def test_the_reserve_doubles_its_room():
    """Of 90 known segments ten more are expected; the eleventh halves what each of the later ones may have."""
    assert [room(90, later, 1) for later in (0, 1, 10, 11, 20, 21, 41)] == [10, 10, 10, 20, 20, 40, 80]
    assert room(0, 0, 1) == room(3, 1, 4) == 1


def test_metrics_without_a_part_in_the_promise_take_no_share():
    """Those that cannot signal, and those whose limits were written by hand."""
    silent, ours, theirs = designed("a", signal_by=()), designed("b"), metric("c", charts=TEXTBOOK)
    mixed = designed("d", signal_by=BOTH, charts=ChartSpec(shewhart_limit=4.0))
    assert divisor(of(silent, ours, theirs, mixed)) == 2
    assert divisor(of(silent)) == 1


def test_a_limit_that_was_written_stays():
    """The others are designed as if it were not there."""
    written = ChartSpec(shewhart_limit=4.0)
    chosen = choose(designed(signal_by=BOTH, charts=written), 500.0)
    assert chosen.shewhart == 4.0
    assert chosen.cusum == choose(designed(signal_by=(ChartKind.CUSUM,)), 500.0).cusum


def test_one_side_has_all_of_the_budget():
    """A metric that may only rise signals above its limit alone."""
    assert rate(choose(designed(direction="up"), 500.0).shewhart) / 2 == pytest.approx(1 / 500, rel=1e-3)


def test_charts_that_signal_together_have_wider_limits_than_alone():
    """But not so wide as if their alarms never came together."""
    together = choose(designed(signal_by=BOTH), 500.0)
    alone, halved = (choose(designed(), arl0).shewhart for arl0 in (500.0, 1000.0))
    assert alone < together.shewhart <= halved + 1e-4
    assert choose(designed(signal_by=(ChartKind.CUSUM,)), 500.0).cusum < together.cusum


def test_segments_are_counted_when_phase_one_ends():
    """At the window in which the first baselines freeze; the limits until then mean nothing, so the version stays the first."""
    spec = of()
    bank = bank_of(spec, ["*", "p", "q"])
    for at in range(4):
        assert bank.known is None
        points = step(spec, bank, at, [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
        assert bank.count() == (at == 3)
    assert bank.known == 2
    assert rate(bank.limits.shewhart).sum() == pytest.approx(0.9 / 1000, rel=1e-3)
    assert (bank.baseline.version == 1).all()
    assert (points.version == 0).all()
    assert not bank.count()


def test_one_of_several_partitions_takes_the_others_to_be_like_itself_until_it_knows():
    """Then the limits change, and with them the version of the baselines that there are."""
    spec = of()
    bank = bank_of(spec, ["p", "q"], partitions=4)
    for at in range(4):
        step(spec, bank, at, [[1.0, 2.0], [1.0, 2.0]])
        bank.count()
    assert bank.known == 8
    before = bank.limits.shewhart
    bank.divide(20)
    assert bank.known == 20
    assert (bank.limits.shewhart > before).all()
    assert (bank.baseline.version == 2).all()
    bank.divide(20)
    assert (bank.baseline.version == 2).all()


def test_segments_that_come_later_share_the_reserve():
    """They are marked as such; those that were there keep their limits and their version."""
    spec = of()
    bank = bank_of(spec, [f"s{i:02}" for i in range(9)])
    for at in range(4):
        step(spec, bank, at, np.full((2, 9), float(at)))
        bank.count()
    before = bank.limits.shewhart.copy()
    bank.grow(["s001", "s99"])
    assert [name for name, late in zip(bank.segments, bank.later, strict=True) if late] == ["s001", "s99"]
    assert (bank.limits.shewhart[:, ~bank.later] == before).all()
    assert rate(bank.limits.shewhart[:, bank.later]).sum() == pytest.approx(0.1 / 1000, rel=1e-3)
    assert (bank.baseline.version[:, ~bank.later] == 1).all()


def test_more_than_declared_come_later():
    """The whole stream is none of them."""
    bank = bank_of(of(expected_segments=2), ["*", "p", "q"])
    bank.grow(["a", "b"])
    assert [name for name, late in zip(bank.segments, bank.later, strict=True) if late] == ["a", "b"]


@given(st.integers(0, 12), st.permutations(range(5)))
@settings(max_examples=30, deadline=None)
def test_what_is_restored_goes_on_with_the_same_split(windows, order):
    """Known, later, limits and the count of windows: the same after a restart, however the segments were scattered."""
    spec = of()
    bank = bank_of(spec, ["*", "p", "q", "r"], partitions=3)
    for at in range(windows):
        step(spec, bank, at, np.full((2, len(bank.segments)), float(at)))
        bank.count()
        if at == 6:
            bank.grow(["late"])
    names = [bank.segments[i] for i in order if i < len(bank.segments)]
    columns = [bank.segments.index(name) for name in names]
    parts = [(names[:2], bank.save(columns[:2])), (names[2:], bank.save(columns[2:]))]
    again = Bank.load(spec, parts, 3, (bank.known, bank.windows))
    assert (again.known, again.windows, again.segments) == (bank.known, bank.windows, bank.segments)
    assert (again.later == bank.later).all()
    assert all(a.tobytes() == b.tobytes() for a, b in zip(again.limits, bank.limits, strict=True))


def test_a_shewhart_chart_alone_is_not_asked_for_what_nobody_knows():
    """Beyond an ARL0 of 1e5 the refusal names what else there is; in company, or with a second point, it may go on."""
    for metrics, refused in (
        ((designed(),), True),
        ((designed(signal_by=BOTH),), False),
        ((designed(charts=ChartSpec(confirm=2)),), False),
        ((designed(charts=TEXTBOOK),), False),
    ):
        found = list(undesigned(of(*metrics, arl0=1e5, expected_segments=50)))
        assert bool(found) == refused
        assert all("confirm: 2" in text and "per: series" in text and "ewma" in text for _, text in found)
    assert not list(undesigned(of(designed(), arl0=9e4, per="series")))


def test_rules_about_patterns_have_no_design():
    """Their rate is what it is: whoever wants them writes the limit, or leaves them out."""
    [(index, text)] = undesigned(of(designed("a"), designed("b", rules=(Rule.WE4,))))
    assert index == 1
    assert "we4" in text
    assert not list(undesigned(of(metric("b", rules=(Rule.WE4,)))))


def realised(spec: StreamSpec, series: int, windows: int, seed: int = 7) -> tuple[int, int]:
    """Episodes and windows at risk of so many series in control, with known parameters."""
    bank = known(spec, [f"{i:05}" for i in range(series)])
    episodes, history, rng = Episodes.empty(spec), History(), np.random.default_rng(seed)
    episodes.grow(bank.segments)
    found = at_risk = 0
    for at in range(windows):
        at_risk += int((~episodes.state.open).sum())
        points: Points = step(spec, bank, at, rng.standard_normal((len(spec.metrics), series)))
        history.add(points.start, points.sources)
        decided = decide(spec, episodes, points, history)
        bank.restart(decided.over)
        found += sum(signal.kind == "open" for signal in decided.signals)
    return found, at_risk


@pytest.mark.parametrize(
    "how",
    [
        {"signal_by": ALONE},
        {"signal_by": BOTH},
        {"signal_by": BOTH, "direction": "up"},
        {"signal_by": BOTH, "charts": ChartSpec(cusum_k=0.25, cusum_headstart=2.0)},
        {"signal_by": (ChartKind.EWMA,)},
        {"signal_by": tuple(ChartKind)},
        {"signal_by": (ChartKind.SHEWHART, ChartKind.EWMA), "direction": "down"},
        {"signal_by": ALONE, "charts": ChartSpec(confirm=2)},
        {"signal_by": BOTH, "rules": (Rule.WE2, Rule.WE3)},
        {"signal_by": (ChartKind.CUSUM, ChartKind.EWMA), "charts": ChartSpec(cusum_k=0.25, cusum_scales=(1.0,), ewma_scales=(0.05,))},
    ],
    ids=lambda how: "-".join(map(str, how["signal_by"])) + ("+" if len(how) > 1 else ""),
)
def test_the_realised_rate_is_the_promised_one(how):
    """Episodes per window at risk of series in control, within four standard errors and two per cent of what limits are known to."""
    arl0 = 100.0
    spec = of(designed(**how), arl0=arl0, per="series")
    found, at_risk = realised(spec, 500, 800)
    assert found / at_risk * arl0 == pytest.approx(1.0, abs=4 / math.sqrt(found) + 0.02)


@pytest.mark.parametrize("arl0", [20.0, 60.0, 1e11])
@pytest.mark.parametrize("how", [{"signal_by": tuple(ChartKind)}, {"signal_by": BOTH}, {"signal_by": BOTH, "rules": (Rule.WE2,)}])
def test_every_budget_that_may_come_has_limits(arl0, how):
    """A fold cannot refuse: what the configuration was let through with has a design for any number of segments."""
    chosen = choose(designed(**how), arl0)
    assert all(1.0 < limit < 100.0 for limit in chosen[:3])


def test_a_set_without_a_design_is_refused_before_it_starts():
    """Also one that would have none only when many segments have divided the budget."""
    faulty = designed("a", signal_by=tuple(ChartKind), charts=ChartSpec(ewma_lambda=0.07))
    [(index, text)] = undesigned(of(faulty))
    assert index == 0
    assert text
