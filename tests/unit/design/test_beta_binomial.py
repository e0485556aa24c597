"""Beta-binomial law: against scipy's, and one method against the other."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from streamspc.design import beta_binomial
from streamspc.design.beta_binomial import AllOrNone, BetaBinomial


@pytest.mark.parametrize(("n", "p", "rho"), [(2, 0.3, 0.2), (50, 0.02, 0.01), (1000, 0.01, 1e-4), (300, 0.5, 0.6), (300, 0.97, 0.3)])
def test_chances_and_tails_are_those_of_scipy(n, p, rho):
    """Also of two peaks at the ends, and left of 0 and right of n."""
    law = BetaBinomial(n, p, rho)
    theirs = stats.betabinom(n, *law.shapes)
    x = np.arange(-2.0, n + 3.0)

    assert law.up_to(x) == pytest.approx(theirs.cdf(x), rel=1e-8)
    assert law.above(x) == pytest.approx(np.maximum(theirs.sf(x), 0.0), rel=1e-7, abs=2e-11)
    assert law.at(x) == pytest.approx(theirs.pmf(x), abs=1e-11)
    assert law.centre == pytest.approx(theirs.mean())
    assert law.spread == pytest.approx(theirs.std())


@pytest.mark.parametrize(
    ("n", "p", "rho", "x"),
    [
        (2000, 0.1, 0.01, 250),
        (2000, 0.1, 0.01, 150),
        (100_000, 0.01, 0.001, 1300),
        (100_000, 0.01, 0.0001, 700),
        (1_000_000, 0.5, 0.3, 7000),
        (100_000, 0.5, 0.9, 70),
        (100_000, 0.5, 0.9, 99_950),
        (100_000, 0.5, 0.9, 0),
    ],
)
def test_the_integral_is_the_sum(n, p, rho, x):
    """The method for very many counts, where both can be had; also near an end at which the beta law has a pole."""
    law, at = BetaBinomial(n, p, rho), np.array([float(x)])

    assert beta_binomial._integral(law, x, below=True) == pytest.approx(law.up_to(at)[0], rel=1e-10)
    assert beta_binomial._integral(law, x, below=False) == pytest.approx(law.above(at)[0], rel=1e-10)


def test_a_billion_items_tend_to_the_beta_law():
    """With so many items the count over n is the probability itself."""
    law, n = BetaBinomial(10**9, 0.01, 1e-4), 10**9
    beta = stats.beta(*law.shapes)
    x = np.array([-1.0, 7e6, 1.3e7, n])

    assert law.up_to(x) == pytest.approx(beta.cdf(x / n), rel=1e-3)
    assert law.above(x) == pytest.approx(beta.sf(x / n), rel=1e-3)


def test_all_or_none():
    """Fully correlated items are one item."""
    law = AllOrNone(5, 0.25)
    x = np.array([-1.0, 0.0, 2.0, 4.0, 5.0])

    assert law.up_to(x).tolist() == [0, 0.75, 0.75, 0.75, 1]
    assert law.above(x).tolist() == [1, 0.25, 0.25, 0.25, 0]
    assert law.at(x).tolist() == [0, 0.75, 0, 0, 0.25]
