"""Points: one window of all series of a stream in one chart partition."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from streamspc.model.columns import Bools, Codes, Floats, Ints

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamspc.model.tallies import Sources


NO_POINT = np.uint8(255)  # in `Points.phase`: the window has nothing of the series


class Phase(StrEnum):
    """Phase I learns, Phase II judges; a window of too few records for the metric does neither. The order is the code in `Points.phase`.

    Provisional points are charted and may signal, but nothing is promised of them, and they reject nothing.
    """

    LEARNING = "learning"
    MONITORING = "monitoring"
    TOO_FEW = "too_few"
    PROVISIONAL = "provisional"


_MONITORING, _PROVISIONAL = (np.uint8(list(Phase).index(phase)) for phase in (Phase.MONITORING, Phase.PROVISIONAL))


def charted(phase: npt.NDArray[np.uint8]) -> Bools:
    """Points whose charts may signal, of `Points.phase`."""
    there: Bools = (phase == _MONITORING) | (phase == _PROVISIONAL)
    return there


class Doubt(StrEnum):
    """Why a baseline is provisional: see `chart.evidence`. The order numbers bits, for ever."""

    FEW_WINDOWS = "few_windows"
    FEW_PAIRS = "few_pairs"
    ALIKE = "alike"
    NO_HITS = "no_hits"

    @classmethod
    def named(cls, bits: int) -> tuple[Doubt, ...]:
        """The doubts of these bits.

        >>> [doubt.value for doubt in Doubt.named(0b101)]
        ['few_windows', 'alike']
        """
        return tuple(doubt for at, doubt in enumerate(cls) if bits >> at & 1)


class Learnt(NamedTuple):
    """B baselines that were estimated with this window, to judge the next ones, and the D windows that their screening left out."""

    metric: Codes  # [B] index in `Points.metrics`
    segment: Codes  # [B] index in `Points.segments`
    version: Codes  # [B]
    windows: Codes  # [B] that were looked at
    kept: Codes  # [B] and learnt from
    first: Ints  # [B] start of the first one
    doubt: npt.NDArray[np.uint8]  # [B] bits of `Doubt`; 0: the evidence suffices
    baseline: Codes  # [D] which of the B baselines the window was left out of
    dropped: Ints  # [D] its start


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
    learnt: Learnt | None = None  # None: no baseline was estimated
    gap: int = 0  # empty windows that this point stands for (0: an ordinary window)
