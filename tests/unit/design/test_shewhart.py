"""Shewhart charts with run rules, against the rules as they are written in the literature."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from streamspc.design import shewhart_arl, shewhart_quantile
from streamspc.design.run_rules import machine

EVERY = (1, 2, 3, 4, 5, 6, 7, 8)


def _counts(flags, window):
    """How many of the last `window` points are flagged, [runs, points]; a window that is not full counts what there is."""
    total = np.cumsum(flags, axis=1, dtype=np.int64)
    before = np.zeros_like(total)
    before[:, window:] = total[:, :-window]
    return total - before


def _signals(x, numbers, run):
    """Which points signal, [runs, points], by the words of the rules."""
    rise = np.diff(x, axis=1, prepend=np.nan) > 0
    fall = np.diff(x, axis=1, prepend=np.nan) < 0
    turn = np.zeros_like(rise)
    turn[:, 2:] = (rise[:, 2:] & fall[:, 1:-1]) | (fall[:, 2:] & rise[:, 1:-1])
    rules = {
        1: lambda: np.abs(x) > 3,
        2: lambda: (_counts(x > 0, run) == run) | (_counts(x < 0, run) == run),
        3: lambda: (_counts(rise, 5) == 5) | (_counts(fall, 5) == 5),
        4: lambda: _counts(turn, 12) == 12,
        5: lambda: (_counts(x > 2, 3) >= 2) & (x > 2) | (_counts(x < -2, 3) >= 2) & (x < -2),
        6: lambda: (_counts(x > 1, 5) >= 4) & (x > 1) | (_counts(x < -1, 5) >= 4) & (x < -1),
        7: lambda: _counts(np.abs(x) < 1, 15) == 15,
        8: lambda: _counts(np.abs(x) > 1, 8) == 8,
    }
    return np.logical_or.reduce([rules[number]() for number in numbers])


def _first(signals):
    """Number of the first signalling point of each run; 0 for none."""
    return np.where(signals.any(axis=1), signals.argmax(axis=1) + 1, 0)


def _walk(x, numbers, run):
    """The first signal of one run by the machine."""
    cuts, automaton = machine(numbers, 3.0, run)
    state, before, own = 0, None, -1
    for number, value in enumerate(x, 1):
        zone = int(np.searchsorted(cuts, value))
        falls_within = automaton.zone.max() >= 0 and zone == own and value < before
        state = automaton.step[state, -1 if falls_within else zone]
        if state < 0:
            return number
        before, own = value, zone
    return 0


@pytest.mark.parametrize(
    "numbers", [(1,), (2,), (3,), (4,), (5,), (6,), (7,), (8,), (1, 2, 5, 6), (3, 4), (1, 3, 7), (2, 4, 6, 8), EVERY], ids=str
)
@pytest.mark.parametrize("run", [7, 9])
def test_the_machine_signals_where_the_rules_say(numbers, run):
    """On series with trends, saw teeth and spells near the centre, the first signal is that of the rules in words."""
    rng = np.random.default_rng(sum(numbers) + run)
    x = rng.standard_normal((60, 80)) * rng.choice([0.5, 1.0, 1.6], (60, 1))
    x[:20] += 0.3 * np.cumsum(x[:20], axis=1)
    x[20:40] += 0.8 * (-1.0) ** np.arange(80) * rng.uniform(0.0, 1.5, (20, 1))

    assert [_walk(row, numbers, run) for row in x] == _first(_signals(x, numbers, run)).tolist()


@pytest.mark.parametrize(
    ("rules", "expected"),
    [("123", 132.89), ("124", 122.05), ("134", 105.78), ("1234", 91.75), ("12", 225.44), ("13", 166.05), ("14", 152.73)],
)
def test_western_electric_rules_have_the_published_averages(rules, expected):
    """Champ & Woodall 1987, table 1."""
    assert shewhart_arl(rules=rules) == pytest.approx(expected, abs=0.006)


def _order_arl(table, steps):
    """Average run length of a rule about order, by the exact law of relative ranks: place i of n after n points, uniform for each new one.

    `table` maps (state, rise) to a state, or None for a signal. The tail is geometric.
    """
    law = {0: np.ones(1)}
    remaining = [1.0]
    for n in range(1, steps):
        new: dict[int, np.ndarray] = {}
        for state, weights in law.items():
            total = np.concatenate(([0.0], np.cumsum(weights))) / (n + 1)
            for rise, mass in ((True, total), (False, total[-1] - total)):
                after = table(state, rise)
                if after is not None:
                    new[after] = new.get(after, 0.0) + mass
        law = new
        remaining.append(sum(weights.sum() for weights in law.values()))
    ratio = remaining[-1] / remaining[-2]
    return 1.0 + sum(remaining) + remaining[-1] * ratio / (1.0 - ratio)


def test_steady_rises_are_counted_as_by_ranks():
    """Rule 3 alone has the average that the ranks of random permutations have, whatever the law of the points."""

    def table(state, rise):
        after = (max(state, 0) + 1) if rise else (min(state, 0) - 1)
        return None if abs(after) == 5 else after

    exact = _order_arl(table, 150)

    assert exact == pytest.approx(421.7, abs=0.2)
    for law in (None, stats.gamma(2.0)):
        assert shewhart_arl(3.0, 0.4, (3,), "nelson", distribution=law) == pytest.approx(exact, rel=1e-8)


def test_alternating_points_are_counted_as_by_ranks():
    """So has rule 4."""

    def table(state, rise):
        turned = (state > 0) != rise or state == 0
        after = (abs(state) + 1 if turned else 1) * (1 if rise else -1)
        return None if abs(after) == 13 else after

    assert shewhart_arl(rules=(4,), scheme="nelson") == pytest.approx(_order_arl(table, 150), rel=1e-8)


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_all_rules_of_nelson_agree_with_simulation(shift):
    """Within four standard errors of 6,000 runs."""
    x = np.random.default_rng(8).standard_normal((6000, 800 if shift == 0.0 else 120)) + shift
    lengths = np.concatenate([_first(_signals(part, EVERY, 9)) for part in np.array_split(x, 12)])

    assert lengths.min() > 0
    assert shewhart_arl(3.0, shift, EVERY, "nelson", 9) == pytest.approx(lengths.mean(), abs=4.0 * lengths.std() / math.sqrt(6000))


def test_a_rare_signal_keeps_its_digits():
    """Fifteen points within one sigma after a shift by five: the run is closed form, (1 - p^15) / (p^15 (1 - p))."""
    p = stats.norm.sf(4.0) - stats.norm.sf(6.0)

    assert shewhart_arl(3.0, 5.0, (7,), "nelson") == pytest.approx((1.0 - p**15) / (p**15 * (1.0 - p)), rel=1e-10)
    assert shewhart_arl(8.0) == pytest.approx(0.5 / stats.norm.sf(8.0), rel=1e-13)
    assert shewhart_arl(40.0) == math.inf


def test_a_distribution_is_standardised():
    """A standardised law, the same in other units, and one without moments that is standardised as such give one number."""
    law = stats.expon()

    class Bare:
        def cdf(self, x):
            return law.cdf(x + 1.0)

    numbers = {shewhart_arl(2.5, 0.3, "12", distribution=given) for given in (law, stats.expon(loc=-1), stats.expon(5, 7), Bare())}

    assert max(numbers) == pytest.approx(min(numbers), rel=1e-12)
    assert shewhart_arl(distribution=law) == pytest.approx(54.598, abs=1e-3)
    assert shewhart_arl(distribution="normal") == shewhart_arl()


def test_a_discrete_distribution_signals_strictly_outside():
    """Counts of mean 4 have their upper limit exactly on 10, which is no signal; zones have points on their lines and are refused."""
    law = stats.poisson(4)

    assert shewhart_arl(3.0, distribution=law) == pytest.approx(1.0 / law.sf(10), rel=1e-12)
    with pytest.raises(ValueError, match="continuous"):
        shewhart_arl(3.0, rules="12", distribution=law)


def test_quantiles_are_the_smallest_that_suffice():
    """P(RL <= n) reaches alpha at n and not before."""
    for alpha in (1e-6, 0.01, 0.5, 0.9, 0.999999):
        for limit, shift in ((3.0, 0.0), (2.0, 1.5), (4.5, 0.2)):
            p = stats.norm.sf(limit - shift) + stats.norm.cdf(-limit - shift)
            n = shewhart_quantile(alpha, limit, shift)

            assert -math.expm1(n * math.log1p(-p)) >= alpha * (1.0 - 1e-12)
            assert n == 1 or -math.expm1((n - 1.0) * math.log1p(-p)) < alpha
    assert shewhart_quantile(1.0 - 0.25, 0.0, 0.0) == 1.0


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("L", {"L": math.nan}), ("L", {"L": -1.0}), ("L", {"L": "three"}), ("L", {"L": None}), ("shift", {"shift": math.inf}),
        ("rules", {"rules": ""}), ("rules", {"rules": "15"}), ("rules", {"rules": (1, 2)}), ("scheme", {"scheme": "other"}),
        ("rules", {"scheme": "nelson"}), ("rules", {"scheme": "nelson", "rules": (0,)}), ("rules", {"scheme": "nelson", "rules": (9,)}),
        ("rules", {"scheme": "nelson", "rules": ()}), ("run", {"scheme": "nelson", "rules": (2,), "run": 6}),
        ("run", {"scheme": "nelson", "rules": (2,), "run": 8.5}), ("distribution", {"distribution": "cauchy"}),
        ("distribution", {"distribution": stats.cauchy()}), ("distribution", {"distribution": 3}),
        ("distribution", {"distribution": stats.t}), ("L", {"L": "3"}), ("rules", {"scheme": "nelson", "rules": 1}),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(name, arguments):
    """With a ValueError that names the argument."""
    with pytest.raises(ValueError, match=f"^{name} "):
        shewhart_arl(**arguments)
