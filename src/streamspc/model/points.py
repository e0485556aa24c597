"""Points: one window of all series of a stream in one chart partition."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from streamspc.model.columns import Codes, Floats, Ints

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamspc.model.tallies import Sources


NO_POINT = np.uint8(255)  # in `Points.phase`: the window has nothing of the series


class Phase(StrEnum):
    """Phase I learns, Phase II judges; a window of too few records for the metric does neither. The order is the code in `Points.phase`."""

    LEARNING = "learning"
    MONITORING = "monitoring"
    TOO_FEW = "too_few"


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """One window of all series of a stream in one chart partition: arrays [M, S], nan where there is no number."""

    stream: str
    config: str
    start: int
    end: int
    metrics: tuple[str, ...]
    segments: tuple[str, ...]
    records: Ints  # [S] records of the segment in the window
    value: Floats
    n: Ints
    centre: Floats
    sigma: Floats
    lcl: Floats
    ucl: Floats
    z: Floats
    cusum_up: Floats  # in sigma
    cusum_down: Floats  # >= 0; signals beyond the limit like the upper one
    ewma: Floats  # in sigma, around 0
    ewma_limit: Floats  # in sigma: L sigma_t, exact for t points since the start
    shewhart_limit: Floats  # of z
    cusum_limit: Floats
    ewma_width: Floats  # L
    phase: npt.NDArray[np.uint8]  # index in Phase; NO_POINT where there is none
    broken: npt.NDArray[np.uint8]  # bit i: ChartKind i signals at this point (direction and min_effect applied)
    side: npt.NDArray[np.int8]  # +1 above, -1 below, 0 none
    onset_lag: Codes  # how many points before this one the shift began (0: at it)
    version: Codes  # version of the baseline, 0 while learning
    sources: Sources  # of this window only
    counts: Mapping[str, int]  # late_after_close, segment_limit ...
    rules: npt.NDArray[np.uint16] | None = None  # bit i: Rule i signals, as a part of the Shewhart chart; None: none does
    contributors: tuple[tuple[str, str], ...] = ()  # [P] charts of several metrics and the metrics of each
    contributions: Floats | None = None  # [P, S] what the metric alone adds to T2, where the chart signals; None: none does
    gap: int = 0  # empty windows that this point stands for (0: an ordinary window)
