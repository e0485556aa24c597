"""The factors by which each chart of a set must be rarer than the set, from a table that `bench/joint_factors.py` makes by simulation.

The file `joint_factors.json` has the seed, the values of arl0 of its columns, and the largest standard error of the ARL0 that a factor
gives: 1.1 %, of eight charts at 1e6, before smoothing. Pairs that have an equation are met to 0.2 % up to 1e5, and to 0.8 % at 1e6.

Between columns the logarithm of a factor is interpolated in log arl0. Far out, alarms of charts share less and less, and the factor tends
to their number: beyond the last column its distance from there shrinks like the power of arl0 that it follows over the last decade. Tried
a decade earlier, that misses the simulated factors by 0.8 % (root mean square), and by 2.5 % in the worst set.
"""

from __future__ import annotations

import json
import math
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.interpolate import PchipInterpolator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamspc.model import Floats

SCALES, WEIGHTS = (0.25, 0.5, 1.0), (0.05, 0.1, 0.2, 0.4)


@cache
def table() -> dict[str, Any]:
    """The file."""
    found: dict[str, Any] = json.loads(files("streamspc.design").joinpath("joint_factors.json").read_text())
    return found


def factor(shewhart: str, cusum: Sequence[float], ewma: Sequence[float], sided: str, arl0: float) -> float:
    """The factor for a set of charts that together signal once in arl0 points.

    `shewhart` is "" for none, "confirmed", or the digits of Nelson's rules out of 1, 5 and 6. A single CUSUM or EWMA beside it may have any
    k or lam between those of the table; any other set has tabulated ones.

    Raises:
        ValueError: arl0 is below the table, or it has no such k or lam.
    """
    least = table()["arl0"][0]
    if arl0 < least:
        raise ValueError(f"arl0 is {arl0:g}: for several charts together it must be at least {least:g}")
    rows = [_row(shewhart, k, lam, sided) for k in _near("k", cusum, SCALES, len(ewma)) for lam in _near("lam", ewma, WEIGHTS, len(cusum))]
    logs = rows[0] if len(rows) == 1 else _between(rows, *((cusum, SCALES) if cusum else (ewma, WEIGHTS)))
    charts = bool(shewhart) + len(cusum) + len(ewma)
    return min(math.exp(interpolated(np.log(table()["arl0"]), logs, math.log(arl0), charts)), float(charts))


def _near(name: str, wanted: Sequence[float], known: tuple[float, ...], others: int) -> list[tuple[float, ...]]:
    """The tabulated parameters that are needed for these: themselves, or all of them to interpolate between."""
    if all(value in known for value in wanted):
        return [tuple(sorted(wanted))]
    if len(wanted) == 1 and not others and known[0] <= wanted[0] <= known[-1]:
        return [(value,) for value in known]
    value = next(value for value in wanted if value not in known)
    listed = ", ".join(f"{each:g}" for each in known)
    raise ValueError(f"{name} is {value:g}: the joint rate of several charts is known for {listed}; take one of them, or write the limits")


def _row(shewhart: str, cusum: tuple[float, ...], ewma: tuple[float, ...], sided: str) -> Floats:
    """Logarithms of the factors of a set, over the columns."""
    names = [shewhart] * bool(shewhart) + [f"k{k:g}" for k in cusum] + [f"w{lam:g}" for lam in ewma]
    return np.asarray(np.log(table()[sided]["+".join(names)]), np.float64)


def _between(rows: list[Floats], wanted: Sequence[float], known: tuple[float, ...]) -> Floats:
    """The row of a parameter between the known ones, for two charts: what their alarms share is smooth in its root."""
    shared = np.log(np.maximum(2.0 - np.exp(rows), 1e-4))
    return np.asarray(np.log(2.0 - np.exp(PchipInterpolator(np.sqrt(known), shared)(math.sqrt(wanted[0])))), np.float64)


def interpolated(columns: Floats, logs: Floats, place: float, charts: int) -> float:
    """The logarithm of a factor at `place`, a log arl0, between columns half a decade apart, or beyond the last."""
    if place <= columns[-1]:
        return float(PchipInterpolator(columns, logs)(place))
    early, last = np.log(np.maximum(charts - np.exp(logs[[-3, -1]]), 1e-9))
    slope = min(0.0, float(last - early)) / float(columns[-1] - columns[-3])
    return math.log(charts - math.exp(last + slope * (place - float(columns[-1]))))
