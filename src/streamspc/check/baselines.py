"""Baselines of a run: when each was estimated, from how many windows, which ones screening left out, and what is in doubt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from streamspc.model import Doubt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamspc.model import Points

REASONS = {
    Doubt.FEW_WINDOWS: "too few windows",
    Doubt.FEW_PAIRS: "too few neighbouring windows to know their autocorrelation",
    Doubt.ALIKE: "windows too much alike to tell their level",
    Doubt.NO_HITS: "no hit among too few records",
}


class Estimated(msgspec.Struct, kw_only=True):
    """One version of the baseline of a series. Times are microseconds: starts of windows, but for `at`, the end of the last one."""

    metric: str
    segment: str
    version: int
    at: int
    first: int
    windows: int  # that were looked at
    kept: int
    dropped: list[int]
    provisional: tuple[Doubt, ...]  # why it is; none: it is not


def estimated(points: Points) -> Iterator[Estimated]:
    """The baselines that were estimated with this window."""
    learnt = points.learnt
    if learnt is None:
        return
    ends = np.cumsum(np.bincount(learnt.baseline, minlength=len(learnt.metric)))
    dropped = np.split(learnt.dropped, ends[:-1])
    numbers = zip(learnt.version, learnt.first, learnt.windows, learnt.kept, learnt.doubt, strict=True)
    for metric, segment, row, left_out in zip(learnt.metric, learnt.segment, numbers, dropped, strict=True):
        version, first, windows, kept, doubt = (int(number) for number in row)
        yield Estimated(
            metric=points.metrics[metric],
            segment=points.segments[segment],
            version=version,
            at=points.end,
            first=first,
            windows=windows,
            kept=kept,
            dropped=left_out.tolist(),
            provisional=Doubt.named(doubt),
        )
