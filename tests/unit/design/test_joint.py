"""Limits of sets of charts, against equations of pairs, chains, and simulation of the charts as they are defined."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from streamspc.design import (
    alone,
    bank_limits,
    cusum_limit,
    ewma_limit,
    series_arl0,
    shewhart_arl,
    shewhart_cusum_arl,
    shewhart_cusum_limit,
)
from streamspc.design import ewma_arl as fixed_ewma_arl
from streamspc.design.ewma_smooth import asymptotic
from streamspc.design.joint_factors import factor, interpolated, table
from streamspc.design.shewhart_ewma import Clipped, shewhart_ewma_limit

TABLE = 0.01  # promised standard error of an ARL0 by the table


def simulated(limits, *, cusum=(), ewma=(), sided="two", confirm=1, rules=(), runs=6000):
    """Mean run length of the charts and its standard error, by their definitions."""
    rng, sides = np.random.default_rng(1), (1.0, -1.0) if sided == "two" else (1.0,)
    points, sums, smooth = np.zeros((5, runs)), np.zeros((len(sides), len(cusum), runs)), np.zeros((len(ewma), runs))
    lengths, t = [], 0
    while points.shape[1]:
        t += 1
        points = np.concatenate((rng.standard_normal((1, points.shape[1])), points[:4]))
        out = np.zeros(points.shape[1], bool)
        smooth = smooth + np.array(ewma)[:, None] * (points[0] - smooth)
        for at, side in enumerate(sides):
            x = side * points
            if limits.shewhart is not None:
                out |= (x[:confirm] > limits.shewhart).all(axis=0)
            for rule, (hits, window, line) in {"we2": (2, 3, 2.0), "we3": (4, 5, 1.0)}.items():
                beyond = x[:window] > line * limits.zones
                out |= beyond[0] & (beyond.sum(axis=0) >= hits) & (rule in rules)
            sums[at] = np.maximum(0.0, sums[at] + x[0] - np.array(cusum)[:, None])
            out |= (sums[at] > np.array(limits.cusum)[:, None]).any(axis=0)
            for z, lam, width in zip(smooth, ewma, limits.ewma, strict=True):
                out |= side * z > width * math.sqrt(lam / (2.0 - lam) * (1.0 - (1.0 - lam) ** (2 * t)))
        lengths += [t] * int(out.sum())
        points, sums, smooth = points[:, ~out], sums[..., ~out], smooth[:, ~out]
    return np.mean(lengths), np.std(lengths) / math.sqrt(runs)


SETS = [
    {"cusum": (), "confirm": 2},
    {"cusum": (), "rules": ("we2", "nelson6")},
    {"cusum": (), "rules": ("we2",), "shewhart": False, "sided": "upper"},
    {"cusum": (), "ewma": (0.05,), "shewhart": False, "sided": "upper"},
    {"cusum": (0.5,), "sided": "upper"},
    {"cusum": (), "ewma": (0.1,)},
    {"cusum": (), "ewma": (0.2,), "sided": "upper"},
    {"cusum": (0.5,), "ewma": (0.1,)},
    {"cusum": (0.25, 1.0), "shewhart": False},
    {"cusum": (1.0, 0.25), "ewma": (0.05, 0.4), "sided": "upper"},
    {"cusum": (0.35,), "confirm": 2},
    {"cusum": (), "ewma": (0.15,), "confirm": 2, "sided": "upper"},
    {"cusum": (0.5,), "ewma": (0.2,), "rules": ("we2", "we3")},
    {"cusum": (0.7,), "rules": ("we3",)},
]


@pytest.mark.parametrize("chosen", SETS, ids=str)
def test_a_set_signals_as_rarely_as_asked(chosen):
    """Charts that are simulated point by point have the average run length that their limits were made for, at values off the grid."""
    arl0 = 230.0
    limits = bank_limits(arl0, **chosen)
    rules = [rule.replace("nelson6", "we3") for rule in chosen.get("rules", ())]
    given = {key: chosen[key] for key in ("ewma", "sided", "confirm") if key in chosen}
    mean, error = simulated(limits, cusum=chosen["cusum"], rules=rules, **given)

    assert mean == pytest.approx(arl0, abs=4.0 * math.hypot(error, 0.0 if limits.exact else TABLE * arl0))


@pytest.mark.parametrize("sided", ["two", "upper"])
@pytest.mark.parametrize("k", [0.25, 0.35, 0.5, 0.7, 1.0])
@pytest.mark.parametrize("arl0", [100.0, 170.0, 5e3, 2e5, 1e6, 3e7])
def test_the_table_and_the_equation_of_a_cusum_agree(k, sided, arl0):
    """The pair has an equation, so the factor for it can be judged: on and off the grid, and beyond it."""
    each = arl0 * factor("1", (k,), (), sided, arl0)
    found = shewhart_cusum_arl(k, cusum_limit(k, each, sided), alone.shewhart(each, sided), sided=sided)

    assert found == pytest.approx(arl0, rel=TABLE)


@pytest.mark.parametrize("sided", ["two", "upper"])
@pytest.mark.parametrize("lam", [0.05, 0.07, 0.15, 0.3, 0.4])
@pytest.mark.parametrize("arl0", [100.0, 170.0, 5e3, 2e5, 2e6])
def test_the_table_and_the_equation_of_an_ewma_agree(lam, sided, arl0):
    """The same for an EWMA beside a Shewhart chart."""
    each = arl0 * factor("1", (), (lam,), sided, arl0)
    chart = Clipped(lam, alone.ewma(lam, each, sided) * asymptotic(lam), alone.shewhart(each, sided), sided)

    assert chart.exact() == pytest.approx(arl0, rel=TABLE)


def test_the_table_says_how_good_it_is():
    """Every factor lies between 1 and the number of charts, rises in the long run, and the standard errors are small."""
    found = table()
    assert max(np.max(found["standard_error_two"]), np.max(found["standard_error_upper"])) <= 0.01
    for sided in ("two", "upper"):
        for name, factors in found[sided].items():
            assert len(factors) == len(found["arl0"])
            assert 1.0 < min(factors) <= max(factors) <= name.count("+") + 1.0
            assert factors[-1] > factors[3], name


def test_beyond_the_table_factors_go_on_as_before():
    """What the first columns foretell for the last one, a decade on, is what was simulated."""
    columns, missed = np.log(table()["arl0"]), []
    for sided in ("two", "upper"):
        for name, factors in table()[sided].items():
            logs = np.log(factors)
            missed.append(interpolated(columns[:-2], logs[:-2], columns[-1], name.count("+") + 1) - logs[-1])

    assert np.abs(missed).max() < 0.03
    assert np.sqrt(np.mean(np.square(missed))) < 0.01


def test_single_charts_and_pairs_are_those_of_the_engine():
    """The set's function adds nothing of its own to what has an equation; the lower side is the upper one."""
    assert bank_limits(370.398347, cusum=()).shewhart == pytest.approx(3.0, abs=1e-8)
    assert bank_limits(500, shewhart=False, cusum=(0.4,), headstart=2.0).cusum == (cusum_limit(0.4, 500, headstart=2.0),)
    assert bank_limits(500, shewhart=False, cusum=(), ewma=(0.3,)).ewma == (ewma_limit(0.3, 500, "exact"),)
    assert bank_limits(370.4, cusum=(), headstart=2.0) == bank_limits(370.4, cusum=())
    h, c = shewhart_cusum_limit(0.3, 2000, headstart=1.0, sided="upper")
    assert bank_limits(2000, cusum=(0.3,), headstart=1.0, sided="lower")[:2] == (c, (h,))
    for rules, wanted in ((("we2",), "12"), (("we3",), "13"), (("nelson5", "we3"), "123")):
        limits = bank_limits(shewhart_arl(rules=wanted), cusum=(), rules=rules)
        assert (limits.shewhart, limits.zones) == pytest.approx((3.0, 1.0), abs=1e-9)


@pytest.mark.parametrize("sided", ["two", "upper"])
@pytest.mark.parametrize("p", [0.4, 0.02])
def test_confirmation_by_a_second_point_is_a_chain(p, sided):
    """Two successive points beyond L on one side: the closed form is the solution of the chain's equations."""
    sides = 2 if sided == "two" else 1
    steps = np.full((sides + 1, sides + 1), p)  # to the start, and to one point beyond either side
    steps[:, 0] = 1.0 - sides * p
    steps[1:, 1:][np.diag_indices(sides)] = 0.0  # the same side again signals
    arl0 = np.linalg.solve(np.eye(sides + 1) - steps, np.ones(sides + 1))[0]

    limit = alone.shewhart(arl0, sided, confirm=2)
    assert 0.5 * math.erfc(limit / math.sqrt(2.0)) == pytest.approx(p, rel=1e-12)


def test_wide_shewhart_limits_leave_an_ewma():
    """At 12 sigma the Shewhart limits do nothing, on one side or two."""
    for lam, width in ((0.05, 2.5), (0.3, 3.0)):
        unit = asymptotic(lam)
        assert Clipped(lam, width * unit, 12.0, "two").exact() == pytest.approx(fixed_ewma_arl(lam, width, limits="exact"), rel=1e-7)
        one = alone.ewma(lam, 700.0, "upper")
        assert Clipped(lam, one * unit, 12.0, "upper").exact() == pytest.approx(700.0, rel=1e-7)


def test_a_pair_with_an_ewma_shares_its_alarms_evenly():
    """Half of the alarms have |x| > c; the EWMA alone is rarer than the pair, and less than twice as rare."""
    width, c = shewhart_ewma_limit(0.1, 1000.0)
    assert c == pytest.approx(alone.shewhart(2000.0, "two"), rel=1e-14)
    assert 1000.0 < fixed_ewma_arl(0.1, width, limits="exact") < 2000.0


@pytest.mark.parametrize("chosen", [{}, {"ewma": (0.1,)}, {"cusum": (), "ewma": (0.1,)}, {"rules": ("we2",)}, {"confirm": 2}], ids=str)
def test_limits_grow_with_the_average_run_length(chosen):
    """A rarer alarm needs wider limits of every chart, over and beyond the whole table."""
    rows = [bank_limits(arl0, **chosen) for arl0 in (100, 150, 400, 1e3, 2e4, 1e5, 1.2e5, 9e5, 1.1e6, 1e8)]
    numbers = np.array([(row.shewhart, *row.cusum, *row.ewma) for row in rows])

    assert (np.diff(numbers, axis=0) > 0.0).all()


def test_one_more_chart_widens_all_others():
    """The budget is shared: each chart of a larger set is rarer."""
    two, three, four = (bank_limits(1000, shewhart=False, cusum=k, ewma=(0.1,)) for k in ((0.5,), (0.5, 1.0), (0.5, 1.0, 0.25)))
    assert two.cusum[0] < three.cusum[0] < four.cusum[0]
    assert two.ewma[0] < three.ewma[0] < four.ewma[0]
    assert bank_limits(1000, shewhart=False, cusum=(1.0, 0.5), ewma=(0.1,)).cusum == three.cusum[::-1]


@pytest.mark.parametrize(
    ("arl0", "chosen", "says"),
    [
        (500, {"rules": ("we4",)}, "rule we4 alone signals once in 255 points"),
        (500, {"rules": ("nelson2",)}, "once in 511 points"),
        (500, {"rules": ("run7",)}, "once in 127 points"),
        (500, {"rules": ("nelson3",)}, "once in 421.6 points"),
        (500, {"rules": ("nelson9",)}, "must be one of 'we1'"),
        (500, {"ewma": (0.3,)}, r"lam is 0.3: .* known for 0.05, 0.1, 0.2, 0.4"),
        (500, {"cusum": (2.0,), "confirm": 2}, r"k is 2: .* known for 0.25, 0.5, 1"),
        (500, {"ewma": (0.1,), "headstart": 1}, "known from 0 only"),
        (99, {"ewma": (0.1,)}, "must be at least 100"),
        (500, {"cusum": (), "shewhart": False}, "there is no chart"),
        (500, {"cusum": (0.5, 0.5)}, "each must come once"),
        (500, {"confirm": 2, "rules": ("we2",)}, "confirm is 2"),
        (500, {"confirm": 3}, "at most 2"),
        (2.5, {"confirm": 2, "cusum": ()}, "limits at the centre"),
        (math.inf, {}, "must be finite"),
        (1, {}, "above 1"),
        (500, {"sided": "left"}, "sided is 'left'"),
    ],
)
def test_what_cannot_be_is_refused_with_the_cure(arl0, chosen, says):
    """The message names the chart that stands in the way."""
    with pytest.raises(ValueError, match=says):
        bank_limits(arl0, **chosen)


def test_a_set_is_designed_at_once():
    """Also the first time, and then from memory."""
    table()
    for chosen in ({"cusum": (0.45,)}, {"cusum": (), "ewma": (0.12,)}, {"cusum": (0.25, 0.5, 1.0), "ewma": (0.05, 0.1, 0.2, 0.4)}):
        began = time.process_time()
        limits = bank_limits(3333, **chosen)
        assert time.process_time() - began < 0.5  # 0.2 on a machine that does nothing else
        assert bank_limits(3333, **chosen) is limits


def test_a_budget_is_split_exactly():
    """The rates of the series add up to the budget, with a reserve for those that come later."""
    windows, known, late = 43_200.0, 12, 5
    rates = known / series_arl0(windows, known, share=0.9) + late / series_arl0(windows, late, share=0.1)

    assert rates == pytest.approx(1.0 / windows, rel=1e-14)
    with pytest.raises(ValueError, match="one at every point; ask for fewer"):
        series_arl0(0.1, 3)
    with pytest.raises(ValueError, match=r"share is 1\.5"):
        series_arl0(100, 3, share=1.5)
