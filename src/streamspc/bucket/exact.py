"""Exact sums of doubles: the same bits for any cut and any order of the values.

A double is an integer times a power of two, so a sum of doubles is one as well. Values are split without error into pieces that
are small integers of one unit (`h = (x + M) - M` rounds x to multiples of the unit 2**k when M = 1.5 * 2**(52 + k)); doubles add
such pieces exactly while the sum stays below 2**53 units. The integer that comes out is written with digits in [-2**25, 2**25) on
the absolute grid of weights 2**(26 b). Every number has exactly one such form, so the arrays follow from the sum alone.

Promise, for |x| <= 2**500 (admission refuses larger numbers) and fewer than 2**36 records a cell: no overflow, and no error except
that what is below 2**-520 in a value or in a square is rounded to that grid, value by value. (Squares of numbers below 2**-260
are lost by this.)

After Demmel, Ahrens & Nguyen, "Efficient reproducible floating point summation" (2016). Rejected: Kahan sums (accurate, but they
depend on the order), Fractions (a Python object per record).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from streamspc.errors import Fatal
from streamspc.model import ExactSum, Floats, Ints

DIGIT = 26  # bits between weights
LOWEST = -20  # the least weight is 2**(DIGIT * LOWEST)
CHUNK = 1 << 14  # values of a cell added at once ...
SPAN = 53 - 14  # ... as integers below 2**SPAN, so that their sum is exact
LIMIT = 2.0**1001  # beyond the square of any number that admission lets through
_DOWN = 4  # weights by which a variance is scaled so that n**2 x**2 cannot overflow


def sums(values: Floats, cell: Ints, cells: int) -> ExactSum:
    """Exact sum of the `values` [k] of each cell; `cell` [k] says which one, below `cells`."""
    parts = [_digits(list(_levels(x, c, cells)), cells) for x, c in _chunks(values, cell)]
    return _joined(parts, cells)


def squares(values: Floats, cell: Ints, cells: int) -> ExactSum:
    """Exact sum of the squares of the `values` [k] of each cell."""
    parts = []
    for x, c in _chunks(values, cell):
        square, error = _square(x)
        parts.append(_digits([*_levels(square, c, cells), *_levels(error, c, cells)], cells))
    return _joined(parts, cells)


def add(parts: Sequence[tuple[ExactSum, Ints]], cells: int) -> ExactSum:
    """Exact sum of parts; row i of a part is added to cell `target[i]` of its pair. Fewer than 2**27 rows in all."""
    used = [(part, target) for part, target in parts if part.bins.size]
    if not used:
        return ExactSum(0, np.zeros((cells, 0), np.int64))
    low = min(part.low for part, _ in used)
    width = max(part.low + part.bins.shape[1] for part, _ in used) - low
    rows = np.zeros((sum(len(target) for _, target in used), width))
    at = 0
    for part, target in used:
        left = part.low - low
        rows[at : at + len(target), left : left + part.bins.shape[1]] = part.bins
        at += len(target)
    targets = np.concatenate([target for _, target in used])
    flat = (np.arange(width)[:, None] + targets * width if cells else np.zeros((width, 0), np.int64)).T
    total = np.bincount(flat.ravel(), rows.ravel(), cells * width).reshape(cells, width)
    return _carried(low, total.T.astype(np.int64))


def take(total: ExactSum, rows: Ints) -> ExactSum:
    """The sums of some cells, in canonical form again."""
    return _trimmed(total.low, total.bins[rows].T)


def value(total: ExactSum) -> Floats:
    """Each sum as a double, within one unit in the last place. [c].

    Added from the lowest digit up: all digits below one weigh at most half of it, so that only the last two additions can round visibly.
    """
    result = np.zeros(len(total.bins))
    for j in range(total.bins.shape[1]):
        result += np.ldexp(total.bins[:, j].astype(np.float64), DIGIT * (total.low + j))
    return result


def variance(n: Ints, total: ExactSum, squared: ExactSum) -> Floats:
    """Unbiased variance (divisor n - 1) of each cell, nan for n < 2. [c].

    n sum(x^2) - (sum x)^2 is formed in integers, so that nothing cancels however large the mean; it is rounded once.
    """
    width, wide = total.bins.shape[1], squared.bins.shape[1]
    low = min(2 * total.low, squared.low)
    high = max(2 * (total.low + width), squared.low + wide)
    digits = np.zeros((high - low, len(n)), np.int64)
    for i in range(width):
        at = 2 * total.low - low + i
        digits[at : at + width] -= (total.bins * total.bins[:, i : i + 1]).T
    digits[squared.low - low : squared.low - low + wide] += (squared.bins * n[:, None]).T
    excess = _carried(low, digits)
    spread = np.maximum(value(ExactSum(excess.low - _DOWN, excess.bins)), 0.0)
    pairs = n.astype(np.float64) * (n - 1)
    scaled = np.full(len(n), np.nan)
    np.divide(spread, pairs, out=scaled, where=n > 1)
    return scaled * math.ldexp(1.0, DIGIT * _DOWN)


def _chunks(values: Floats, cell: Ints) -> Iterator[tuple[Floats, Ints]]:
    if len(values) and (len(values) <= CHUNK or np.bincount(cell).max() <= CHUNK):
        yield values, cell
        return
    for at in range(0, len(values), CHUNK):
        yield values[at : at + CHUNK], cell[at : at + CHUNK]


def _square(x: Floats) -> tuple[Floats, Floats]:
    """Square as a double and its rounding error, both exact (Veltkamp's split, Dekker's product)."""
    high = 134217729.0 * x
    high -= high - x
    low = x - high
    square = x * x
    error = high * high
    error -= square
    high *= low
    high += high
    error += high
    low *= low
    error += low
    return square, error


def _levels(values: Floats, cell: Ints, cells: int) -> Iterator[tuple[int, Ints]]:
    """Pairs (k, S): the sum of each cell is the sum over all pairs of S * 2**k."""
    rest = values
    while top := max(float(rest.max()), -float(rest.min())):
        if not top < LIMIT:
            raise Fatal(f"a number of size {top} cannot be added exactly: admission has to refuse it")
        k = max(math.frexp(top)[1] - SPAN, DIGIT * LOWEST)
        anchor = math.ldexp(1.5, 52 + k)
        piece = rest + anchor
        piece -= anchor
        level = np.bincount(cell, piece, cells) if cells > 1 else piece.sum(keepdims=True)  # the latter is four times as fast
        yield k, (level * math.ldexp(1.0, -k)).astype(np.int64)
        if k == DIGIT * LOWEST:
            return
        rest = np.subtract(rest, piece, out=piece)


def _digits(levels: list[tuple[int, Ints]], cells: int) -> ExactSum:
    """Integers of any units as digits on the grid."""
    low = min((k for k, _ in levels), default=0) // DIGIT
    high = max((k for k, _ in levels), default=0) // DIGIT
    digits = np.zeros((high - low + 2, cells), np.int64)
    for k, level in levels:
        weight, shift = divmod(k, DIGIT)
        digits[weight - low] += (level & ((1 << DIGIT) - 1)) << shift
        digits[weight - low + 1] += (level >> DIGIT) << shift
    return _carried(low, digits)


def _joined(parts: list[ExactSum], cells: int) -> ExactSum:
    if len(parts) == 1:
        return parts[0]
    each = np.arange(cells)
    return add([(part, each) for part in parts], cells)


def _carried(low: int, digits: Ints) -> ExactSum:
    """Canonical form of digits [b, c] of any size below 2**63."""
    digits = np.concatenate([digits, np.zeros((2, digits.shape[1]), np.int64)])
    while (carry := (digits + (1 << (DIGIT - 1))) >> DIGIT).any():
        digits -= carry << DIGIT
        digits[1:] += carry[:-1]
    return _trimmed(low, digits)


def _trimmed(low: int, digits: Ints) -> ExactSum:
    """Without weights that no cell uses; rows become cells. No weight at all has `low` 0."""
    used = np.flatnonzero(digits.any(axis=1))
    if not len(used):
        return ExactSum(0, np.zeros((digits.shape[1], 0), np.int64))
    return ExactSum(low + int(used[0]), np.ascontiguousarray(digits[used[0] : used[-1] + 1].T))
