"""Level shifts: episodes that do not end, since it is not the data that are wrong now but what is taken for normal.

    rejects ── `max_reject` windows in a row on one side ──▶ awaits a command: no more windows are rejected on that side
    awaits  ── a window that had to be rejected on the other side ──▶ rejects: that is news, and is counted from 1
    awaits  ── accept, or reset ──▶ the episode is over, its series has another baseline

Windows that nothing would reject do not break a row, for a CUSUM speaks only now and then of a shift that lasts. The window that fills
the row is still rejected.

Without it a price that has risen for good would send its records to quarantine until somebody comes. The limits stay as they are until
then, for a level nobody has looked at may be the fault.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from streamspc.decide.episodes import State
    from streamspc.model import Bools, Codes


def shifted(most: int, state: State) -> Bools:
    """Series [M, S] whose open or last episode is a level shift."""
    is_one: Bools = np.abs(state.rejecting) >= most
    return is_one


def awaiting(most: int, state: State) -> Bools:
    """Series [M, S] whose level shift awaits a command."""
    return state.open & shifted(most, state)


def advance(most: int, state: State, side: npt.NDArray[np.int8], wanted: Bools) -> tuple[Bools, Bools]:
    """Take the series [M, S] that want to reject a window: which begin to await a command, and which must not reject. Changes the state."""
    nothing = np.zeros(wanted.shape, bool)
    if not wanted.any():
        return nothing, nothing
    before: Codes = state.rejecting * side  # in a row, on the side of this window
    lifted = wanted & (before >= most)
    state.rejecting[wanted] = (side * np.maximum(before + 1, 1))[wanted]
    begun = wanted & ~lifted & (np.abs(state.rejecting) == most)
    return begun, lifted
