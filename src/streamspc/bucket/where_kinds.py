"""What each field of a `where` expression has to be, by its use.

Both sides of a comparison are of one kind. A field compared with a number, or in arithmetic, is a NUMBER; with a text TEXT; with
true or false, or asked by itself, a FLAG. Two fields that are put in order and nothing else says what they are, are numbers; fields
that are only compared for equality, or with null, are ANY.
"""

from __future__ import annotations

from streamspc.bucket.where_nodes import Among, Arithmetic, Compare, Condition, Field, IsNull, Literal, Logic, Value, fault
from streamspc.model import FieldKind

EQUALITY = frozenset({"==", "!="})


def kinds(text: str, condition: Condition) -> dict[str, FieldKind]:
    """Kind of every field of the condition. Raises ConfigError where two uses disagree."""
    uses = _Uses(text)
    uses.condition(condition)
    for compare in uses.comparisons:
        uses.order(compare)
    return {path: uses.of(path) or FieldKind.ANY for path in uses.parent}


class _Uses:
    """Classes of fields that are of one kind, as a forest of `parent` links, and the kind of each root."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.parent: dict[str, str] = {}
        self._kind: dict[str, FieldKind] = {}
        self.comparisons: list[Compare] = []

    def _root(self, path: str) -> str:
        while self.parent.setdefault(path, path) != path:
            path = self.parent[path]
        return path

    def of(self, path: str) -> FieldKind | None:
        return self._kind.get(self._root(path))

    def condition(self, node: Condition) -> None:
        if isinstance(node, Compare):
            self._same(node.left, node.right, node.at)
            self.comparisons.append(node)
        elif isinstance(node, Among):
            for member in node.members:
                self._same(node.operand, member, member.at)
        elif isinstance(node, IsNull):
            self._known(node.operand)
        elif isinstance(node, Logic):
            for part in node.parts:
                self.condition(part)
        else:
            self.condition(node.operand)

    def _known(self, node: Value) -> FieldKind | None:
        """The kind of a value, as far as it is known; notes the fields in it."""
        if isinstance(node, Field):
            return self.of(node.path)
        if isinstance(node, Arithmetic):
            for side in (node.left, node.right):
                self._is(side, FieldKind.NUMBER, side.at)
            return FieldKind.NUMBER
        return _literal(node)

    def _same(self, left: Value, right: Value, at: int) -> None:
        if isinstance(left, Field) and isinstance(right, Field):
            one, other = self._root(left.path), self._root(right.path)
            kind = self._kind.get(other)
            self.parent[other] = one
            if kind is not None:
                self._is(left, kind, at)
        else:
            for side, against in ((left, right), (right, left)):
                kind = self._known(against)
                if kind is not None:
                    self._is(side, kind, at)

    def _is(self, node: Value, kind: FieldKind, at: int) -> None:
        known = self._known(node)
        if known not in {None, kind}:
            what = f"field {node.path}" if isinstance(node, Field) else "a value"
            raise fault(self._text, at, f"{what} is a {known} by another use, here a {kind}; expected one kind")
        if isinstance(node, Field):
            self._kind[self._root(node.path)] = kind

    def order(self, node: Compare) -> None:
        """Fields that are put in order are numbers if nothing else is known of them; flags have no order."""
        if node.op in EQUALITY:
            return
        kind = self._known(node.left) or self._known(node.right)
        if kind is FieldKind.FLAG:
            raise fault(self._text, node.at, f"flags have no order; expected == or !=, found {node.op}")
        for side in (node.left, node.right):
            self._is(side, kind or FieldKind.NUMBER, node.at)


def _literal(node: Literal) -> FieldKind | None:
    if isinstance(node.value, bool):
        return FieldKind.FLAG
    if isinstance(node.value, str):
        return FieldKind.TEXT
    return None if node.value is None else FieldKind.NUMBER
