from __future__ import annotations

import dataclasses

import numpy as np

from charting import known, metric, sources, step, stream
from streamspc.decide import Episodes, History, decide, judge, rejecting, unjudged
from streamspc.model import BaselineSpec, ChartKind, JudgeRule, Rejection

BAD, NONE = 5.0, float("nan")


def window(spec, names, value, n=1):
    """Decisions of one window with known limits, its points, and the episodes after it."""
    episodes, history = Episodes.empty(spec), History()
    episodes.grow(names)
    history.add(0, sources(0))
    points = step(spec, known(spec, list(names)), 0, value, n=n)
    return decide(spec, episodes, points, history), points, episodes


def rejected(spec, names, value):
    return [(rejection.segment, rejection.metric) for rejection in window(spec, names, value)[0].rejections]


def test_only_metrics_and_charts_of_a_rule_reject():
    """An alert need not quarantine."""
    metrics = metric("x"), metric("y")
    value = [[BAD, 0.0], [0.0, BAD]]
    assert rejected(stream(*metrics), ["a", "b"], value) == []
    assert rejected(stream(*metrics, judge_by=(JudgeRule(metric="y"),)), ["a", "b"], value) == [("b", "y")]
    by_cusum = stream(*metrics, judge_by=(JudgeRule(metric="y", charts=(ChartKind.CUSUM,)),))
    assert rejected(by_cusum, ["a", "b"], value) == []
    assert rejected(by_cusum, ["a", "b"], [[BAD, 0.0], [0.0, 6.0]]) == [("b", "y")]


def test_a_rule_may_be_for_some_segments_only():
    """The others are left alone; rules add up."""
    rules = (JudgeRule(metric="x", segments=("a", "*")), JudgeRule(metric="y", segments=("c",)))
    spec = stream(metric("x"), metric("y"), judge_by=rules)
    assert rejected(spec, ["*", "a", "b", "c"], BAD) == [("*", "x"), ("a", "x"), ("c", "y")]


def test_the_metric_furthest_out_names_the_rejection():
    """One rejection a segment, by the largest |z|; of equals the first."""
    spec = stream(metric("x"), metric("y"), metric("z"), judge_by=(JudgeRule(metric="x"), JudgeRule(metric="y")))
    value = [[BAD, -BAD, BAD], [4.0, 6.0, BAD], [99.0, 99.0, 99.0]]
    assert rejected(spec, ["a", "b", "c"], value) == [("a", "x"), ("b", "y"), ("c", "x")]


def test_a_rejection_says_why_and_how_many():
    """Records of the segment, chart, value, limits, and the episode that the signal opened."""
    spec = stream(metric("x"), judge_by=(JudgeRule(metric="x", charts=tuple(ChartKind)),))
    decided, _, _ = window(spec, ["a", "b"], [[BAD, 0.0]], n=[70, 30])
    episode = decided.signals[0].episode
    reason = {"metric": "x", "chart": "shewhart", "value": BAD, "lcl": -3.0, "ucl": 3.0, "episode": episode}
    assert decided.rejections == [Rejection(stream="s", config="c", start=0, end=100, segment="a", n=70, **reason)]


def test_a_signal_is_rejected_where_it_is_a_reason_to_reject():
    """A metric that no rule names has not rejected anything, though another one of its segment did."""
    spec = stream(metric("x"), metric("y"), judge_by=(JudgeRule(metric="y"),))
    decided, _, _ = window(spec, ["a", "b"], [[BAD, BAD], [BAD, 0.0]])
    assert [(s.metric, s.segment, s.rejected) for s in decided.signals] == [("x", "a", False), ("x", "b", False), ("y", "a", True)]


def test_an_open_episode_alone_does_not_reject():
    """The window after a bad one may be good, although its episode waits for quiet."""
    spec = stream(metric("x"), judge_by=(JudgeRule(metric="x"),))
    bank, episodes, history = known(spec, ["a"]), Episodes.empty(spec), History()
    episodes.grow(["a"])
    rejections = []
    for at, value in enumerate([BAD, 0.0, BAD]):
        history.add(100 * at, sources(100 * at))
        rejections.append(len(decide(spec, episodes, step(spec, bank, at, value), history).rejections))
    assert rejections == [1, 0, 1]


def test_phase_one_never_rejects():
    """Even a point that says it broke a limit is not judged by limits that do not exist yet."""
    spec = stream(metric("x"), judge_by=(JudgeRule(metric="x"),))
    _, points, episodes = window(spec, ["a"], BAD)
    learning = dataclasses.replace(points, phase=np.zeros((1, 1), np.uint8))
    assert (len(judge(rejecting(spec, points), points, episodes)), judge(rejecting(spec, learning), learning, episodes)) == (1, [])


def test_records_that_no_rule_could_judge_are_counted_once():
    """All records of the whole stream while its judged metrics have no point in Phase II; 0 where one of them has."""
    spec = stream(metric("x"), metric("y"), metric("z"), judge_by=(JudgeRule(metric="x"), JudgeRule(metric="y")))
    names, n = ["*", "a"], [100, 60]

    def count(*values):
        return window(spec, names, [[value, 0.0] for value in values], n=n)[0].unjudged

    assert count(0.0, 0.0, 0.0) == 0
    assert count(NONE, 0.0, NONE) == 0
    assert count(NONE, NONE, 0.0) == 100


def test_learning_is_unjudged():
    """Phase I accepts, and says so."""
    spec = stream(metric("x"), judge_by=(JudgeRule(metric="x"),), baseline=BaselineSpec(windows=2))
    bank = known(spec, [])
    bank.grow(["*"])
    assert [unjudged(spec, step(spec, bank, at, at % 2, n=50)) for at in range(3)] == [50, 50, 0]


def test_only_where_the_whole_stream_lives_is_anything_unjudged():
    """Another chart partition, or rules that do not cover the whole stream, count nothing."""
    spec = stream(metric("x"), judge_by=(JudgeRule(metric="x"),))
    assert window(spec, ["a"], NONE, n=9)[0].unjudged == 0
    assert window(spec, ["*"], NONE, n=9)[0].unjudged == 9
    some = stream(metric("x"), judge_by=(JudgeRule(metric="x", segments=("a",)),))
    assert window(some, ["*", "a"], NONE, n=9)[0].unjudged == 0
    assert window(stream(metric("x")), ["*"], NONE, n=9)[0].unjudged == 0
