"""Run rules told again in plain Python, from their definitions alone: what the banks of rules are compared with."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

NELSON = {"we1": 1, "we2": 5, "we3": 6, "we4": 2, "run7": 2} | {f"nelson{i}": i for i in range(1, 9)}
IN_A_ROW = {"we4": 8, "nelson2": 9, "run7": 7}


class Pattern(NamedTuple):
    """A rule that the newest point breaks."""

    side: int
    lag: int  # points before the newest one at which it began
    shift: float  # in sigma: the mean of a run, else the newest distance; of rules without a side infinite


def patterns(rule: str, past: Sequence[float], limit: float) -> list[Pattern]:
    """On which sides does the newest of these points (the last one, no gap among them) break the rule?"""
    number = NELSON[rule]
    if number in {4, 7, 8}:
        found = {4: _alternating(past), 7: _all(past, 15, inside=True), 8: _all(past, 8, inside=False)}[number]
        return [Pattern(-1 if past[-1] < 0 else 1, {4: 13, 7: 14, 8: 7}[number], float("inf"))] if found else []
    told = []
    for side in (1, -1):
        mine = [side * z for z in past]
        lag = _lag(number, mine, limit, IN_A_ROW.get(rule, 0))
        if lag is not None:
            run = mine[-lag - 1 :] if number == 2 else mine[-1:]
            told.append(Pattern(side, lag, sum(run) / len(run)))
    return told


def _lag(number: int, mine: Sequence[float], limit: float, length: int) -> int | None:
    """Where the pattern above the centre began, None where there is none."""
    if number == 1:
        return 0 if mine[-1] > limit else None
    if number == 2:
        run = len(list(itertools.takewhile(lambda z: z > 0, reversed(mine))))
        return run - 1 if run >= length else None
    if number == 3:
        return 5 if len(mine) >= 6 and all(a < b for a, b in itertools.pairwise(mine[-6:])) else None
    line, window, wanted = (2, 3, 2) if number == 5 else (1, 5, 4)
    beyond = [lag for lag, z in enumerate(reversed(mine[-window:])) if z > line]
    return beyond[-1] if len(beyond) >= wanted and beyond[0] == 0 else None


def _alternating(past: Sequence[float]) -> bool:
    steps = [b - a for a, b in itertools.pairwise(past[-14:])]
    return len(steps) == 13 and (all(s * (-1) ** i > 0 for i, s in enumerate(steps)) or all(s * (-1) ** i < 0 for i, s in enumerate(steps)))


def _all(past: Sequence[float], length: int, *, inside: bool) -> bool:
    return len(past) >= length and all((abs(z) <= 1) == inside for z in past[-length:])
