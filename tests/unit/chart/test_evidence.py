from __future__ import annotations

import numpy as np
import pytest

from charting import metric, step, stream
from streamspc.chart import Bank, evidence
from streamspc.chart.evidence import doubts
from streamspc.decide import Episodes, History, decide
from streamspc.model import BaselineSpec, Budget, ChartKind, ChartSpec, Doubt, JudgeRule, MetricKind, Phase

LEARNING, MONITORING, _, PROVISIONAL = range(len(Phase))
PROMISED = {"charts": ChartSpec(), "signal_by": (ChartKind.SHEWHART, ChartKind.CUSUM)}
MEAN, COUNT, RATE = MetricKind.MEAN, MetricKind.COUNT, MetricKind.NULL_RATE


def promised(kind=MEAN, windows=12, **more):
    """A stream of one metric whose limits follow from a budget."""
    return stream(metric(kind=kind, **PROMISED), baseline=BaselineSpec(windows=windows), budget=Budget(arl0=500.0, per="series"), **more)


def grown(spec, *names):
    bank = Bank.empty(spec)
    bank.grow(names)
    return bank


def of(kind, m, *, kept=None, phi=0.0, side=0, value=0.0, n=1):
    """The doubts of one series of m windows, `kept` of them in one piece."""
    keep = (np.arange(m) < (m if kept is None else kept))[:, None]
    numbers = np.full((m, 1), value), np.full((m, 1), n)
    bits = doubts(kind, numbers, keep, np.array([phi]), np.array([side], np.int8))
    return {doubt.value for doubt in Doubt.named(int(bits[0]))}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (of(MEAN, 21), set()),
        (of(MEAN, 20), {"few_pairs"}),
        (of(MEAN, 40, kept=19), {"few_windows", "few_pairs"}),
        (of(COUNT, 20, side=1, value=1.0), set()),
        (of(MEAN, 50, phi=0.85), set()),
        (of(MEAN, 50, phi=0.86), {"alike"}),
        (of(MEAN, 1000, phi=0.89), set()),
        (of(MEAN, 1000, phi=0.9), {"alike"}),
        (of(RATE, 50, side=1, n=2), set()),
        (of(RATE, 49, side=1, n=2), {"no_hits"}),
        (of(RATE, 49, side=1, n=2, value=0.5), set()),
        (of(RATE, 49, side=-1, n=2, value=1.0), {"no_hits"}),
        (of(RATE, 40, kept=20, side=1, n=4), {"no_hits"}),
        (of(COUNT, 30, side=1), set()),
        (of(COUNT, 29, side=1), {"no_hits"}),
    ],
)
def test_evidence_has_rules(told, expected):
    """Windows, pairs, memory and hits, each at its border; rare series are not asked for autocorrelation."""
    assert told == expected


def test_pairs_are_neighbours_that_were_both_kept():
    """Thirty windows of which each third was left out have ten pairs."""
    keep = (np.arange(30) % 3 > 0)[:, None]
    bits = doubts(MEAN, (np.zeros((30, 1)), np.ones((30, 1), int)), keep, np.zeros(1), np.zeros(1, np.int8))
    assert Doubt.named(int(bits[0])) == (Doubt.FEW_PAIRS,)


def test_a_short_phase_one_is_provisional_until_more_windows_make_it_firm():
    """Twelve windows promise nothing: version 1 is marked, the next comes ten windows later, and is firm for good."""
    rng = np.random.default_rng(1)
    spec = promised()
    bank = grown(spec, "a")
    points = [step(spec, bank, at, rng.normal(10.0, 1.0)) for at in range(120)]
    phases = [point.phase[0, 0] for point in points]
    assert phases == [LEARNING] * 12 + [PROVISIONAL] * 10 + [MONITORING] * 98
    told = [(at, point.learnt) for at, point in enumerate(points) if point.learnt is not None]
    assert [(at, one.version.tolist(), one.windows.tolist()) for at, one in told] == [(11, [1], [12]), (21, [2], [22])]
    assert [Doubt.named(int(one.doubt[0])) for _, one in told] == [(Doubt.FEW_WINDOWS, Doubt.FEW_PAIRS), ()]
    assert {point.version[0, 0] for point in points[22:]} == {2}
    assert not len(bank.columns)


def test_nearly_all_short_baselines_are_firm_after_thirty_windows():
    """Of 500 series in control, whose first twelve windows promise nothing, four in five are firm ten windows later."""
    rng = np.random.default_rng(2)
    spec = promised()
    bank = grown(spec, *(f"{i:03}" for i in range(500)))
    firm = [np.count_nonzero(step(spec, bank, at, rng.normal(10.0, 1.0, (1, 500))).phase == MONITORING) for at in range(46)]
    assert firm[12] == firm[21] == 0
    assert firm[22] > 400
    assert firm[45] > 490


def test_limits_that_somebody_wrote_promise_nothing_so_nothing_is_in_doubt():
    """Two windows and textbook limits are judged, as they were asked to be."""
    spec = stream(metric(), baseline=BaselineSpec(windows=2))
    bank = grown(spec, "a")
    points = [step(spec, bank, at, float(at)) for at in range(3)]
    assert [point.phase[0, 0] for point in points] == [LEARNING, LEARNING, MONITORING]


def test_what_signals_while_provisional_teaches_nothing():
    """A jump that lasts as long as the baseline is provisional never becomes its centre."""
    rng = np.random.default_rng(4)
    spec = promised()
    bank = grown(spec, "a")
    for at in range(12):
        step(spec, bank, at, rng.normal(10.0, 1.0))
    points = [step(spec, bank, at, 1000.0) for at in range(12, 40)]
    assert all(point.broken[0, 0] and point.phase[0, 0] == PROVISIONAL for point in points)
    assert bank.learning.seen.tolist() == [[12]]
    assert bank.baseline.centre[0, 0] == pytest.approx(10.0, abs=1.0)


def test_the_memory_is_of_the_newest_windows():
    """A walk is too much alike for ever; its baseline is that of the last sixty windows, in their order."""
    rng = np.random.default_rng(5)
    spec = promised(windows=50, episodes=stream(metric()).episodes)
    bank = grown(spec, "a")
    walk, told, seen = np.cumsum(rng.normal(0.0, 1.0, 400)), [], []
    for at, value in enumerate(walk):
        point = step(spec, bank, at, value)
        seen += [at] * (not point.broken[0, 0])
        if point.learnt is not None:
            told.append((point.learnt, seen[-evidence.MEMORY :]))
    assert len(told) > 5
    for learnt, windows in told[1:]:
        assert (learnt.windows.tolist(), learnt.first.tolist()) == ([len(windows)], [100 * windows[0]])


def test_what_screening_left_out_is_recorded():
    """Each version says how many windows it looked at, how many it kept, and the start of each that it did not, series by series."""
    rng = np.random.default_rng(6)
    spec = stream(metric(), metric("other"), baseline=BaselineSpec(windows=30))
    bank = grown(spec, "a", "b", "c")
    value = rng.normal(10.0, 1.0, (30, 2, 3))
    value[[3, 17], 0, 1] = 60.0
    value[8, 1, 2] = -40.0
    points = [step(spec, bank, at, value[at]) for at in range(30)]
    assert [point.learnt for point in points[:-1]] == [None] * 29
    learnt = points[-1].learnt
    assert learnt is not None
    assert list(zip(learnt.metric.tolist(), learnt.segment.tolist(), strict=True)) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert learnt.windows.tolist() == [30] * 6
    assert learnt.kept.tolist() == [30, 28, 30, 30, 30, 29]
    assert learnt.first.tolist() == [0] * 6
    assert list(zip(learnt.baseline.tolist(), learnt.dropped.tolist(), strict=True)) == [(1, 300), (1, 1700), (5, 800)]


def test_a_provisional_series_signals_and_rejects_nothing():
    """The signal says that it is provisional; records are unjudged. Once the baseline is firm the same jump is rejected."""
    rng = np.random.default_rng(7)
    spec = promised(judge_by=(JudgeRule(metric="m"),))
    bank, episodes, history = grown(spec, "*"), Episodes.empty(spec), History()
    episodes.grow(["*"])
    found = {}
    for at in range(40):
        points = step(spec, bank, at, 99.0 if at in {15, 36} else rng.normal(10.0, 1.0), n=7)
        history.add(100 * at, points.sources)
        decided = decide(spec, episodes, points, history)
        bank.restart(decided.over)
        found[at] = decided
    early, late = found[15], found[36]
    assert ([signal.provisional for signal in early.signals], early.rejections, early.unjudged) == ([True], [], 7)
    assert not early.signals[0].rejected
    assert ([signal.provisional for signal in late.signals], len(late.rejections), late.unjudged) == ([False], 1, 0)


def test_a_provisional_series_goes_on_from_a_snapshot():
    """Saved and loaded between two versions, in two parts, the points to come are the same bits."""
    rng = np.random.default_rng(8)
    spec = promised()
    value = rng.normal(10.0, 1.0, (60, 1, 3))
    value[::5, 0, 1] += 30.0
    whole, cut = grown(spec, "a", "b", "c"), grown(spec, "a", "b", "c")
    for at in range(30):
        step(spec, whole, at, value[at])
        step(spec, cut, at, value[at])
    cut = Bank.load(spec, [(["c", "a"], cut.save([2, 0])), (["b"], cut.save([1]))])
    for at in range(30, 60):
        one, other = step(spec, whole, at, value[at]), step(spec, cut, at, value[at])
        assert (one.learnt is None) == (other.learnt is None)
        for name in ("phase", "version", "z", "centre", "cusum_up", "broken"):
            assert getattr(one, name).tobytes() == getattr(other, name).tobytes()
