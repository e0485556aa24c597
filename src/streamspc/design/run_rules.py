"""Run rules as automata: Western Electric 1-4 and Nelson 1-8, and the product that watches several at once.

A rule is a small deterministic automaton over one bit a point (beyond a line or not; up or down from the point before). The
product of the rules is explored from its start, so that only states that can occur are kept, and states that no future can tell
apart are merged (Moore). What remains is the exact state space: nothing is truncated or rounded.

Western Electric, a string out of "1234": 1 beyond L, 2 two of three beyond 2 sigma on one side, 3 four of five beyond 1 sigma
on one side, 4 eight in a row on one side. Nelson, a tuple out of 1-8: 1 beyond L, 2 `run` (7, 8 or 9) in a row on one side, 3 six
points steadily rising or falling (five steps), 4 fourteen points alternating (thirteen steps), 5 two of three beyond 2 sigma on one
side, 6 four of five beyond 1 sigma on one side, 7 fifteen in a row within 1 sigma, 8 eight in a row beyond 1 sigma on either side. A
rule signals as soon as the points seen suffice, also before its window is full.

Sources: Western Electric (1956), Statistical Quality Control Handbook; Nelson (1984), The Shewhart control chart: tests for special
causes, Journal of Quality Technology 16; Champ & Woodall (1987), Exact results for Shewhart control charts with supplementary runs
rules, Technometrics 29; Moore (1956), Gedanken-experiments on sequential machines.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from streamspc.model import Bools, Ints

SIGNAL = -1
NELSON_OF_WESTERN = {"1": 1, "2": 5, "3": 6, "4": 2}


class Rule(NamedTuple):
    """One automaton: `table[state][bit]` is the next state, or SIGNAL. The bit is a side of a line, or the direction."""

    table: tuple[tuple[int, int], ...]
    low: float  # the bit is set for low < x < high; both nan: it is set for a rise
    high: float

    @property
    def ordered(self) -> bool:
        """Does it look at the order of values and not at zones?"""
        return bool(np.isnan(self.low))


class Machine(NamedTuple):
    """The product of rules. State 0 is the start, before any point; -1 is the signal.

    Without order rules, `step[s, z]` follows a point in zone z. With them a state knows its zone: `step[s, z]` follows a rise or fall
    into another zone z, or, for its own zone, a rise within it; the last column follows a fall within it.
    """

    step: Ints  # [states, zones (+ 1)]
    zone: Ints  # [states] of the latest point, -1 where it does not matter


def in_a_row(length: int, low: float, high: float) -> Rule:
    """So many points in a row between two lines."""
    table = tuple((0, SIGNAL if state + 1 == length else state + 1) for state in range(length))
    return Rule(table, low, high)


def out_of(hits: int, window: int, low: float, high: float) -> Rule:
    """So many of the last `window` points between two lines. A state is the bits of the last window - 1 points, from the oldest hit on."""
    queue: list[tuple[int, ...]] = [()]
    rows: list[tuple[int, int]] = []
    for bits in queue:
        miss = (*bits, 0)[-(window - 1) :]
        miss = miss[miss.index(1) :] if 1 in miss else ()
        hit = (*bits, 1)[-(window - 1) :]
        queue += [after for after in dict.fromkeys((miss, hit)) if after not in queue and sum(after) < hits]
        rows.append((queue.index(miss), SIGNAL if sum(bits) + 1 >= hits else queue.index(hit)))
    return Rule(tuple(rows), low, high)


def steady(steps: int) -> Rule:
    """So many rises, or so many falls, in a row. States: 0, then 1.. rises, then 1.. falls."""
    rise = [1, *(state + 1 for state in range(1, steps - 1)), SIGNAL, *([1] * (steps - 1))]
    fall = [steps, *([steps] * (steps - 1)), *(state + 1 for state in range(steps, 2 * steps - 2)), SIGNAL]
    return Rule(tuple(zip(fall, rise, strict=True)), np.nan, np.nan)


def alternating(steps: int) -> Rule:
    """So many steps that each turn. States: 0, then after a rise with 1.. steps so far, then after a fall."""
    after_rise = range(1, steps)
    fall = [steps, *(steps + state if state + 1 < steps else SIGNAL for state in after_rise), *([steps] * (steps - 1))]
    rise = [1, *([1] * (steps - 1)), *(state + 1 if state + 1 < steps else SIGNAL for state in after_rise)]
    return Rule(tuple(zip(fall, rise, strict=True)), np.nan, np.nan)


def rules_of(numbers: tuple[int, ...], limit: float, run: int) -> list[Rule]:
    """The automata of Nelson's numbers. A rule of both sides is an automaton for each."""
    inf = np.inf
    both = {
        1: [in_a_row(1, limit, inf), in_a_row(1, -inf, -limit)],
        2: [in_a_row(run, 0.0, inf), in_a_row(run, -inf, 0.0)],
        3: [steady(5)],
        4: [alternating(13)],
        5: [out_of(2, 3, 2.0, inf), out_of(2, 3, -inf, -2.0)],
        6: [out_of(4, 5, 1.0, inf), out_of(4, 5, -inf, -1.0)],
        7: [in_a_row(15, -1.0, 1.0)],
        8: [_either_side(8, 1.0)],
    }
    return [rule for number in numbers for rule in both[number]]


def _either_side(length: int, line: float) -> Rule:
    """So many in a row beyond a line on either side: the complement of being within it."""
    within = in_a_row(length, -line, line)
    return within._replace(table=tuple((hit, miss) for miss, hit in within.table))


def cuts_of(rules: list[Rule]) -> tuple[float, ...]:
    """The lines between zones, ascending."""
    lines = {line for rule in rules if not rule.ordered for line in (rule.low, rule.high) if np.isfinite(line)}
    return tuple(sorted(lines))


@lru_cache(maxsize=64)
def machine(numbers: tuple[int, ...], limit: float, run: int, sided: str = "two") -> tuple[tuple[float, ...], Machine]:
    """The lines between zones and the smallest machine for a set of Nelson's numbers; without the lower side where `sided="upper"`."""
    rules = [rule for rule in rules_of(numbers, limit, run) if sided == "two" or rule.high == np.inf]
    cuts = cuts_of(rules)
    edges = np.array([-np.inf, *cuts, np.inf])
    bits = np.array([(rule.low <= edges[:-1]) & (edges[1:] <= rule.high) for rule in rules if not rule.ordered], dtype=np.int64)
    product = _Product(rules, bits.reshape(-1, len(edges) - 1))
    return cuts, smallest(product.explore())


class _Product:
    """Exploration of the product: a state is a mixed-radix code of the states of the rules, and of the zone where order matters."""

    def __init__(self, rules: list[Rule], bits: Ints) -> None:
        self.bits = bits  # [rules about zones, zones]
        self.zones = bits.shape[1]
        self.by_order = any(rule.ordered for rule in rules)
        self.tables = [np.array(rule.table) for rule in sorted(rules, key=lambda rule: rule.ordered)]

    def follow(self, codes: Ints, zone: int, rises: Bools) -> Ints:
        """The codes after a point in this zone, -1 for a signal. The start's first point has no direction: order rules stay."""
        result = np.full(len(codes), zone + 1 if self.by_order else 0)
        signal = np.zeros(len(codes), np.bool_)
        rest, scale = codes // (self.zones + 1), self.zones + 1
        for place, table in enumerate(self.tables):
            rest, state = np.divmod(rest, len(table))
            if place < len(self.bits):
                after = table[state, self.bits[place, zone]]
            else:
                after = np.where(codes == 0, 0, table[state, rises.astype(np.int64)])
            signal |= after == SIGNAL
            result += scale * after
            scale *= len(table)
        return np.where(signal, SIGNAL, result)

    def successors(self, codes: Ints) -> Ints:
        """[codes, zones (+ 1)] as `Machine.step` has them, but in codes."""
        at = codes % (self.zones + 1) - 1
        columns = [self.follow(codes, zone, at <= zone) for zone in range(self.zones)]
        if self.by_order:
            falls = [self.follow(codes, zone, np.zeros(len(codes), np.bool_)) for zone in range(self.zones)]
            columns.append(np.choose(np.maximum(at, 0), falls))
        return np.stack(columns, axis=1)

    def explore(self) -> Machine:
        """All states that can be reached, the start first."""
        known = fresh = np.zeros(1, np.int64)
        while len(fresh):
            found = np.unique(self.successors(fresh))
            fresh = np.setdiff1d(found[found >= 0], known, assume_unique=True)
            known = np.union1d(known, fresh)
        codes = self.successors(known)
        step = np.where(codes < 0, SIGNAL, np.searchsorted(known, codes))
        return Machine(step, known % (self.zones + 1) - 1)


def smallest(machine: Machine) -> Machine:
    """The same machine without states that no future can tell apart (Moore's refinement; the start and zones stay apart)."""
    label = machine.zone + 2
    count = 0
    while True:
        padded = np.append(label, 0)  # the signal is class 0 for ever
        signature = np.column_stack((label, padded[machine.step]))
        _, first, inverse = np.unique(signature, axis=0, return_index=True, return_inverse=True)
        if len(first) == count:
            break
        count, label = len(first), inverse.reshape(-1) + 1
    order = np.argsort(first)  # the start keeps number 0
    number = np.empty(count, np.int64)
    number[order] = np.arange(count)
    renumbered = np.append(number[label - 1], SIGNAL)
    keep = first[order]
    return Machine(renumbered[machine.step[keep]], machine.zone[keep])
