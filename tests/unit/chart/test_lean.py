from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from charting import metric, step, stream
from streamspc.chart import Bank, lean
from streamspc.chart.baseline import Windows, evened, screened
from streamspc.model import BaselineSpec, MetricKind

LAWS = {
    "exponential": (lambda rng, shape: rng.standard_exponential(shape), 1.0, 1.0),
    "lognormal": (lambda rng, shape: np.exp(rng.standard_normal(shape)), np.exp(0.5), np.e * (np.e - 1)),
    "normal": (lambda rng, shape: rng.standard_normal(shape), 0.0, 1.0),
}


def means(law, n, windows):
    """Standardised means of n records, with the factor of each."""
    draw, mean, variance = LAWS[law]
    records = draw(np.random.default_rng(1), (windows, n))
    of = lean.Records(np.full(windows, n), records.var(axis=1, ddof=1), np.full(windows, variance))
    return (records.mean(axis=1) - mean) / np.sqrt(variance / n), lean.factor(of, np.full(windows, variance), np.zeros(windows))


@pytest.mark.parametrize("law", ["exponential", "lognormal"])
def test_means_of_skewed_records_have_symmetrical_distances(law):
    """And as many beyond three sigma as normal ones, within a tenth; with fixed limits it is a fifth more, or 2.5 times."""
    z, factor = means(law, 100, 400_000)
    evened_ = (z - (z / factor).mean() / (1 / factor).mean()) / factor
    evened_ /= evened_.std()
    assert abs(stats.skew(evened_)) < 0.25 * stats.skew(z)
    assert (np.abs(z / z.std()) > 3).mean() > 1.15 * 2 * stats.norm.sf(3)
    assert (np.abs(evened_) > 3).mean() == pytest.approx(2 * stats.norm.sf(3), rel=0.1)


def test_normal_means_keep_their_sigma():
    """It varies by about one percent at 100 records, and not at all with one."""
    _, factor = means("normal", 100, 20_000)
    assert factor.mean() == pytest.approx(1.0, abs=0.003)
    assert factor.std() < 0.03
    one = lean.Records(np.array([1, 50]), np.array([0.0, 0.0]), np.array([2.0, 2.0]))
    assert lean.factor(one, np.array([2.0, 2.0]), np.array([0.1, 0.1])).tolist() == [1.0, 1.0]


def test_what_is_not_of_the_records_does_not_lean():
    """Where windows differ anyway, the scatter of records matters little."""
    records = lean.Records(np.array([100, 100]), np.array([50.0, 50.0]), np.array([1.0, 1.0]))
    alone, beside = lean.factor(records, np.array([1.0, 1.0]), np.array([0.0, 1.0]))
    assert alone > 1.9
    assert beside == pytest.approx(1.0, abs=0.03)


def test_screening_keeps_the_long_tail_of_skewed_means():
    """Windows far above the median come with a high variance, and stay; an error as far away does not."""
    records = np.exp(np.random.default_rng(2).standard_normal((400, 100, 50)))
    value, unit = records.mean(axis=1), records.var(axis=1, ddof=1)
    whole = np.zeros(value.shape)
    value[7], unit[7] = value.mean() + 8 * value.std(), unit.mean()
    keep = screened(MetricKind.MEAN, Windows(value, np.full(value.shape, 100), unit, whole), 3.5)
    assert not keep[7].any()
    lost = 1 - np.delete(keep, 7, axis=0).mean()
    plain = screened(MetricKind.SUM, Windows(value, np.full(value.shape, 100), whole, whole), 3.5)
    assert lost < 0.5 * (1 - np.delete(plain, 7, axis=0).mean())


def test_evened_means_are_centred():
    """The centre is where distances, evened, have the mean 0; windows of the same scatter stay as they are, to the bit."""
    records = np.random.default_rng(3).standard_exponential((60, 40, 5))
    value, unit = records.mean(axis=1), records.var(axis=1, ddof=1)
    windows, keep = Windows(value, np.full(value.shape, 40), unit, np.zeros(value.shape)), np.ones(value.shape, bool)
    assert (evened(MetricKind.MEAN, windows, keep, 3.5).mean(axis=0) < value.mean(axis=0)).all()
    alike = windows._replace(unit=np.ones(value.shape))
    assert np.array_equal(evened(MetricKind.MEAN, alike, keep, 3.5), value)


def test_limits_follow_the_scatter_of_the_window():
    """Beside a high variance a mean may be further off, above and below alike."""
    bank = Bank.empty(spec := stream(metric(), baseline=BaselineSpec(windows=60)))
    bank.grow(["a"])
    for at, row in enumerate(np.random.default_rng(4).standard_exponential((60, 100))):
        step(spec, bank, at, row.mean(), n=100, unit=row.var(ddof=1))
    calm, wild = (step(spec, Bank.load(spec, [(["a"], bank.save([0]))]), 60, 1.0, n=100, unit=unit) for unit in (1.0, 16.0))
    ratio = (wild.ucl - wild.centre) / (calm.ucl - calm.centre)
    assert ratio == pytest.approx((((12 + 99 * 16) / 111) / 1.0) ** (3 / 16), rel=0.05)
    assert wild.ucl + wild.lcl == pytest.approx(2 * wild.centre)
