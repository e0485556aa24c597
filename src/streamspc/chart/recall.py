"""The memory of open episodes: their newest points, which are a new baseline once somebody accepts their level.

It is a memory as that of Phase I (`Learning`), of the segments with an open episode alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from streamspc.chart.learning import Learning
    from streamspc.model import Bools, Ints, Statistics


def remember(held: Learning, columns: Ints, opened: Bools, statistics: Statistics, start: int) -> tuple[Learning, Ints]:
    """The memory after a window, and its segments: points of series whose episode is open [M, S] are added, all others forgotten."""
    wanted = np.flatnonzero(opened.any(axis=0))
    if not len(wanted) and not len(columns):
        return held, columns
    if not np.array_equal(wanted, columns):
        held, columns = held.placed(columns, wanted), wanted
    opened = opened[:, columns]
    held.seen[~opened] = 0
    held.add(statistics, start, columns, opened)
    return held, columns
