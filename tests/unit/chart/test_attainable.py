from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from charting import metric, step, stream
from streamspc.chart import Bank, attainable
from streamspc.model import BaselineSpec, Budget, ChartKind, ChartSpec, MetricKind

BOTH, ALONE = (ChartKind.SHEWHART, ChartKind.CUSUM), (ChartKind.SHEWHART,)


def spec_of(kind=MetricKind.COUNT, by=ALONE, windows=200, **more):
    return stream(
        metric(kind=kind, **{"charts": ChartSpec(), "signal_by": by, "stuck": False, **more}),
        baseline=BaselineSpec(windows=windows),
        budget=Budget(arl0=370.4, per="series"),
    )


def learnt(spec, draw, size, n=9):
    bank = Bank.empty(spec)
    bank.grow([f"{i:04}" for i in range(size)])
    for at in range(spec.baseline.windows):
        step(spec, bank, at, draw((1, size)), n=n)
    return bank


def stated(bank, column=0, n=9.0):
    """The ARL0 of one series, which has one."""
    found = attainable.arl0(bank, (0, column), n)
    assert found is not None
    return found


def test_a_shewhart_chart_has_the_tail_beyond_its_limit():
    """With so long a Phase I that the mean is known, it is that of the Poisson law, below the promise."""
    rng = np.random.default_rng(1)
    spec = spec_of(windows=5000)
    bank = learnt(spec, lambda shape: 1.0 * rng.poisson(2.0, shape), 1)
    most = step(spec, bank, 5000, 2.0, n=9).ucl[0, 0]
    assert stated(bank) == pytest.approx(1.0 / stats.poisson.sf(most, 2.0), rel=0.3)
    assert stated(bank) > 370.4


@pytest.mark.parametrize("by", [ALONE, BOTH])
@pytest.mark.parametrize(("kind", "mean", "n"), [(MetricKind.COUNT, 2.0, 9), (MetricKind.NULL_RATE, 1.0, 10_000)])
def test_what_is_stated_is_what_comes(by, kind, mean, n):
    """Simulated series signal as often as was stated, or up to a third more rarely: overdispersion cannot be excluded."""
    rng = np.random.default_rng(2)
    spec, size, windows = spec_of(kind, by), 600, 400

    def draw(shape):
        hits = rng.poisson(mean, shape)
        return hits / n if kind is MetricKind.NULL_RATE else hits.astype(float)

    bank = learnt(spec, draw, size, n)
    expected = float(np.mean([1.0 / stated(bank, column, n) for column in range(50)]))
    alarms = sum(int(np.count_nonzero(step(spec, bank, 200 + at, draw((1, size)), n=n).broken)) for at in range(windows))
    assert 0.6 < alarms / (size * windows) / expected < 1.1
    assert expected < 1.0 / 370.4


def test_where_nothing_can_be_stated_nothing_is():
    """Common hits, charts that are not in it, limits that somebody wrote."""
    rng = np.random.default_rng(3)
    for spec, mean in (
        (spec_of(), 100.0),
        (spec_of(by=tuple(ChartKind)), 2.0),
        (spec_of(charts=ChartSpec(shewhart_limit=3.0)), 2.0),
    ):
        bank = learnt(spec, lambda shape, mean=mean: 1.0 * rng.poisson(mean, shape), 1)
        assert attainable.arl0(bank, (0, 0), 9.0) is None


def test_a_rate_that_was_never_hit_has_next_to_no_false_alarms():
    """The chain has an answer where hardly anything leaves it."""
    bank = learnt(spec_of(MetricKind.NULL_RATE, BOTH), np.zeros, 1, 10_000)
    assert stated(bank, 0, 10_000.0) > 10_000
