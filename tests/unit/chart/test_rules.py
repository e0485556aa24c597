from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ruling import patterns
from streamspc.chart import rules
from streamspc.chart.rules import Asked, Runs
from streamspc.model import RUN_RULES

nan = math.nan
BETWEEN = st.one_of(st.sampled_from([-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, nan]), st.floats(-3.6, 3.6))


def told(z, *wanted, limit=3.0):
    """Which of the points of one series break a rule."""
    return [at for at, bits in enumerate(rules.broken(np.array(z, float), wanted, limit=limit)) if bits]


def asking(*wanted, limits=()):
    """What metrics ask for, a list of rules each."""
    return Asked(np.array([rules.mask(each) for each in wanted]), np.array(limits or [3.0] * len(wanted))[:, None])


def since_gap(z, at):
    """The points up to this one, after the last gap."""
    gap = max((i for i in range(at + 1) if math.isnan(z[i])), default=-1)
    return z[gap + 1 : at + 1]


@given(st.lists(st.lists(BETWEEN, min_size=40, max_size=40), min_size=1, max_size=3), st.sampled_from([3.0, 2.5]))
@settings(max_examples=150, deadline=None)
def test_every_rule_is_its_definition(series, limit):
    """On series full of points on the very lines, ties and gaps, each rule is broken where the plain definition says so."""
    bits = rules.broken(np.array(series), RUN_RULES, limit=limit)
    for row, z in zip(bits.tolist(), series, strict=True):
        for at, found in enumerate(row):
            past = since_gap(z, at)
            expected = {rule for rule in RUN_RULES if past and patterns(rule, past, limit)}
            assert set(rules.named(found)) == expected


@given(st.integers(0, 2**32), st.sampled_from(["steady", "alternating", "within", "beyond", "side"]))
@settings(max_examples=60, deadline=None)
def test_long_patterns_are_their_definition_too(seed, pattern):
    """Series made of the patterns that chance hardly makes, now and then spoiled by one point or a gap."""
    rng = np.random.default_rng(seed)
    m = 60
    sign = np.where(np.arange(m) % 2, 1.0, -1.0)
    z = {
        "steady": np.cumsum(rng.uniform(0.01, 0.1, m)) * rng.choice([-1, 1]),
        "alternating": sign * rng.uniform(0.1, 2, m),
        "within": rng.uniform(-1, 1, m),
        "beyond": rng.choice([-1, 1], m) * rng.uniform(1.01, 2, m),
        "side": rng.uniform(0.0, 1.2, m) * rng.choice([-1, 1]),
    }[pattern]
    spoiled = rng.integers(0, m, 2)
    z[spoiled] = rng.choice([0.0, nan, 1.0, -1.5, 0.2], 2)
    bits = rules.broken(z, RUN_RULES).tolist()
    for at, found in enumerate(bits):
        past = since_gap(z.tolist(), at)
        assert set(rules.named(found)) == {rule for rule in RUN_RULES if past and patterns(rule, past, 3.0)}


@pytest.mark.parametrize(
    ("rule", "z", "where"),
    [
        ("we1", [3.0, 3.0001, -3.0, -3.1], [1, 3]),
        ("we2", [2.1, 2.1, 0.0, 2.1, -2.1, 2.0], [1, 3]),
        ("we3", [1.1, 1.1, 0.0, 1.1, 1.1, 1.1, 1.0, 1.1], [4, 5, 7]),
        ("we4", [0.1] * 7 + [0.0] + [0.1] * 9, [15, 16]),
        ("nelson2", [-0.1] * 10, [8, 9]),
        ("run7", [0.1] * 7, [6]),
        ("nelson3", [0, 1, 2, 3, 4, 5, 5, 6], [5]),
        ("nelson4", [0.1, -0.1] * 7 + [-0.1], [13]),
        ("nelson5", [-2.5, 2.5, -2.5], [2]),
        ("nelson6", [-1.5, -1.5, 0.5, -1.5, -1.5], [4]),
        ("nelson7", [1.0, -1.0] * 8, [14, 15]),
        ("nelson8", [1.1, -1.1] * 4 + [1.0], [7]),
    ],
)
def test_examples(rule, z, where):
    """A line itself is not beyond, the centre on no side, equal points no step; rules hold from the point that completes them."""
    assert told(z, rule) == where


@pytest.mark.parametrize("rule", [rule for rule in RUN_RULES if not rule.endswith("1")])
def test_a_gap_ends_every_run(rule):
    """A pattern with a window missing in its midst, or one that was restarted, is no pattern."""
    whole = {"nelson3": [0, 0.1, 0.2, 0.3, 0.4, 0.5], "nelson4": [0.1, -0.1] * 7, "nelson7": [0.5] * 15, "nelson8": [1.5, -1.5] * 4}
    length = {"we2": 2, "nelson5": 2, "we3": 4, "nelson6": 4, "we4": 8, "nelson2": 9, "run7": 7}
    z = whole.get(rule) or [2.5] * length[rule]
    for gap in range(1, len(z)):
        assert told([*z[:gap], nan, *z[gap:]], rule) == []
    assert told([nan, *z], rule) == [len(z)]

    asked = asking([rule])
    state = Runs.fresh(1, 2)
    for at, number in enumerate(z):
        if at == len(z) - 1:
            state = state.restarted(np.array([0]))
        now = np.full((1, 2), number, float)
        state, bits = rules.step(state, now, now, asked)
    assert (bits != 0).tolist() == [[False, True]]


def test_each_metric_has_its_own_rules():
    """A rule is told for the metrics that ask for it, and for no other."""
    z = np.full((3, 2), 2.5)
    state, asked = Runs.fresh(3, 2), asking(["we2"], [], ["we2", "nelson1"], limits=[3.0, 2.0, 2.0])
    for _ in range(2):
        state, bits = rules.step(state, z, z, asked)

    assert [[rules.named(int(found)) for found in row] for row in bits] == [[("we2",)] * 2, [()] * 2, [("we2", "nelson1")] * 2]


def test_order_is_judged_by_values_and_zones_by_z():
    """Rising values of a constant z break rule 3; a rising z of constant values does not."""
    rising, constant = np.linspace(0.1, 0.9, 6), np.full(6, 0.5)

    assert rules.broken(constant, ["nelson3"], rising).tolist()[-1] == rules.mask(["nelson3"])
    assert not rules.broken(rising, ["nelson3"], constant).any()


def test_an_unknown_rule_is_refused():
    """A misspelt name is not silently no rule."""
    with pytest.raises(ValueError, match="nelson9"):
        rules.mask(["nelson9"])


@pytest.mark.parametrize(
    ("wanted", "arl0"),
    [
        (["we1", "we2"], 225.44),
        (["we1", "we3"], 166.05),
        (["we1", "we4"], 152.73),
        (["we1", "we2", "we3", "we4"], 91.75),
        (["nelson1", "nelson2"], 216.70),
        (["we1", "run7"], 95.7),
        (["nelson3"], 421.7),
        (["nelson4"], 601.4),
        ([f"nelson{i}" for i in range(1, 9)], 73.4),
    ],
)
def test_the_average_run_length_is_the_exact_one(wanted, arl0):
    """Restarted at each alarm, over 4 million points in control: within three standard errors of the chain's number."""
    rng = np.random.default_rng(11)
    series, windows, alarms = 20_000, 200, 0
    state, asked = Runs.fresh(1, series), asking(wanted)
    for at in range(3 * 200 + windows):
        z = rng.standard_normal((1, series))
        state, bits = rules.step(state, z, z, asked)
        alarms += int(np.count_nonzero(bits)) if at >= 600 else 0
        state = state.restarted(np.flatnonzero(bits))
    expected = series * windows / arl0

    assert abs(alarms - expected) < 3 * math.sqrt(expected) + 0.001 * expected


def test_a_bank_of_rules_is_fast():
    """Two rules over ten thousand series take less than 2 ms a window: no loop over series."""
    rng = np.random.default_rng(3)
    z = rng.standard_normal((50, 1, 10_000))
    state, asked = Runs.fresh(1, 10_000), asking(["we2", "we4"])
    began = time.process_time()
    for now in z:
        state, _ = rules.step(state, now, now, asked)

    assert time.process_time() - began < 50 * 0.002
