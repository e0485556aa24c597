"""Charts of several metrics together, against one series told from the definitions with a linear algebra library."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from charting import metric, step, stream
from streamspc.chart import Bank, scatter
from streamspc.chart.multivariate import limit_of
from streamspc.design import expected_rate_mewma_limit
from streamspc.model import BaselineSpec, Budget, ChartKind, MetricKind, MultivariateSpec

M, WINDOWS, SCREEN = 20, 60, 3.5
METRICS = (metric("volume", MetricKind.COUNT), metric("price"), metric("latency"))
CHARTS = (
    MultivariateSpec(name="drift", metrics=("price", "latency"), weight=0.2),
    MultivariateSpec(name="break", metrics=("latency", "volume", "price"), weight=1.0),
)
SPEC = stream(*METRICS, multivariate=CHARTS, baseline=BaselineSpec(windows=M, screen=SCREEN), budget=Budget(arl0=500.0, per="series"))


def world(seed, windows=WINDOWS, segments=3):
    """Statistics [windows, M, S]: correlated, of unequal n, some missing, an outlier in Phase I, and a shift on the way."""
    rng = np.random.default_rng(seed)
    n = rng.integers(2, 400, (windows, 3, segments))
    shared = rng.normal(0, 1, (windows, 1, segments))
    value = 10 + 0.9 * shared + 0.4 * rng.normal(0, 1, (windows, 3, segments)) + rng.normal(0, 2, n.shape) / np.sqrt(n)
    value[5, 1] += 6
    late = np.arange(windows) > windows * 2 // 3
    value[late, 1] += rng.choice([0.0, 1.0, 2.0, 5.0], (1, segments))
    value[rng.random(n.shape) < 0.04] = np.nan
    return value, n, 4 * rng.random(n.shape), 0.001 * rng.random(n.shape)


def chart(columns, numbers, bank=None, start=0, spec=SPEC):
    """Points of all windows for these segments."""
    if bank is None:
        bank = Bank.empty(spec)
        bank.grow([f"s{column}" for column in columns])
    rows = zip(*(array[..., columns] for array in numbers), strict=True)
    return bank, [step(spec, bank, start + i, x, n=k, unit=u, extra=e) for i, (x, k, u, e) in enumerate(rows)]


def plain(one, bank, points, numbers, s):
    """What each window of one series has to say of one chart: phase, T2, signal, what each metric adds."""
    at = [SPEC.series.index(name) for name in one.metrics]
    learnt, fitted, z, told = [], None, np.zeros(len(at)), []
    for i, point in enumerate(points):
        if np.isnan(point.value[at, s]).any():
            told.append((2, None, False, None))  # there are records
            z = (1 - one.weight) * z
        elif fitted is None:
            told.append((0, None, False, None))
            learnt += [i] * (not point.broken[at, s].any())
            if len(learnt) == M:
                baseline = [array[at, s] for array in (bank.baseline.centre, bank.baseline.between, bank.baseline.unit)]
                fitted = fit(one, baseline, *(numbers[k][learnt][:, at, s] for k in (0, 1, 3)))
        else:
            centre, covariance, limit = fitted
            middle, between, unit = baseline
            value, n, extra = (numbers[k][i][at, s] for k in (0, 1, 3))
            z = (1 - one.weight) * z + one.weight * ((value - middle) / np.sqrt(between + unit / n + extra) - centre)
            scale = one.weight / (2 - one.weight) * covariance
            t2, *without = (z[o] @ np.linalg.inv(scale[np.ix_(o, o)]) @ z[o] for o in [[*range(len(at))], *others(len(at))])
            told.append((1, t2, t2 > limit, t2 - np.array(without)))
            z = np.zeros(len(at)) if t2 > limit else z
    return told


def others(p):
    """Each set of all metrics but one."""
    return [[j for j in range(p) if j != i] for i in range(p)]


def fit(one, baseline, value, n, extra):
    """Centre, covariance and limit from the windows of Phase I [m, p]."""
    centre, between, unit = baseline
    x = (value - centre) / np.sqrt(between + unit / n + extra)
    keep = (np.abs(x) <= SCREEN).all(axis=1)
    inner, p = math.erf(SCREEN / math.sqrt(2)), len(one.metrics)
    while True:
        k, apart = keep.sum(), x - x[keep].mean(axis=0)
        t2 = np.einsum("ij,jk,ik->i", apart, np.linalg.inv(np.cov(x[keep].T)), apart)
        inside = keep & (t2 <= (k - 1) ** 2 / k * stats.beta(p / 2, (k - p - 1) / 2).ppf(inner))
        if (inside == keep).all():
            break
        keep = inside
    cut = stats.chi2(p + 2).cdf(stats.chi2(p).ppf(inner)) / inner
    fewer = expected_rate_mewma_limit(p, 1.0, int(k), 500.0) / expected_rate_mewma_limit(p, 1.0, M, 500.0)
    return x[keep].mean(axis=0), np.cov(x[keep].T) / cut, round(expected_rate_mewma_limit(p, one.weight, M, 500.0) * fewer, 4)


@given(st.integers(0, 2**32))
@settings(max_examples=15, deadline=None)
def test_every_series_is_what_linear_algebra_makes_of_it(seed):
    """Phases, T2, signals and what each metric adds, of both charts; points of the metrics are as without the charts."""
    numbers = world(seed)
    bank, points = chart([0, 1, 2], numbers)
    _, without = chart([0, 1, 2], numbers, spec=stream(*METRICS, baseline=SPEC.baseline, budget=SPEC.budget))
    for a, b in zip(points, without, strict=True):
        assert a.value[:3].tobytes() == b.value.tobytes()
        assert a.broken[:3].tobytes() == b.broken.tobytes()
    first = 0
    for c, one in enumerate(CHARTS):
        for s in range(3):
            for i, (phase, t2, over, alone) in enumerate(plain(one, bank, points, numbers, s)):
                point, row = points[i], 3 + c
                assert point.phase[row, s] == phase, (i, c, s)
                if t2 is None:
                    assert np.isnan(point.value[row, s])
                    continue
                assert point.value[row, s] == pytest.approx(t2, rel=1e-9)
                assert point.z[row, s] == pytest.approx(3 * math.sqrt(t2 / point.ucl[row, s]))
                assert (point.broken[row, s] > 0) == over == (point.z[row, s] > 3)
                if over:
                    assert point.contributions[first : first + len(alone), s] == pytest.approx(alone, rel=1e-9, abs=1e-9)
        first += len(one.metrics)


def test_that_law_meets_signals():
    """Of both charts, as the chart that each is, at the limits of the budget."""
    _, points = chart([0, 1, 2], world(7))
    told = {(m - 3, int(point.broken[m, s])) for point in points for m, s in np.argwhere(point.broken) if m > 2}

    assert told == {(0, 1 << list(ChartKind).index(ChartKind.EWMA)), (1, 1 << list(ChartKind).index(ChartKind.SHEWHART))}
    assert points[-1].contributors == (
        ("drift", "price"), ("drift", "latency"), ("break", "latency"), ("break", "volume"), ("break", "price"),
    )  # fmt: skip


def bits(points, columns=slice(None)):
    """Every array of points, in these columns."""
    found = []
    for point in points:
        arrays = [getattr(point, field.name) for field in dataclasses.fields(point)]
        found.append([np.ascontiguousarray(a[..., columns]).tobytes() for a in arrays if isinstance(a, np.ndarray)])
    return found


@given(st.integers(0, 2**32), st.sets(st.integers(0, 6), min_size=1))
@settings(max_examples=10, deadline=None)
def test_neighbours_leave_no_trace(seed, chosen):
    """A series has the same bits alone, among few, or among many; whether a neighbour signals is all that an array more tells."""
    numbers = world(seed, 50, 7)
    columns = sorted(chosen)
    many, few = chart(range(7), numbers)[1], chart(columns, numbers)[1]
    silent = [a.contributions is not None and b.contributions is None for a, b in zip(many, few, strict=True)]
    nothing = np.full((5, len(columns)), np.nan)
    few = [dataclasses.replace(b, contributions=nothing) if none else b for b, none in zip(few, silent, strict=True)]

    assert bits(many, columns) == bits(few)


@given(st.integers(0, 2**32), st.integers(0, 49), st.permutations(range(6)), st.integers(1, 5))
@settings(max_examples=10, deadline=None)
def test_restoring_what_was_saved_goes_on_with_the_same_bits(seed, stop, order, cut):
    """At any window, in any split over shards."""
    numbers = world(seed, 50, 6)
    _, whole = chart(range(6), numbers)
    bank, before = chart(range(6), [array[:stop] for array in numbers])
    parts = [([bank.segments[c] for c in part], bank.save(part)) for part in (order[:cut], order[cut:])]
    _, after = chart(range(6), [array[stop:] for array in numbers], Bank.load(SPEC, parts), stop)

    assert bits(whole) == bits(before + after)


@given(st.integers(0, 2**32), st.integers(0, 40))
@settings(max_examples=10, deadline=None)
def test_growing_moves_columns_and_nothing_else(seed, late):
    """Who was there goes on with the same bits."""
    numbers = world(seed, 50, 3)
    _, alone = chart([0, 2], numbers)
    bank, _ = chart([0, 2], [array[:late] for array in numbers])
    bank.grow(["s1"])
    _, grown = chart([0, 1, 2], [array[late:] for array in numbers], bank, late)

    for a, b in zip(grown, alone[late:], strict=True):
        for name in ("value", "z", "broken", "phase", "ucl", "version", "onset_lag"):
            assert np.ascontiguousarray(getattr(a, name)[:, [0, 2]]).tobytes() == getattr(b, name).tobytes(), name


def test_an_episode_that_ends_begins_the_average_again():
    """And no other series."""
    bank, _ = chart([0, 1], world(3))
    before = bank.together.charts[0].average
    series = np.zeros((5, 2), bool)
    series[3, 1] = before[:, 1].all()
    bank.restart(series)

    assert series.any()
    assert not bank.together.charts[0].average[:, 1].any()
    assert bank.together.charts[0].average[:, 0].tobytes() == before[:, 0].tobytes()


def test_limits_that_change_are_a_new_version():
    """Those of segments that share the budget anew; a limit that was written stays."""
    spec = shared(expected_segments=3)
    bank = Bank.empty(spec)
    bank.grow(["*", "a"])
    numbers = world(4, 40, 2)
    _, points = chart([0, 1], numbers, bank, spec=spec)
    bank.divide(30)
    after = step(spec, bank, 40, np.full((3, 2), 10.0))

    assert (points[-1].version[3:] == 1).all()
    assert (after.version[3] == 2).all()
    assert (after.version[4] == 1).all()
    assert (after.ucl[3] > points[-1].ucl[3]).all()
    assert (after.ucl[4] == 44.0).all()


def shared(**budget):
    """The stream with segments, whose second chart has a limit that somebody wrote."""
    charts = (CHARTS[0], MultivariateSpec(name="break", metrics=CHARTS[1].metrics, weight=1.0, limit=44.0))
    return stream(*METRICS, multivariate=charts, baseline=SPEC.baseline, segment_by=("shop",), budget=Budget(arl0=500.0, **budget))


def test_a_limit_is_that_of_the_windows_that_were_kept():
    """Exactly so for T2."""
    one = MultivariateSpec(name="t2", metrics=("a", "b", "c"), weight=1.0)

    assert limit_of(one, 1000.0, 40, 50) == pytest.approx(expected_rate_mewma_limit(3, 1.0, 40, 1000.0), abs=1e-4)


def test_outliers_in_phase_one_teach_nothing():
    """Windows that break the correlation, each metric within its own limits, widen the scatter by little."""
    rng = np.random.default_rng(1)
    x = rng.normal(0, 1, (100, 1, 200)) + 0.2 * rng.normal(0, 1, (100, 2, 200))
    clean = scatter.estimate(x / x.std(axis=0), 3.5)
    x[::25, 0] += 1.5
    x[::25, 1] -= 1.5
    spoilt = scatter.estimate(x / x.std(axis=0), 3.5)
    volume = [np.median(1 / (f.whiten[0, 0] * f.whiten[1, 1])) for f in (clean, spoilt)]

    assert (spoilt.kept <= 97).mean() > 0.9
    assert volume[1] == pytest.approx(volume[0], rel=0.15)


def test_metrics_that_say_the_same_or_nothing_do_no_harm():
    """A copy adds nothing, a constant counts in its own sigma, and all numbers are finite."""
    rng = np.random.default_rng(2)
    a = rng.normal(0, 1, (50, 1, 4))
    found = scatter.estimate(np.concatenate([a, a, np.zeros_like(a)], axis=1), 3.5)
    apart = np.array([[2.0], [2.0], [3.0]]) * np.ones((3, 4))

    assert np.isfinite(found.whiten).all()
    t2 = scatter.squared(scatter.whitened(found.whiten, apart - found.centre))
    alone = scatter.squared(scatter.whitened(found.whiten[:1, :1], (apart - found.centre)[:1]))
    assert t2 == pytest.approx(alone + 9, rel=1e-6)


@pytest.mark.parametrize("weight", [1.0, 0.2])
def test_false_alarms_are_as_many_as_the_budget_says(weight):
    """Averaged over Phase I, on data in control, of unequal n: the realised ARL0 is within a fifth of the wished one."""
    windows, segments, m = 500, 400, 50
    one = MultivariateSpec(name="both", metrics=("a", "b"), weight=weight)
    spec = stream(metric("a", signal_by=()), metric("b", signal_by=()), multivariate=(one,),
                  baseline=BaselineSpec(windows=m), budget=Budget(arl0=100.0, per="series"))  # fmt: skip
    rng = np.random.default_rng(3)
    bank = Bank.empty(spec)
    bank.grow([f"s{i:03}" for i in range(segments)])
    alarms = points = 0
    for at in range(m + windows):
        n = rng.integers(20, 200, (2, segments))
        shared = rng.normal(0, 1, segments)
        value = 5 + (0.7 * shared + 0.7 * rng.normal(0, 1, (2, segments))) / np.sqrt(n) * 3
        point = step(spec, bank, at, value, n=n, unit=9.0)
        alarms += int((point.broken[2] > 0).sum())
        points += int((point.phase[2] == 1).sum())

    assert 80 < points / alarms < 125
