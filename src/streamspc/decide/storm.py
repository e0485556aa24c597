"""Storm guard: when window after window loses most of its records, it is the limits that are wrong, not the data.

Pure functions of verdict records, so that every replica of the gate comes to the same answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamspc.model import WHOLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamspc.model import Rejection, StormSpec


def share(records: int, rejections: Sequence[Rejection]) -> float:
    """Which part of a complete window's records is rejected, 0 to 1; segments are disjoint, and `*` is all of them."""
    if records <= 0:
        return 0.0
    if any(rejection.segment == WHOLE for rejection in rejections):
        return 1.0
    return min(1.0, sum(rejection.n for rejection in rejections) / records)


def tripped(storm: StormSpec, shares: Sequence[float]) -> bool:
    """Did each of the last `windows` complete windows lose more than `max_share`? `shares` oldest first; too few do not trip it."""
    return len(shares) >= storm.windows and all(lost > storm.max_share for lost in shares[-storm.windows :])
