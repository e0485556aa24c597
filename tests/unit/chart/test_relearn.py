from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from charting import metric, step, stream
from streamspc.chart import Bank, relearn
from streamspc.chart.baseline import Windows, freeze
from streamspc.chart.evidence import BIT, memory
from streamspc.model import BaselineSpec, ChartSpec, Doubt, MetricKind, MultivariateSpec, Points, Statistics

M = 20  # windows of Phase I


def world(*metrics, names=("a", "b"), **settings):
    """A stream and an empty bank."""
    spec = stream(*(metrics or (metric("m"),)), baseline=BaselineSpec(windows=M), **settings)
    bank = Bank.empty(spec)
    bank.grow(names)
    return spec, bank


def walk(of, values, *, first=0, opened=None, n=9):
    """Points of these windows; `opened` [M, S] are series whose episode is taken to be open."""
    spec, bank = of
    out = []
    for at, value in enumerate(values, first):
        out.append(step(spec, bank, at, value, n=n, unit=4.0))
        shape = len(spec.metrics), len(bank.segments)
        parts = [np.broadcast_to(np.asarray(part, np.float64), shape).copy() for part in (value, 4.0, 0.0)]
        at_all = Statistics(parts[0], np.full(shape, n, np.int64), parts[1], parts[2])
        if opened is not None:
            bank.remember(np.broadcast_to(np.array(opened, bool), shape), at_all, 100 * at)
    return out


def noise(windows, scale=1.0, level=0.0, seed=1):
    """Windows of two segments, each value a list for the bank."""
    return [[row] for row in (level + scale * np.random.default_rng(seed).normal(size=(windows, 2))).tolist()]


def columns(points: Points, column: int) -> dict[str, bytes]:
    """Every array of a series, as bytes; the version is told apart."""
    found = {field.name: getattr(points, field.name) for field in fields(points)}
    return {
        name: np.ascontiguousarray(array[..., column]).tobytes()
        for name, array in found.items()
        if isinstance(array, np.ndarray) and name != "version"
    }


def only(column, of):
    """The mask of one segment's series."""
    mask = np.zeros((len(of[0].series), len(of[1].segments)), bool)
    mask[:, column] = True
    return mask


def test_after_a_reset_a_series_is_charted_as_one_that_begins():
    """Phase I and all that follows, to the last bit; the other one goes on as if nothing had been."""
    of, untouched, fresh = world(), world(), world()
    before, after = noise(30), noise(60, level=7.0, seed=2)
    walk(of, before)
    walk(untouched, before)
    relearn.reset(of[1], only(0, of))
    assert of[1].baseline.former.tolist() == [[1, 0]]
    said, without, begun = (walk(it, after, first=30) for it in (of, untouched, fresh))

    for one, other, new in zip(said, without, begun, strict=True):
        assert columns(one, 0) == columns(new, 0)
        assert columns(one, 1) == columns(other, 1)
    assert [int(points.version[0, 0]) for points in said] == [0] * M + [2] * (60 - M)


def test_a_reset_in_phase_one_begins_it_again():
    """What was seen so far is forgotten, and the first baseline is still the first."""
    of, fresh = world(), world()
    walk(of, noise(M - 1))
    relearn.reset(of[1], only(0, of))
    after = noise(M + 3, seed=4)

    for one, new in zip(walk(of, after), walk(fresh, after), strict=True):
        assert columns(one, 0) == columns(new, 0)
    assert of[1].baseline.version.tolist() == [[1, 1]]


def test_an_accepted_level_is_the_last_windows_of_the_episode():
    """As many as Phase I remembers, whatever came before them, screened as Phase I is; wild ones stay out."""
    of = world()
    walk(of, noise(M))
    m = memory(M)
    episode = noise(12, level=99.0) + noise(m, 3.0, level=10.0, seed=3)
    episode[20][0][0] = 1e6
    walk(of, episode, first=M, opened=[[True, False]])
    former = of[1].baseline
    assert relearn.acceptable(of[1]).tolist() == [[True, False]]
    relearn.accept(of[1], only(0, of))

    last = np.array([row[0][0] for row in episode[-m:]])[:, None]
    parts = Windows(last, np.full((m, 1), 9, np.int64), np.full((m, 1), 4.0), np.zeros((m, 1)))
    found, now = freeze(MetricKind.MEAN, parts, of[0].baseline.screen), of[1].baseline
    assert now.centre[0].tolist() == [found.centre[0], former.centre[0, 1]]
    assert (now.between[0, 0], now.kept[0, 0], now.dropped[0, 0]) == (found.between[0], m - 1, 1)
    assert now.version.tolist() == [[2, 1]]
    assert 9.0 < now.centre[0, 0] < 11.0


def test_quiet_windows_do_not_narrow_the_limits():
    """The level moves, the scale stays: a dozen windows that happen to be alike prove nothing."""
    of = world()
    walk(of, noise(M))
    former = of[1].baseline
    walk(of, noise(12, 0.01, level=50.0), first=M, opened=[[True, True]])
    relearn.accept(of[1], only(0, of))
    now = of[1].baseline

    assert 49.9 < now.centre[0, 0] < 50.1
    assert (now.between[0, 0], now.unit[0, 0], now.phi[0, 0]) == (former.between[0, 0], former.unit[0, 0], max(former.phi[0, 0], 0.0))
    assert of[1].fit.widening[0, 0] > 1.0 or of[1].limits.arl0[0, 0] == 0


@pytest.mark.parametrize(("kind", "level", "to"), [(MetricKind.COUNT, 1000.0, 250.0), (MetricKind.PROPORTION, 0.5, 0.05)])
def test_the_scale_of_counts_and_shares_goes_with_their_level(kind, level, to):
    """Variances at a quarter of the mean are a quarter; p (1 - p) is that of the new p."""
    of = world(metric("m", kind))
    wide = 0.05 * level
    walk(of, noise(M, wide, level), n=10_000)
    former = of[1].baseline
    walk(of, noise(10, 1e-9 * to, to), first=M, opened=[[True, True]], n=10_000)
    relearn.accept(of[1], only(0, of))
    now = of[1].baseline

    if kind is MetricKind.COUNT:
        assert now.between[0, 0] == pytest.approx(former.between[0, 0] * now.centre[0, 0] / former.centre[0, 0])
    else:
        assert now.unit[0, 0] == pytest.approx(to * (1 - to), rel=1e-3)
        assert now.between[0, 0] == former.between[0, 0]


def test_evidence_for_the_scale_is_kept_and_that_for_the_level_is_asked_for():
    """Eight windows make a level of a firm baseline; a rate without a hit in few records is in doubt, and is learnt on from there."""
    rate = metric("m", MetricKind.PROPORTION, charts=ChartSpec())
    of = world(rate)
    walk(of, noise(2 * M + 2, 0.03, 0.5), n=900)
    assert not of[1].baseline.doubt.any()
    assert not len(of[1].columns)
    walk(of, [[[0.1, 0.0]]] * 8, first=2 * M + 2, opened=[[True, True]], n=9)
    relearn.accept(of[1], only(0, of) | only(1, of))
    assert of[1].baseline.doubt.tolist() == [[0, BIT[Doubt.NO_HITS]]]
    assert (of[1].columns.tolist(), of[1].learning.seen.tolist()) == ([1], [[0]])

    version = of[1].baseline.version.copy()
    walk(of, [[[0.1, 0.0]]] * (M + 5), first=3 * M, n=900)
    assert (of[1].baseline.version - version).tolist() == [[0, 1]]
    assert not of[1].baseline.doubt.any()


def test_too_few_windows_teach_nothing():
    """An episode of seven is no level; one that is over is none either."""
    of = world()
    walk(of, noise(M))
    walk(of, noise(7, level=9.0), first=M, opened=[[True, True]])
    assert not relearn.acceptable(of[1]).any()
    walk(of, noise(1, level=9.0), first=M + 7, opened=[[True, False]])
    assert relearn.acceptable(of[1]).tolist() == [[True, False]]
    walk(of, noise(1), first=M + 8, opened=[[False, False]])
    assert not relearn.acceptable(of[1]).any()
    assert of[1].recall.value.shape[-1] == 0


def test_what_an_episode_left_is_not_in_the_next():
    """Its windows are forgotten where another series of the segment keeps the place."""
    of = world(metric("m"), metric("other"), names=("a",))
    walk(of, [[[x[0][0]], [x[0][1]]] for x in noise(M)])
    walk(of, [[[99.0], [99.0]]] * 9, first=M, opened=[[True], [True]])
    walk(of, [[[0.0], [99.0]]], first=M + 9, opened=[[False], [True]])
    walk(of, [[[5.0], [99.0]]] * 9, first=M + 10, opened=[[True], [True]])
    relearn.accept(of[1], np.array([[True], [True]]))

    assert of[1].baseline.centre[:, 0].tolist() == [5.0, 99.0]


def test_metrics_together_learn_again_when_one_of_theirs_does():
    """They look at it in its sigma. The chart of the other segment stays."""
    together = MultivariateSpec(name="t", metrics=("m", "other"), weight=1.0, limit=30.0)
    of = world(metric("m"), metric("other"), multivariate=(together,))
    rows = [[x[0], y[0]] for x, y in zip(noise(4 * M), noise(4 * M, seed=5), strict=True)]
    walk(of, rows)
    assert of[1].together.charts[0].version.tolist() == [1, 1]
    mask = np.zeros((3, 2), bool)
    mask[0, 0] = True
    begun = relearn.reset(of[1], mask)
    assert begun.tolist() == [[True, False], [False, False], [True, False]]
    assert of[1].together.charts[0].version.tolist() == [0, 1]
    walk(of, rows, first=4 * M)

    assert of[1].together.charts[0].version.tolist() == [2, 1]
    assert of[1].baseline.version.tolist() == [[2, 1], [1, 1]]


def test_a_bank_that_was_saved_goes_on_with_what_it_remembers():
    """In pieces, and grown since: the episode's windows stay with their segment."""
    of = world()
    walk(of, noise(M))
    walk(of, noise(9, level=20.0), first=M, opened=[[False, True]])
    parts = [((name,), of[1].save([at])) for at, name in enumerate(of[1].segments)]
    again = Bank.load(of[0], parts[::-1])
    again.grow(["0 comes first"])
    relearn.accept(again, np.array([[False, False, True]]))
    relearn.accept(of[1], np.array([[False, True]]))

    assert again.baseline.centre[0, 2] == of[1].baseline.centre[0, 1]
