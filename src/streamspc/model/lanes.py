"""Structs of arrays over segments: how their parts become one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Lanes = dict[str, npt.NDArray[Any]]  # arrays [..., S] by name


def take(arrays: Iterable[npt.NDArray[Any]], columns: npt.NDArray[np.int64]) -> list[npt.NDArray[Any]]:
    """These columns of each array, in this order."""
    return [np.take(array, columns, axis=-1) for array in arrays]


def chosen(where: npt.NDArray[np.bool_], new: Iterable[npt.NDArray[Any]], old: Iterable[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
    """New arrays: the new ones where the mask holds, else the old ones."""
    return [np.where(where, one, other) for one, other in zip(new, old, strict=True)]


def under(lanes: Mapping[str, npt.NDArray[Any]], prefix: str) -> Lanes:
    """Those whose names begin so, without it."""
    return {name.removeprefix(prefix): array for name, array in lanes.items() if name.startswith(prefix)}


def join(parts: Sequence[tuple[Sequence[str], Mapping[str, npt.NDArray[Any]]]]) -> tuple[list[str], Lanes]:
    """Parts side by side as one struct of arrays; the last axis follows the sorted names, so the order of the parts leaves no trace.

    Parts have the same keys and, but for the last axis, the same shapes. Raises ValueError where a name comes twice.
    """
    names = [name for part, _ in parts for name in part]
    order = np.array(sorted(range(len(names)), key=names.__getitem__), np.int64)
    if len(set(names)) < len(names):
        raise ValueError("a segment has two states")
    arrays = {key: np.concatenate([part[key] for _, part in parts], axis=-1) for key in parts[0][1]}
    return [names[i] for i in order], {key: np.take(array, order, axis=-1) for key, array in arrays.items()}
