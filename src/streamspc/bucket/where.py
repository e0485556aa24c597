"""`where`: a condition on the fields of a record, written by the user, compiled once, evaluated for whole columns.

    status >= 500 and not path in ('/health', '/ready')
    (arr_time - dep_time) / 60 > 1.5 or `user.id` is null

The language has comparisons, and / or / not, in, is null, arithmetic, texts, numbers, flags and dotted paths; `where_parse` has its
grammar, `where_kinds` its types. No text of the user is ever run as Python.

Logic has two values. A comparison (also != and `not in`) with null is false, and so is one with arithmetic that has no finite
result, such as a division by zero: that is null too. `not` turns what it is given: `not a == 1` holds where a is null, `a != 1` does
not. `%` has the sign of the divisor. Texts are ordered by code points. In fields of ANY kind 1 equals 1.0, but never true.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from streamspc.bucket.where_kinds import EQUALITY, kinds
from streamspc.bucket.where_nodes import Among, Arithmetic, Compare, Condition, Field, IsNull, Literal, Logic, Value
from streamspc.bucket.where_parse import parse
from streamspc.model import Bools, Column, FieldKind

_Values = Callable[[Mapping[str, Column]], Column]  # columns of n, or of 1 where only literals are in them
_Mask = Callable[[Mapping[str, Column]], Bools]

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.mod,
}


class Where:
    """A compiled condition. `fields` are the paths it reads, with what each has to be."""

    def __init__(self, text: str) -> None:
        """Raises ConfigError with the position, the text with a caret, and what was expected."""
        tree = parse(text)
        self.text = text
        self.fields = kinds(text, tree)
        self._mask = _condition(tree, self.fields)

    def mask(self, fields: Mapping[str, Column], n: int) -> Bools:
        """Where the condition holds [n]. `fields` holds at least the columns of `self.fields`, each of n."""
        return np.broadcast_to(self._mask(fields), n).copy()


def compile_where(text: str) -> Where:
    """Compile a condition. Raises ConfigError with the position, the text with a caret, and what was expected."""
    return Where(text)


def _condition(node: Condition, kinds_of: Mapping[str, FieldKind]) -> _Mask:
    if isinstance(node, Compare):
        return _compare(node, kinds_of)
    if isinstance(node, Among):
        return _among(node)
    if isinstance(node, IsNull):
        values, negated = _value(node.operand), node.negated
        return lambda fields: values(fields).null ^ negated
    if isinstance(node, Logic):
        parts = [_condition(part, kinds_of) for part in node.parts]
        join: Callable[[Any, Any], Any] = operator.and_ if node.op == "and" else operator.or_
        return lambda fields: reduce(join, (part(fields) for part in parts))
    inner = _condition(node.operand, kinds_of)
    return lambda fields: ~inner(fields)


def _compare(node: Compare, kinds_of: Mapping[str, FieldKind]) -> _Mask:
    left, right = _value(node.left), _value(node.right)
    compare, ordered = _COMPARE[node.op], node.op not in EQUALITY
    loose = isinstance(node.left, Field) and kinds_of[node.left.path] is FieldKind.ANY

    def mask(fields: Mapping[str, Column]) -> Bools:
        one, other = left(fields), right(fields)
        there = ~(one.null | other.null)
        if ordered:
            result = compare(_filled(one), _filled(other)).astype(bool)
        elif loose:
            result = _alike(one.values, other.values) ^ (node.op == "!=")
        else:
            result = compare(one.values, other.values).astype(bool)
        both: Bools = result & there
        return both

    return mask


def _alike(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> Bools:
    """Equality of values of any kind, element by element: true and 1 differ."""
    same: Bools = (one == other).astype(bool)
    for at in np.flatnonzero(same):
        same[at] = isinstance(one[at], bool) == isinstance(other[at], bool)
    return same


def _filled(column: Column) -> npt.NDArray[Any]:
    """Values that can be put in order: texts instead of None."""
    if column.values.dtype != object or not column.null.any():
        return column.values
    return np.where(column.null, "", column.values)


def _among(node: Among) -> _Mask:
    values, negated = _value(node.operand), node.negated
    members = frozenset(member.value for member in node.members)
    numbers = np.array([member for member in members if isinstance(member, float)], dtype=np.float64)

    def mask(fields: Mapping[str, Column]) -> Bools:
        column = values(fields)
        if column.values.dtype == np.float64:
            found = np.isin(column.values, numbers)
        else:
            found = np.fromiter(map(members.__contains__, column.values), dtype=bool, count=len(column.values))
        return (found ^ negated) & ~column.null

    return mask


def _value(node: Value) -> _Values:
    if isinstance(node, Field):
        return operator.itemgetter(node.path)
    if isinstance(node, Literal):
        kind = np.float64 if isinstance(node.value, float) else object
        constant = Column(np.array([node.value], dtype=kind), np.array([node.value is None]))
        return lambda _: constant
    return _arithmetic(node)


def _arithmetic(node: Arithmetic) -> _Values:
    left, right, compute = _value(node.left), _value(node.right), _ARITHMETIC[node.op]

    def values(fields: Mapping[str, Column]) -> Column:
        one, other = left(fields), right(fields)
        with np.errstate(all="ignore"):
            result = compute(one.values, other.values)
        null = one.null | other.null | ~np.isfinite(result)
        return Column(np.where(null, 0.0, result), null)

    return values
