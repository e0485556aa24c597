"""The few series where something happens: what is rare is done there, and costs the others nothing.

Arrays are [..., M, S] and masks [M, S]. A series is one number, counted through [M, S] row by row: to take from an array by it costs a
sixth of taking by metric and column. Masked ufuncs, `np.where` and a two-dimensional `np.nonzero` cost ten times an addition over all
series, whether one of them is meant or none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamspc.model import Bools

Places = npt.NDArray[np.intp]
Array = npt.NDArray[Any]
AREA = 2  # dimensions of an array with one number a series: most of them, and then nothing else is asked


def places(where: Bools) -> Places:
    """Where the mask holds, by metric and then segment."""
    return np.flatnonzero(where)


def at(arrays: Iterable[Array], series: Places) -> list[Array]:
    """Arrays [..., M, S] at q series: [..., q]."""
    return [array.take(series) if array.ndim == AREA else _planes(array).take(series, axis=-1) for array in arrays]


def put(array: Array, series: Places, value: Any) -> None:
    """Write a value, or one for each of q series, into an array that is contiguous; in place."""
    if array.ndim == AREA:
        array.reshape(-1)[series] = value
    elif len(series):
        for plane in array.reshape(-1, array.shape[-2] * array.shape[-1]):
            plane[series] = value


def _planes(array: Array) -> Array:
    return array.reshape(*array.shape[:-2], -1)
