"""Run rules of Western Electric and Nelson, for all series at once.

| rule | holds at a point when |
|---|---|
| we1, nelson1 | it is beyond L sigma (L is the limit of the Shewhart chart) |
| we2, nelson5 | it and one of the two points before it are beyond 2 sigma on one side |
| we3, nelson6 | it and three of the four points before it are beyond 1 sigma on one side |
| we4, nelson2, run7 | it is the 8th, 9th or 7th point in a row (or a later one) on one side of the centre |
| nelson3 | it is the sixth of six points that steadily rise or fall (five steps) |
| nelson4 | it is the last of fourteen points that alternate up and down (thirteen steps) |
| nelson7 | it is the last of fifteen points in a row within 1 sigma |
| nelson8 | it is the last of eight points in a row beyond 1 sigma, on either side |

Conventions. Beyond is strictly beyond: a point on a line is not outside, one on the centre is on no side, and equal points neither rise
nor fall. A rule holds as soon as the points seen suffice, also before its window is full. The point at which it holds is itself part of
the pattern, so [beyond, beyond, within] breaks rule we2 once, at the second. A window without a point ends every run: nothing is
bridged. A restart forgets all.

Rule of eight, nine or seven: Western Electric and NIST have 8, Nelson and most programs 9, AIAG 7. Together with 3 sigma limits the ARL0
falls from 370.4 to 152.7, 216.7 or 95.7; all four rules of Western Electric have 91.8, Nelson's eight 73.4 (`design.shewhart_arl`).

Prefer them where people read the charts and ask why; a CUSUM finds the same shifts with fewer false alarms. Leave them off for values that
are skewed, discrete or autocorrelated: rounding makes ties, which break rules 3 and 4, and correlation makes runs out of nothing.

How. Each series has a shift register of bits for each line and for its steps, newest bit lowest, so that a rule is a mask and a
comparison over all series.

Sources: Western Electric (1956), Statistical Quality Control Handbook; Nelson, L. S. (1984), The Shewhart control chart: tests for special
causes, Journal of Quality Technology 16(4); Champ & Woodall (1987), Exact results for Shewhart control charts with supplementary
runs rules, Technometrics 29(4).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from streamspc.chart.places import places, put
from streamspc.model import RUN_RULES, Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from streamspc.chart.places import Places
    from streamspc.model import Bools, Codes, Floats

    Bits = npt.NDArray[np.uint16]

LINES = (1.0, 2.0)  # sigma; registers of those beyond them
NUMBER = {rule: bit for bit, rule in enumerate(Rule)}
LOOK_AT_LINE = (frozenset({Rule.WE3, Rule.NELSON6, Rule.NELSON7, Rule.NELSON8}), frozenset({Rule.WE2, Rule.NELSON5}))
LOOK_AT_STEPS, LOOK_AT_POINTS = frozenset({Rule.NELSON3, Rule.NELSON4}), frozenset({Rule.NELSON7})
_UP_DOWN, _DOWN_UP = 0b1010101010101, 0b0101010101010


class Runs(NamedTuple):
    """What rules remember, [..., R, S] of the R metrics that ask for rules. A register holds the last 16 points, the newest in bit 0.

    What none of the rules looks at stays as it begins.
    """

    beyond: Bits  # [2, 2, R, S]: line of LINES; above, below
    steps: Bits  # [2, R, S]: rose, fell from the point before
    points: Bits  # [R, S]: there was a point
    last: Floats  # the point before, nan after a gap
    side: Codes  # points in a row on one side of the centre, negative below it
    total: Floats  # sum of z over them

    @classmethod
    def fresh(cls, metrics: int, segments: int) -> Runs:
        """No memory."""
        shape = (metrics, segments)
        beyond, steps, points = (np.zeros((*lead, *shape), np.uint16) for lead in ((2, 2), (2,), ()))
        return cls(beyond, steps, points, np.full(shape, np.nan), np.zeros(shape, np.int32), np.zeros(shape))

    def step(self, z: Floats, value: Floats, rules: Collection[Rule] = RUN_RULES) -> Runs:
        """After one window: `z` for zones and sides, `value` for what rises and falls. Where there is no z, runs end; in place."""
        beyond, steps, points, last, side, total = self
        nowhere = np.isnan(z)
        for at, line in enumerate(LINES):
            if not LOOK_AT_LINE[at].isdisjoint(rules):
                beyond[at] += beyond[at]  # a shift by one
                beyond[at, 0] |= z > line
                beyond[at, 1] |= z < -line
        if not LOOK_AT_STEPS.isdisjoint(rules):
            steps += steps
            steps[0] |= value > last
            steps[1] |= value < last
            last = np.array(value, order="C")
        if not LOOK_AT_POINTS.isdisjoint(rules):
            points += points
            points |= ~nowhere
        if not RUN.keys().isdisjoint(rules):
            now = (z > 0.0).view(np.int8) - (z < 0.0).view(np.int8)
            same = side * now > 0
            side *= same
            side += now
            total *= same  # as masks go, this one is cheap: `np.where` takes ten times as long
            total += z
        runs = Runs(beyond, steps, points, last, side, total)
        return runs.restarted(places(nowhere)) if nowhere.any() else runs

    def restarted(self, series: Places) -> Runs:
        """Without memory at q series; in place."""
        for array in self:
            put(array, series, np.nan if array is self.last else 0)
        return self


class Asked(NamedTuple):
    """Which rules R metrics ask for."""

    rules: Bits  # [R]: see `mask`
    limit: Floats  # [R, 1] of rules we1 and nelson1, in sigma

    def by_any(self) -> tuple[Rule, ...]:
        """The rules that at least one metric asks for."""
        return named(int(np.bitwise_or.reduce(self.rules, initial=np.uint16(0))))


def step(state: Runs, z: Floats, value: Floats, asked: Asked) -> tuple[Runs, Bits]:
    """One window of all series [R, S]: the state after it, and the rules it breaks, bit i for rule i of `model.Rule` (see `named`)."""
    rules = asked.by_any()
    state = state.step(z, value, rules)
    bits = np.zeros(z.shape, np.uint16)
    for rule in rules:
        bits |= _broken(rule, state, z, asked.limit) * (asked.rules & np.uint16(1 << NUMBER[rule]))[:, None]
    return state, bits


def broken(z: Floats, rules: Iterable[Rule | str], value: Floats | None = None, limit: float = 3.0) -> Bits:
    """Rules broken at each point of whole series [..., m], time last, nan where there is no point.

    >>> broken(np.array([0.3, 2.5, 0.1, 2.2, np.nan, 2.4]), ["we2"]).tolist()
    [0, 0, 0, 2, 0, 0]
    """
    flat = np.reshape(z, (1, -1, z.shape[-1]))
    values = flat if value is None else np.reshape(value, flat.shape)
    state, asked = Runs.fresh(1, flat.shape[1]), Asked(np.array([mask(rules)]), np.array([[limit]]))
    told = np.zeros(flat.shape, np.uint16)
    for at in range(z.shape[-1]):
        now = flat[..., at]
        state, told[..., at] = step(state, now, values[..., at], asked)
    return told.reshape(z.shape)


def mask(rules: Iterable[Rule | str]) -> np.uint16:
    """The bits of these rules. Raises ValueError where a name is none."""
    return np.uint16(sum({1 << NUMBER[Rule(rule)] for rule in rules}))


@cache
def named(bits: int) -> tuple[Rule, ...]:
    """The rules of these bits.

    >>> [rule.value for rule in named(int(mask(["nelson3", "we2"])))]
    ['we2', 'nelson3']
    """
    return tuple(rule for rule, bit in NUMBER.items() if bits >> bit & 1)


def holds(rule: Rule, state: Runs, z: Floats, limit: Floats) -> tuple[Bools, Bools]:
    """Does the rule hold above, and below? [R, S] each; a rule that knows no side holds on both or none."""
    if rule in RUN:
        return state.side >= RUN[rule], state.side <= -RUN[rule]
    if rule in _TEST:
        test = _TEST[rule](state)
        return (test[0], test[1]) if test.ndim == state.steps.ndim else (test, test)
    return z > limit, z < -limit


def _broken(rule: Rule, state: Runs, z: Floats, limit: Floats) -> Bools:
    """Does the rule hold on any side? [R, S]."""
    if rule in RUN:
        return np.asarray(np.abs(state.side) >= RUN[rule])
    above, below = holds(rule, state, z, limit)
    return np.asarray(above | below)


def _two_of_three(state: Runs) -> Bools:
    above_two = state.beyond[1]
    hit: Bools = (above_two & 0b001 != 0) & (above_two & 0b110 != 0)
    return hit


def _four_of_five(state: Runs) -> Bools:
    five = state.beyond[0] & 0b11111
    hit: Bools = (five & 1 != 0) & (np.bitwise_count(five) >= 4)
    return hit


def _trend(state: Runs) -> Bools:
    steady: Bools = state.steps & 0b11111 == 0b11111
    return steady


def _alternating(state: Runs) -> Bools:
    rose, fell = state.steps & 0x1FFF
    hit: Bools = ((rose == _UP_DOWN) & (fell == _DOWN_UP)) | ((rose == _DOWN_UP) & (fell == _UP_DOWN))
    return hit


def _within(state: Runs) -> Bools:
    above, below = state.beyond[0]
    hit: Bools = state.points & ~(above | below) & 0x7FFF == 0x7FFF
    return hit


def _either_side(state: Runs) -> Bools:
    above, below = state.beyond[0]
    hit: Bools = (above | below) & 0xFF == 0xFF
    return hit


RUN = {Rule.WE4: 8, Rule.NELSON2: 9, Rule.RUN7: 7}
_TEST: dict[Rule, Callable[[Runs], Bools]] = {
    Rule.WE2: _two_of_three,
    Rule.WE3: _four_of_five,
    Rule.NELSON3: _trend,
    Rule.NELSON4: _alternating,
    Rule.NELSON5: _two_of_three,
    Rule.NELSON6: _four_of_five,
    Rule.NELSON7: _within,
    Rule.NELSON8: _either_side,
}
