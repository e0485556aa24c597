"""Which phase each point is of, and which windows are none for want of records.

A quantile of fewer than 10 / min(q, 1 - q) records, or the standard deviation of one, is no number to judge: such a window has records and
no value. It is `too_few`, not missing: the data are there, the window is too narrow for the metric, and whoever reads the points can
tell one from the other. To the charts both are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from streamspc.chart.places import places, put
from streamspc.model import NO_POINT, Phase

if TYPE_CHECKING:
    from streamspc.chart.baseline import Baseline
    from streamspc.chart.places import Places
    from streamspc.model import Bools, Codes, Ints

    Phases = npt.NDArray[np.uint8]

TOO_FEW, PROVISIONAL = (np.uint8(list(Phase).index(phase)) for phase in (Phase.TOO_FEW, Phase.PROVISIONAL))


def phases(baseline: Baseline) -> Phases:
    """Index in `Phase` of the next point of each series [M, S]."""
    phase = (baseline.version > 0).view(np.uint8)
    put(phase, places(baseline.doubt != 0), PROVISIONAL)
    return phase


def without(phase: Phases, missing: Places, n: Ints) -> Phases:
    """The phases of a window that lacks the values of q series, with n records each [q]: NO_POINT where there are none."""
    if not len(missing):
        return phase
    phase = phase.copy()
    put(phase, missing, np.where(n > 0, TOO_FEW, NO_POINT))
    return phase


def together(there: Bools, version: Codes, of_metrics: Phases) -> Phases:
    """Of a chart of several metrics [S], from theirs [p, S]: too few where one of them is, and none is missing."""
    missing = (of_metrics == NO_POINT).any(axis=0)
    return np.where(there, (version > 0).view(np.uint8), np.where(missing, NO_POINT, TOO_FEW))
