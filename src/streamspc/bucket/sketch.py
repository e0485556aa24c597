"""Quantile sketches: counts in bins that are read off the bits of the double.

A bin holds the doubles that share sign, exponent and the first seven bits of the mantissa: 128 bins of equal width an octave. No
logarithm is taken, so every machine finds the same bin. The ends of a bin differ by at most 1/128 of their size, so a quantile
interpolated anywhere in the right bin has a relative error below 0.79 %, whatever the distribution. (64 bins would do for
mid-points, but mid-points make the statistic jump from bin to bin.) Zero has a bin of its own; keys sort like the values.

A cell with at most RAW values carries them raw and sorted instead: its quantiles are exact. Which form a cell has depends on its n
alone, so that merging in any order ends in the same arrays. Rejected: t-digest and KLL (their state depends on the order of merging),
DDSketch (logarithms differ in the last bit between machines).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from streamspc.model import Codes, Floats, Ints, Quantiles

RAW = 64  # values that a cell carries as they are
_SHIFT = 52 - 7  # bits of the mantissa within a bin
_DENSE = 4  # bins are counted in a dense array while it has at most so many entries a value
_CONFIDENCE = 1.959963984540054  # normal quantile of 0.975, for the bandwidth


class _Bins(NamedTuple):
    """Entries of `Quantiles`, or pieces of them before they are sorted. [e]."""

    cell: Ints
    key: Ints
    times: Ints


def sketch(values: Floats, cell: Ints, cells: int) -> Quantiles:
    """Sketch of the `values` [k] of each cell. Zeros must be +0.0, so that raw values have one form."""
    return _settled(np.bincount(cell, minlength=cells), values, cell, [])


def add(parts: Sequence[tuple[Quantiles, Ints]], cells: int) -> Quantiles:
    """Merge sketches: row i of a part is added to cell `target[i]` of its pair."""
    n = np.zeros(cells, np.int64)
    for part, target in parts:
        np.add.at(n, target, part.n)
    values = [part.raw_value for part, _ in parts]
    cell = [target[part.raw_cell] for part, target in parts]
    bins = [_Bins(target[part.bin_cell], part.bin_key.astype(np.int64), part.bin_count) for part, target in parts]
    return _settled(n, np.concatenate([np.zeros(0), *values]), np.concatenate([np.zeros(0, np.int64), *cell]), bins)


def take(sketched: Quantiles, rows: Ints) -> Quantiles:
    """The sketches of some cells; `rows` increases."""
    place = np.full(len(sketched.n), -1, np.int32)
    place[rows] = np.arange(len(rows), dtype=np.int32)
    in_bins, raw = place[sketched.bin_cell], place[sketched.raw_cell]
    kept, kept_raw = in_bins >= 0, raw >= 0
    return Quantiles(
        sketched.n[rows],
        in_bins[kept],
        sketched.bin_key[kept],
        sketched.bin_count[kept],
        raw[kept_raw],
        sketched.raw_value[kept_raw],
    )


def quantile(sketched: Quantiles, q: float) -> Floats:
    """The q-quantile of each cell, nan where n is 0. [c].

    Linear interpolation between the values beside rank (n - 1) q (type 7, as in numpy); where they are in bins, the values of a bin
    are taken as evenly spread.
    """
    return _at(sketched, np.full(len(sketched.n), q))[0]


def density_variance(sketched: Quantiles, q: float) -> Floats:
    """Variance of a q-quantile times n: q (1 - q) / f(Q)^2. [c], 0 where n < 2.

    1 / f is the slope of the quantile function, (Q(q + h) - Q(q - h)) / 2h (Siddiqui 1960; Bloch & Gastwirth 1968), with the bandwidth of
    Hall & Sheather (1988) for a 95 % interval, but at most half way to the nearer end of [0, 1]: beyond that the tail's curvature
    would count as noise. Where the values on both sides are equal, the quantile sits in an atom and does not vary: 0.
    """
    z = ndtri(q)
    density = np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    n = np.maximum(sketched.n, 1)
    h = n ** (-1 / 3) * _CONFIDENCE ** (2 / 3) * (1.5 * density**2 / (2 * z * z + 1)) ** (1 / 3)
    h = np.minimum(h, min(q, 1 - q) / 2)
    slope = (_at(sketched, q + h)[0] - _at(sketched, q - h)[0]) / (2 * h)
    return np.where(sketched.n > 1, q * (1 - q) * slope * slope, 0.0)


def grid_variance(sketched: Quantiles, q: float) -> Floats:
    """Variance that the bins add to a q-quantile, however many values: (half a bin's width)^2 / 3; 0 in raw cells. [c]."""
    width = _at(sketched, np.full(len(sketched.n), q))[1]
    return np.square(width / 2) / 3


def _settled(n: Ints, values: Floats, cell: Ints, bins: list[_Bins]) -> Quantiles:
    """Cells that hold few values keep them raw; the values of the others join the bins."""
    heavy = (n > RAW)[cell]
    light = np.flatnonzero(~heavy)
    if len(light):
        raw_value, raw_cell = _sorted(values[light], cell[light], len(n))
        values, cell = values[heavy], cell[heavy]
    else:
        raw_value, raw_cell = np.zeros(0), np.zeros(0, np.int64)
    loose = _Bins(cell, _keys(values), np.ones(len(cell), np.int64))
    entries = _added(_Bins(*(np.concatenate(column) for column in zip(loose, *bins, strict=True))), len(n))
    bin_cell, bin_key = entries.cell.astype(np.int32), entries.key.astype(np.int32)
    return Quantiles(n, bin_cell, bin_key, entries.times, raw_cell.astype(np.int32), raw_value)


def _sorted(values: Floats, cell: Ints, cells: int) -> tuple[Floats, Ints]:
    """By cell, then by value. Two sorts beat `lexsort`: numpy sorts 16-bit integers by radix."""
    by_value = np.argsort(values)
    narrow = cell.astype(np.uint16) if cells <= 1 << 16 else cell
    order = by_value[np.argsort(narrow[by_value], kind="stable")]
    return values[order], cell[order]


def _added(entries: _Bins, cells: int) -> _Bins:
    """Entries sorted by (cell, key), those of the same bin added up."""
    if not len(entries.cell):
        return entries
    low = int(entries.key.min())
    span = int(entries.key.max()) - low + 1
    packed = entries.cell * span + (entries.key - low)
    if cells * span <= _DENSE * len(packed):
        counts = np.bincount(packed, entries.times)
        packed = np.flatnonzero(counts)
        count = counts[packed].astype(np.int64)
    elif entries.times.max() == 1:
        packed = np.sort(packed.astype(np.int32) if cells * span < 1 << 31 else packed)
        first = np.flatnonzero(np.diff(packed, prepend=packed[0] - 1))
        count = np.diff(first, append=len(packed))
        packed = packed[first]
    else:
        order = np.argsort(packed, kind="stable")  # what is merged comes in sorted runs, which this sort only joins
        packed = packed[order]
        first = np.flatnonzero(np.diff(packed, prepend=packed[0] - 1))
        count = np.add.reduceat(entries.times[order], first)
        packed = packed[first]
    return _Bins(packed // span, packed % span + low, count)


def _keys(values: Floats) -> Ints:
    """Bin of each value: the upper bits of its size, with the value's sign."""
    bits = np.ascontiguousarray(values).view(np.int64)
    sign = bits >> 63
    return (((bits & 0x7FFF_FFFF_FFFF_FFFF) >> _SHIFT) ^ sign) - sign


def _edges(key: Codes) -> tuple[Floats, Floats]:
    """Least and greatest end of each bin; the bin of zero has no width."""
    size = np.abs(key.astype(np.int64))
    near, far = (size << _SHIFT).view(np.float64), ((size + (size > 0)) << _SHIFT).view(np.float64)
    return np.where(key < 0, -far, near), np.where(key < 0, -near, far)


def _at(sketched: Quantiles, q: Floats) -> tuple[Floats, Floats]:
    """Quantile q[i] of cell i, and the width of the bin it was interpolated in (0 in raw cells). [c] each."""
    value, width = np.full(len(q), np.nan), np.zeros(len(q))
    rank = np.maximum(sketched.n - 1, 0) * q
    cells = np.arange(len(q))
    raw = np.flatnonzero((sketched.n > 0) & (sketched.n <= RAW))
    if len(raw):
        first = np.searchsorted(sketched.raw_cell, cells[raw])
        below = np.floor(rank[raw]).astype(np.int64)
        low = sketched.raw_value[first + below]
        high = sketched.raw_value[first + np.minimum(below + 1, sketched.n[raw] - 1)]
        value[raw] = low + (high - low) * (rank[raw] - below)
    heavy = np.flatnonzero(sketched.n > RAW)
    if len(heavy):
        through = np.cumsum(sketched.bin_count)
        first = np.searchsorted(sketched.bin_cell, cells[heavy])
        before = through[first] - sketched.bin_count[first]
        below = np.floor(rank[heavy]).astype(np.int64)
        low, width[heavy] = _in_bin(sketched, through, before, below)
        high, _ = _in_bin(sketched, through, before, np.minimum(below + 1, sketched.n[heavy] - 1))
        value[heavy] = low + (high - low) * (rank[heavy] - below)
    return value, width


def _in_bin(sketched: Quantiles, through: Ints, before: Ints, rank: Ints) -> tuple[Floats, Floats]:
    """The value of a rank, those of its bin taken as evenly spread, and the bin's width; `before` counts the cells before. [c] each."""
    entry = np.searchsorted(through, before + rank, side="right")
    low, high = _edges(sketched.bin_key[entry])
    count = sketched.bin_count[entry]
    within = rank - (through[entry] - count - before)
    return low + (high - low) * (within + 0.5) / count, high - low
