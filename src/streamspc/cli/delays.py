"""Delays of sets of charts that have no equation, by simulation with a fixed seed: two-sided charts of independent normal points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from streamspc.design import BankLimits
    from streamspc.model import Bools, Floats

PATHS, BEFORE, MOST = 20_000, 200, 2_000  # paths, points in control before a late shift, points after which nobody waits any more
_SEED = 4


class Charts(NamedTuple):
    """The set: its limits, and what they belong to."""

    limits: BankLimits
    cusum: Sequence[float] = ()  # k
    ewma: Sequence[float] = ()  # lam
    confirm: int = 1


class _Paths(NamedTuple):
    """Statistics of paths, [..., path]."""

    before: Floats  # the last point
    sums: Floats  # [2, CUSUMs]
    smooth: Floats  # [EWMAs]

    def after(self, charts: Charts, x: Floats) -> _Paths:
        """One point later."""
        k, lam = np.reshape(charts.cusum, (-1, 1)), np.reshape(charts.ewma, (-1, 1))
        return _Paths(x, np.maximum(0.0, self.sums + np.stack((x - k, -x - k))), self.smooth + lam * (x - self.smooth))

    def signal(self, charts: Charts, before: Floats, t: int) -> Bools:
        """Which charts are beyond a limit at their point number t?"""
        limits, lam = charts.limits, np.array(charts.ewma)
        out = (self.sums > np.reshape(limits.cusum, (-1, 1))).any(axis=(0, 1))
        width = np.array(limits.ewma) * np.sqrt(lam / (2.0 - lam) * (1.0 - (1.0 - lam) ** (2 * t)))
        out |= (np.abs(self.smooth) > width[:, None]).any(axis=0)
        if limits.shewhart is not None:
            beyond = np.abs(self.before) > limits.shewhart
            out |= beyond if charts.confirm == 1 else beyond & (np.abs(before) > limits.shewhart) & (before * self.before > 0.0)
        return np.asarray(out, np.bool_)


def delay(charts: Charts, shift: float, *, late: bool) -> float | None:
    """Average points from a shift to its signal, to about 1 %; None where some take thousands.

    `late`: the shift comes after many points in control, without a false alarm before it.
    """
    rng, start = np.random.default_rng(_SEED), BEFORE if late else 0
    at = _Paths(np.zeros(PATHS), np.zeros((2, len(charts.cusum), PATHS)), np.zeros((len(charts.ewma), PATHS)))
    total = 0
    for t in range(1, start + MOST + 1):
        total += at.before.size if t > start else 0
        now = at.after(charts, rng.standard_normal(at.before.size) + (shift if t > start else 0.0))
        kept = ~now.signal(charts, at.before, t)
        if t == start:
            began = int(kept.sum())
        at = now if kept.all() else _Paths(*(array[..., kept] for array in now))
        if not at.before.size:
            return total / (began if late else PATHS) if total else None
    return None
