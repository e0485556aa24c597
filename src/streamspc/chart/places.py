"""The few series where something happens: what is rare is done there, and costs the others nothing.

Arrays are [..., M, S] and masks [M, S]. Masked ufuncs, `np.where` and a two-dimensional `np.nonzero` cost ten times an addition over
all series, whether one of them is meant or none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from streamspc.model import Bools

Places = tuple[npt.NDArray[np.intp], ...]  # metric and column


def places(where: Bools) -> Places:
    """Where the mask holds, by metric and then segment: `np.nonzero`."""
    return np.unravel_index(np.flatnonzero(where), where.shape)


def hold(new: npt.NDArray[Any], old: npt.NDArray[Any], at: Places) -> None:
    """At these series `new` is as `old` was; in place."""
    new[..., at[0], at[1]] = old[..., at[0], at[1]]


def put(array: npt.NDArray[Any], at: Places, value: Any) -> npt.NDArray[Any]:
    """The array, with a value, or one for each of the series, at these; in place."""
    array[..., at[0], at[1]] = value
    return array
