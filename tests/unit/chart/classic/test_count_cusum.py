"""CUSUMs of counts, against one series in fractions and the likelihoods that they come from."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from streamspc.chart.classic import cusum
from streamspc.chart.classic.count_cusum import binomial_reference, negbin_reference, poisson_reference, signals, statistic
from streamspc.design import poisson_cusum_arl

COUNTS = st.lists(st.one_of(st.none(), st.integers(0, 12)), min_size=1, max_size=30)


@given(st.lists(COUNTS, min_size=1, max_size=4), st.integers(1, 40), st.integers(0, 12), st.booleans(), st.sampled_from([">=", ">"]))
def test_every_series_is_what_fractions_make_of_it(rows, eighths, start, upper, sign):
    """Statistic and signals exactly, with a head start and another k at every second point; None holds the statistic."""
    m = max(map(len, rows))
    rows = [row + [None] * (m - len(row)) for row in rows]
    x = np.array([[np.nan if count is None else count for count in row] for row in rows])
    k = [Fraction(eighths, 8), Fraction(eighths, 4)]
    h = Fraction(5)
    found = statistic(x, np.array([float(k[at % 2]) for at in range(m)]), upper=upper, headstart=start / 4)
    for row, told, over in zip(rows, found.tolist(), signals(found, 5.0, sign).tolist(), strict=True):
        now = Fraction(start, 4)
        for at, count in enumerate(row):
            if count is not None:
                now = max(Fraction(0), now + (count - k[at % 2]) * (1 if upper else -1))
            assert told[at] == now
            assert over[at] == (now >= h if sign == ">=" else now > h)


@given(st.floats(0.5, 20), st.floats(1.1, 3), st.floats(0.3, 50))
def test_the_reference_speaks_for_neither_rate(good, ratio, size):
    """Where the logarithm of the likelihood ratio, linear in the count, is zero."""
    bad, n = good * ratio, 200
    shares = good / n, bad / n
    laws = [
        (poisson_reference(good, bad), stats.poisson(good), stats.poisson(bad)),
        (binomial_reference(n, *shares), stats.binom(n, shares[0]), stats.binom(n, shares[1])),
        (negbin_reference(good, bad, size), *(stats.nbinom(size, size / (size + mean)) for mean in (good, bad))),
    ]
    for k, better, worse in laws:
        at_0, at_1 = (worse.logpmf(x) - better.logpmf(x) for x in (0, 1))
        assert float(k) == pytest.approx(-at_0 / (at_1 - at_0), rel=1e-6)
        assert good < float(k) < bad


def test_falls_have_the_same_reference():
    """Good and bad may change places."""
    assert poisson_reference(3.0, 2.0) == pytest.approx(poisson_reference(2.0, 3.0))
    assert binomial_reference(10, 0.3, 0.1) == pytest.approx(binomial_reference(10, 0.1, 0.3))
    assert negbin_reference(3.0, 2.0, 5.0) == pytest.approx(negbin_reference(2.0, 3.0, 5.0))


def test_the_two_ways_to_signal_have_the_run_lengths_of_design():
    """Poisson 2, k 2.5, h 5: 61.5 with >=, 79.8 with >, by simulation within 4 %."""
    x = np.random.default_rng(1).poisson(2.0, (3000, 900)).astype(float)
    c = statistic(x, 2.5)
    for sign in (">=", ">"):
        over = signals(c, 5.0, sign)
        assert over.any(axis=1).all()
        assert (over.argmax(axis=1) + 1).mean() == pytest.approx(poisson_cusum_arl(2.0, 2.5, 5.0, signal=sign), rel=0.04)


def test_what_cannot_be_is_refused():
    """Equal rates, and another comparison."""
    for make in (lambda: poisson_reference(2.0, 2.0), lambda: signals(np.zeros(3), 5.0, "=>")):
        with pytest.raises(ValueError, match=r"the same|must be"):
            make()


@given(st.lists(st.integers(-40, 40), min_size=1, max_size=25), st.integers(0, 20))
def test_a_head_start_on_both_sides_and_shewhart_limits_beside(eighths, start):
    """The two-sided CUSUM with a head start, and the combined chart, in fractions: k 1/2, h 5, c 3.5."""
    z = np.array(eighths) / 8
    both = cusum.two_sided(z, 0.5, start / 4)
    over = cusum.combined(z, 0.5, 5.0, 3.5, start / 4)
    up = down = Fraction(start, 4)
    for at, x in enumerate(Fraction(eighth, 8) for eighth in eighths):
        up, down = max(Fraction(0), up + x - Fraction(1, 2)), max(Fraction(0), down - x - Fraction(1, 2))
        assert (both[0, at], both[1, at]) == (up, down)
        assert over[at] == (max(up, down) > 5 or abs(x) > Fraction(7, 2))
