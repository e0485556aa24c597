"""Sums, means and medians over windows [m, q], down each column, in an order that no neighbouring column can change.

A library sum may take another order when there is one column than when there are many, and then the last bits differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from streamspc.model import Bools, Floats, Ints


def total(rows: Floats) -> Floats:
    """Sum of the windows, first to last. [q]."""
    result = np.zeros(rows.shape[1])
    for row in rows:
        result += row
    return result


def kept(keep: Bools) -> Ints:
    """Number of windows that are kept. [q]."""
    number: Ints = np.count_nonzero(keep, axis=0).astype(np.int64)
    return number


def mean(rows: Floats, keep: Bools) -> Floats:
    """Mean of the windows that are kept (at least one). [q]."""
    return total(np.where(keep, rows, 0.0)) / kept(keep)


def variance(rows: Floats, keep: Bools) -> Floats:
    """Sample variance of the windows that are kept; 0 where there is only one. [q]."""
    squares = np.where(keep, rows - mean(rows, keep), 0.0) ** 2
    return total(squares) / np.maximum(kept(keep) - 1, 1)


def median(rows: Floats, keep: Bools) -> Floats:
    """Median of the windows that are kept (at least one): the mean of the two in the middle. [q]."""
    ordered = np.sort(np.where(keep, rows, np.inf), axis=0)
    k = kept(keep)
    low = np.take_along_axis(ordered, ((k - 1) // 2)[None], axis=0)[0]
    high = np.take_along_axis(ordered, (k // 2)[None], axis=0)[0]
    middle: Floats = 0.5 * low + 0.5 * high
    return middle
