"""Laws of counts against scipy's, and against exact arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from streamspc.design.counts import Binomial, NegativeBinomial, Poisson

LAWS = [
    (Poisson(1e-9), stats.poisson(1e-9)),
    (Poisson(2.0), stats.poisson(2.0)),
    (Poisson(17.3), stats.poisson(17.3)),
    (Poisson(0.0), stats.poisson(0.0)),
    (Binomial(1, 0.3), stats.binom(1, 0.3)),
    (Binomial(2, 0.25), stats.binom(2, 0.25)),
    (Binomial(50, 0.02), stats.binom(50, 0.02)),
    (Binomial(40, 0.6), stats.binom(40, 0.6)),
    (Binomial(10, 0.0), stats.binom(10, 0.0)),
    (Binomial(10, 1.0), stats.binom(10, 1.0)),
    (NegativeBinomial(2.0, 3.0), stats.nbinom(4.0, 2 / 3)),
    (NegativeBinomial(5.0, 500.0), stats.nbinom(25 / 495, 0.01)),
]


@pytest.mark.parametrize(("law", "reference"), LAWS, ids=str)
def test_chances_and_tails_are_those_of_scipy(law, reference):
    """Relative to each, however small; also left of 0 and right of n."""
    x = np.arange(-3.0, 60.0)
    for ours, theirs in ((law.at, reference.pmf), (law.up_to, reference.cdf), (law.above, reference.sf)):
        assert ours(x) == pytest.approx(theirs(x), rel=1e-12, abs=1e-290)
    assert law.centre == pytest.approx(reference.mean())
    assert law.spread == pytest.approx(reference.std())


@pytest.mark.parametrize("mean", [1e4, 1e6, 1e9])
def test_chances_of_large_counts_lose_no_digits(mean):
    """They sum to one, where logarithms of factorials would have lost up to eleven digits."""
    x = np.arange(int(mean - 12 * mean**0.5), int(mean + 12 * mean**0.5) + 1.0)
    for law in (Poisson(mean), Binomial(int(mean * 100), 0.01), NegativeBinomial(mean, 1.5 * mean)):
        assert law.at(x).sum() == pytest.approx(1.0, abs=1e-13)


def test_a_negative_binomial_that_is_all_but_poisson_is_exact():
    """Against the product of its ratios in fractions: size 250,000, to the digits that var - mean has."""
    mean, var = Fraction(5.0), Fraction(5.0001)
    size, share = mean * mean / (var - mean), (var - mean) / var
    law = NegativeBinomial(5.0, 5.0001)
    chances = law.at(np.arange(60.0))
    for x in range(59):
        assert chances[x + 1] / chances[x] == pytest.approx(float((size + x) / (x + 1) * share), rel=1e-12)
