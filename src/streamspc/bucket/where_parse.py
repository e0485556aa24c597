"""Text of a `where` expression to its tree: tokens, then recursive descent with bounded length and depth.

or        = and { "or" and }
and       = not { "and" not }
not       = "not" not | predicate
predicate = sum [ op sum | ["not"] "in" "(" literal { "," literal } ")" | "is" ["not"] "null" ]
sum       = product { ("+" | "-") product }
product   = unary { ("*" | "/" | "%") unary }
unary     = "-" unary | "(" or ")" | literal | path
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, NamedTuple, Never

from streamspc.bucket.where_nodes import (
    Among,
    Arithmetic,
    Compare,
    Condition,
    Field,
    IsNull,
    Literal,
    Logic,
    Node,
    Not,
    Value,
    fault,
)
from streamspc.model.path import join, split

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST = 4000  # characters
DEEPEST = 32  # parentheses, nots and signs within each other
MOST = 100  # arithmetic operators
_COMPARE = frozenset({"==", "!=", "<", "<=", ">", ">="})
_WORDS = frozenset({"and", "or", "not", "in", "is", "null", "true", "false"})
_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_SEGMENT = r"(?:[^\W\d]\w*|`(?:[^`]|``)+`)"
_TOKEN = re.compile(
    rf"""\s*(?:(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)(?!\w)|(?P<path>{_SEGMENT}(?:\.{_SEGMENT})*)
    |(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?P<sign>==|!=|<=|>=|[-<>+*/%(),])|(?P<end>$))""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_ESCAPES = {"\\": "\\", "'": "'", '"': '"', "n": "\n", "t": "\t", "r": "\r"}
_CURES = {"=": "use ==", "&": "use and", "|": "use or", "!": "use != or not", "'": "the text does not end", '"': "the text does not end"}


class _Token(NamedTuple):
    kind: str  # number, path, word, text, sign, end
    text: str
    at: int


def parse(text: str) -> Condition:
    """The tree of a condition. Raises ConfigError with the position and what was expected."""
    if len(text) > LONGEST:
        raise fault(text, LONGEST, f"longer than {LONGEST} characters; expected a shorter condition")
    return _Parser(text).whole()


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while not tokens or tokens[-1].kind != "end":
        found = _TOKEN.match(text, at)
        if found is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            raise fault(text, at, f"unexpected {text[at]!r}; {_CURES.get(text[at], 'expected a field, value or operator')}")
        kind = str(found.lastgroup)
        word = found[kind]
        if kind == "path" and word.lower() in _WORDS:
            kind, word = "word", word.lower()
        tokens.append(_Token(kind, word, found.start(str(found.lastgroup))))
        at = found.end()
    return tokens


class _Parser:
    """One pass over the tokens of one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._next = 0
        self._depth = 0
        self._arithmetic = 0

    def whole(self) -> Condition:
        node = self._condition(self._or())
        if self._token.kind != "end":
            self._fail("expected and, or, or the end")
        return node

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _take(self, *texts: str) -> _Token | None:
        """The next token, if it is one of these words or signs."""
        token = self._token
        if token.kind not in {"word", "sign"} or token.text not in texts:
            return None
        self._next += 1
        return token

    def _need(self, text: str) -> None:
        if self._take(text) is None:
            self._fail(f"expected {text}")

    def _fail(self, expected: str) -> Never:
        token = self._token
        raise fault(self._text, token.at, f"unexpected {token.text!r}; {expected}" if token.text else f"the end came too soon; {expected}")

    def _nested(self, at: int, rule: Callable[[], Node]) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise fault(self._text, at, f"nested deeper than {DEEPEST}; expected a simpler condition")
        node = rule()
        self._depth -= 1
        return node

    def _or(self) -> Node:
        return self._logic("or", self._and)

    def _and(self) -> Node:
        return self._logic("and", self._not)

    def _logic(self, op: str, rule: Callable[[], Node]) -> Node:
        at = self._token.at
        parts = [rule()]
        while self._take(op):
            parts.append(rule())
        return parts[0] if len(parts) == 1 else Logic(at, op, tuple(map(self._condition, parts)))

    def _not(self) -> Node:
        sign = self._take("not")
        return self._predicate() if sign is None else Not(sign.at, self._condition(self._nested(sign.at, self._not)))

    def _predicate(self) -> Node:
        node = self._sum()
        token = self._token
        if self._take(*_COMPARE):
            return Compare(token.at, token.text, self._comparable(node), self._comparable(self._sum()))
        if self._take("is"):
            negated = self._take("not") is not None
            self._need("null")
            return IsNull(token.at, self._value(node), negated)
        if token.text == "not" and token.kind == "word":
            self._next += 1
            self._need("in")
            return Among(token.at, self._value(node), self._members(), negated=True)
        if self._take("in"):
            return Among(token.at, self._value(node), self._members(), negated=False)
        return node

    def _members(self) -> tuple[Literal, ...]:
        self._need("(")
        members: list[Literal] = []
        while not members or self._take(","):
            member = self._unary()
            if not isinstance(member, Literal):
                raise fault(self._text, member.at, "expected a number, text or flag in the list")
            self._comparable(member)
            members.append(member)
        self._need(")")
        return tuple(members)

    def _sum(self) -> Node:
        return self._operators(("+", "-"), self._product)

    def _product(self) -> Node:
        return self._operators(("*", "/", "%"), self._unary)

    def _operators(self, signs: tuple[str, ...], rule: Callable[[], Node]) -> Node:
        node = rule()
        while sign := self._take(*signs):
            self._arithmetic += 1
            if self._arithmetic > MOST:
                raise fault(self._text, sign.at, f"more than {MOST} arithmetic operators; expected a simpler condition")
            node = Arithmetic(sign.at, sign.text, self._number(node), self._number(rule()))
        return node

    def _unary(self) -> Node:
        token = self._token
        if self._take("-"):
            operand = self._number(self._nested(token.at, self._unary))
            if isinstance(operand, Literal) and isinstance(operand.value, float):
                return Literal(token.at, -operand.value)
            return Arithmetic(token.at, "-", Literal(token.at, 0.0), operand)
        if self._take("("):
            node = self._nested(token.at, self._or)
            self._need(")")
            return node
        if self._take(*_CONSTANTS):
            return Literal(token.at, _CONSTANTS[token.text])
        return self._leaf(token)

    def _leaf(self, token: _Token) -> Value:
        if token.kind == "number":
            value = float(token.text)
            if math.isinf(value):
                self._fail("expected a number that a double can hold")
            node: Value = Literal(token.at, value)
        elif token.kind == "text":
            node = Literal(token.at, self._unescape(token))
        elif token.kind == "path":
            node = Field(token.at, join(split(token.text)))
        else:
            self._fail("expected a field, number or text")
        self._next += 1
        return node

    def _unescape(self, token: _Token) -> str:
        def one(found: re.Match[str]) -> str:
            if found[1] is not None and not 0xD800 <= (code := int(found[1], 16)) <= 0xDFFF:
                return chr(code)
            if found[2] not in _ESCAPES:
                at = token.at + 1 + found.start()
                raise fault(
                    self._text, at, f"unknown escape {found[0]}; expected \\\\ \\' \\\" \\n \\t \\r or \\u and a character's four digits"
                )
            return _ESCAPES[found[2]]

        return _ESCAPE.sub(one, token.text[1:-1])

    def _condition(self, node: Node) -> Condition:
        """A condition; a field or flag by itself asks whether it is true."""
        if isinstance(node, Field) or (isinstance(node, Literal) and isinstance(node.value, bool)):
            return Compare(node.at, "==", node, Literal(node.at, value=True))
        if isinstance(node, Value):
            raise fault(self._text, node.at, "expected a condition such as delay > 15, found a value")
        return node

    def _value(self, node: Node) -> Value:
        if isinstance(node, Value):
            return node
        raise fault(self._text, node.at, "expected a field, number or text, found a condition")

    def _number(self, node: Node) -> Value:
        if isinstance(node, Literal) and not isinstance(node.value, float):
            raise fault(self._text, node.at, "expected a number or a field")
        return self._value(node)

    def _comparable(self, node: Node) -> Value:
        if isinstance(node, Literal) and node.value is None:
            raise fault(self._text, node.at, "a comparison with null is never true; use is null, or is not null")
        return self._value(node)
