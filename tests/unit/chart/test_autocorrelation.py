from __future__ import annotations

import numpy as np
import pytest

from charting import known, metric, step, stream
from streamspc.chart import autocorrelation
from streamspc.chart.autocorrelation import PAIRS
from streamspc.model import ChartKind, Effect

ALL = (ChartKind.SHEWHART, ChartKind.CUSUM, ChartKind.EWMA)


def correlated(phi, m=200, q=2000, seed=1):
    """Stationary series of variance 1, [m, q]."""
    rng = np.random.default_rng(seed)
    rows = [rng.standard_normal(q)]
    for _ in range(m - 1):
        rows.append(phi * rows[-1] + np.sqrt(1 - phi * phi) * rng.standard_normal(q))
    return np.array(rows)


def bank_with(phi, names=("a",)):
    spec = stream(metric(signal_by=ALL))
    bank = known(spec, list(names))
    bank.baseline.phi[:] = phi
    bank.refit()
    return spec, bank


@pytest.mark.parametrize("phi", [0.2, 0.5, 0.8])
def test_phi_is_the_autocorrelation_and_a_standard_error_more(phi):
    """Five of six series learn at least what is true, and on average one standard error more."""
    rows = correlated(phi)
    learnt = autocorrelation.estimate(rows - rows.mean(axis=0), np.ones(rows.shape, bool))
    error = np.sqrt((1 - phi * phi) / len(rows))
    assert learnt.mean() == pytest.approx(phi + error, abs=0.012)
    assert (learnt >= phi).mean() == pytest.approx(0.84, abs=0.04)


def test_independent_windows_learn_little_and_alternating_ones_nothing():
    """What is not there costs a standard error at most on average; negative autocorrelation is left alone."""
    rows = correlated(0.0)
    every = np.ones(rows.shape, bool)
    assert autocorrelation.estimate(rows - rows.mean(axis=0), every).mean() < 1.1 / np.sqrt(len(rows))
    sign = np.where(np.arange(200) % 2, 1.0, -1.0)[:, None]
    assert autocorrelation.estimate(sign, np.ones(sign.shape, bool)).tolist() == [0.0]


def test_the_variance_from_residuals_is_that_of_the_values():
    """Whatever phi is, and although windows are left out."""
    rows = correlated(0.7, m=400)
    keep = np.random.default_rng(2).random(rows.shape) < 0.9
    distance = np.where(keep, rows, 0.0)
    assert autocorrelation.variance(distance, keep, np.full(rows.shape[1], 0.7)).mean() == pytest.approx(1.0, abs=0.02)


def test_few_neighbours_teach_nothing():
    """A window that was dropped parts its neighbours."""
    rows = np.linspace(-1.0, 1.0, PAIRS + 1)[:, None]
    keep = np.ones(rows.shape, bool)
    assert autocorrelation.estimate(rows, keep)[0] > 0.5
    keep[3] = False
    assert autocorrelation.estimate(np.where(keep, rows, 0.0), keep)[0] == 0.0


def test_the_window_before_says_what_is_to_be_expected():
    """The centre moves by phi times the last distance, sigma shrinks by as much as is known, and z is their residual."""
    spec, bank = bank_with(0.6)
    step(spec, bank, 0, 2.0)
    points = step(spec, bank, 1, 2.0)
    assert (points.centre[0, 0], points.sigma[0, 0]) == pytest.approx((1.2, 0.8))
    assert points.z[0, 0] == pytest.approx((2.0 - 1.2) / 0.8)
    assert points.ucl[0, 0] == pytest.approx(1.2 + 3 * 0.8)


@pytest.mark.parametrize("between", [np.nan, 50.0])
def test_a_missing_window_and_one_that_signalled_say_nothing_of_the_next(between):
    """The next one is judged by itself, so that an outlier does not make a good window bad."""
    spec, bank = bank_with(0.6)
    step(spec, bank, 0, 2.0)
    step(spec, bank, 1, between)
    points = step(spec, bank, 2, 0.0)
    assert (points.centre[0, 0], points.sigma[0, 0], points.z[0, 0]) == (0.0, 1.0, 0.0)


@pytest.mark.parametrize(("least", "signals"), [(1.3, True), (3.0, False)])
def test_a_shift_that_lasts_is_estimated_in_full(least, signals):
    """A shift of two sigma shows in residuals by half of itself or less; `min_effect` hears of all of it, and not of more."""
    spec = stream(metric(signal_by=(ChartKind.CUSUM,), min_effect=Effect(amount=least)))
    bank = known(spec, ["a"])
    bank.baseline.phi[:] = 0.5
    bank.refit()
    told = [step(spec, bank, at, 2.0).broken[0, 0] for at in range(12)]
    assert any(told) is signals
