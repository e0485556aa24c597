import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamspc.bucket.where import compile_where
from streamspc.errors import ConfigError
from streamspc.model import Column, FieldKind

NUMBER, TEXT, FLAG, ANY = FieldKind.NUMBER, FieldKind.TEXT, FieldKind.FLAG, FieldKind.ANY
KINDS = {"a": NUMBER, "b": NUMBER, "s": TEXT, "t": TEXT, "f": FLAG, "x": ANY, "y": ANY}


def column(values, kind):
    null = np.array([value is None for value in values], dtype=bool)
    if kind is NUMBER:
        return Column(np.array([0.0 if value is None else value for value in values], dtype=np.float64), null)
    array = np.empty(len(values), dtype=object)
    for at, value in enumerate(values):
        array[at] = value
    return Column(array, null)


def mask(text, **fields):
    """The mask of a condition over columns given as lists."""
    where = compile_where(text)
    n = len(next(iter(fields.values()))) if fields else 3
    return where.mask({name: column(fields[name], kind) for name, kind in where.fields.items()}, n).tolist()


# --- a plain interpreter of generated trees, record by record -------------------------------------------------------------------

NUMBERS = st.sampled_from([-2.5, -1.0, 0.0, 1.0, 2.0, 3.0, 1e200])
TEXTS = st.sampled_from(["", "m", "it's", 'say "so"', "back\\slash", "ä∅"])


def quoted(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def number(value):
    return f"{value:.1f}" if abs(value) < 1e6 else repr(value)


numeric = st.recursive(
    st.one_of(st.sampled_from([("field", "a"), ("field", "b")]), NUMBERS.map(lambda value: ("literal", value))),
    lambda inner: st.tuples(st.just("arithmetic"), st.sampled_from("+-*/%"), inner, inner),
    max_leaves=4,
)
textual = st.one_of(st.sampled_from([("field", "s"), ("field", "t")]), TEXTS.map(lambda value: ("literal", value)))
flags = st.one_of(st.just(("field", "f")), st.booleans().map(lambda value: ("literal", value)))
anything = st.sampled_from([("field", "x"), ("field", "y")])
ORDER, EQUAL = st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), st.sampled_from(["==", "!="])
predicates = st.one_of(
    st.tuples(st.just("compare"), ORDER, numeric, numeric),
    st.tuples(st.just("compare"), EQUAL, textual, textual),
    st.tuples(st.just("compare"), ORDER, textual, TEXTS.map(lambda value: ("literal", value))),
    st.tuples(st.just("compare"), EQUAL, flags, flags),
    st.tuples(st.just("compare"), EQUAL, anything, anything),
    st.tuples(st.just("among"), st.booleans(), numeric, st.lists(NUMBERS, min_size=1, max_size=3)),
    st.tuples(st.just("among"), st.booleans(), textual, st.lists(TEXTS, min_size=1, max_size=3)),
    st.tuples(st.just("null"), st.booleans(), st.one_of(numeric, textual, flags, anything)),
    st.tuples(st.just("asked"), st.just(("field", "f"))),
)
conditions = st.recursive(
    predicates,
    lambda inner: st.one_of(
        st.tuples(st.just("and"), inner, inner), st.tuples(st.just("or"), inner, inner), st.tuples(st.just("not"), inner)
    ),
    max_leaves=6,
)
records = st.lists(
    st.fixed_dictionaries(
        {
            "a": st.one_of(st.none(), NUMBERS),
            "b": st.one_of(st.none(), NUMBERS),
            "s": st.one_of(st.none(), TEXTS),
            "t": st.one_of(st.none(), TEXTS),
            "f": st.one_of(st.none(), st.booleans()),
            "x": st.one_of(st.none(), st.sampled_from([0, 1, 1.0, "1", True, False, [1], []])),
            "y": st.one_of(st.none(), st.sampled_from([0, 1, 1.0, "1", True, False, [1], []])),
        }
    ),
    max_size=6,
)


def literal(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return quoted(value) if isinstance(value, str) else number(value)


def written(node):  # noqa: PLR0911 - one return a kind of node
    """The text of a tree, with every parenthesis."""
    match node:
        case ("field", name) | ("asked", ("field", name)):
            return name
        case ("literal", value):
            return literal(value)
        case ("arithmetic" | "compare", op, left, right):
            return f"({written(left)} {op} {written(right)})"
        case ("among", negated, operand, members):
            return f"({written(operand)} {'not in' if negated else 'in'} ({', '.join(map(literal, members))}))"
        case ("null", negated, operand):
            return f"({written(operand)} is {'not ' if negated else ''}null)"
        case ("not", operand):
            return f"(not {written(operand)})"
        case (op, left, right):
            return f"({written(left)} {op} {written(right)})"


def finite(value):
    return value if value is not None and math.isfinite(value) else None


def value(node, record):
    match node:
        case ("field", name):
            return record[name]
        case ("literal", constant):
            return constant
        case (_, op, left, right):
            one, other = value(left, record), value(right, record)
            if one is None or other is None or (op in "/%" and other == 0):
                return None
            calculate = {"+": lambda: one + other, "-": lambda: one - other, "*": lambda: one * other}
            calculate |= {"/": lambda: one / other, "%": lambda: one % other}
            return finite(calculate[op]())


def holds(node, record):  # noqa: PLR0911 - one return a kind of node
    match node:
        case ("asked", field):
            return value(field, record) is True
        case ("and", left, right):
            return holds(left, record) and holds(right, record)
        case ("or", left, right):
            return holds(left, record) or holds(right, record)
        case ("not", operand):
            return not holds(operand, record)
        case ("null", negated, operand):
            return (value(operand, record) is None) != negated
        case ("among", negated, operand, members):
            found = value(operand, record)
            return found is not None and (found in members) != negated
        case (_, op, left, right):
            one, other = value(left, record), value(right, record)
            if one is None or other is None:
                return False
            equal = isinstance(one, bool) == isinstance(other, bool) and one == other
            if op in {"==", "!="}:
                return equal == (op == "==")
            return {"<": one < other, "<=": one <= other, ">": one > other, ">=": one >= other}[op]


@given(tree=conditions, rows=records)
@settings(max_examples=250, deadline=None)
def test_masks_equal_a_plain_interpreter(tree, rows):
    """For any condition and records, columns give what a reader of one record at a time gives."""
    where = compile_where(written(tree))
    fields = {name: column([row[name] for row in rows], KINDS[name]) for name in where.fields}

    assert where.mask(fields, len(rows)).tolist() == [holds(tree, row) for row in rows]
    assert all(kind in {KINDS[name], ANY} for name, kind in where.fields.items())


# --- what the language says, by example -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a + 2 * b == 7", [True, False, False]),
        ("a - b - 1 == -3", [True, False, False]),
        ("-a < -b", [False, True, False]),
        ("not a == 1", [False, True, True]),
        ("a != 1", [False, True, False]),
        ("not a == 1 and b == 3", [False, False, True]),
        ("a == 1 or a == 4 and b == 0", [True, False, False]),
        ("a / (b - 3) < 0 or b > 100", [False, True, False]),
        ("a / (b - 3) is null", [True, False, True]),
        ("b in (3, -1.5e0)", [True, False, True]),
        ("a not in (1)", [False, True, False]),
        ("1 == 1 AND TRUE", [True, True, True]),
        ("null is null", [True, True, True]),
        ("1 in (2)", [False, False, False]),
        (" a\n is\tnot null ", [True, True, False]),
    ],
)
def test_precedence_and_null(text, expected):
    """Operators bind as in arithmetic, then comparison, not, and, or; null makes a comparison false."""
    assert mask(text, a=[1.0, 4.0, None], b=[3.0, 2.0, 3.0]) == expected


def test_texts_and_their_escapes():
    """Both quotes and the escapes give the characters they stand for."""
    assert (
        mask(r"""s in ('it\'s', "a\"b", 'tab\t', '\u00e4', "\\")""", s=["it's", 'a"b', "tab\t", "ä", "\\", None, "x"])
        == [True] * 5 + [False] * 2
    )


def test_texts_are_ordered_by_code_points():
    """Null is neither before nor after a text."""
    assert mask("s < 'b'", s=["a", "b", None, ""]) == [True, False, False, True]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a > 1", {"a": NUMBER}),
        ("a == 'x' or b", {"a": TEXT, "b": FLAG}),
        ("a != false", {"a": FLAG}),
        ("a is null", {"a": ANY}),
        ("a == b", {"a": ANY, "b": ANY}),
        ("a == b and b == c and c > 1", {"a": NUMBER, "b": NUMBER, "c": NUMBER}),
        ("a < b", {"a": NUMBER, "b": NUMBER}),
        ("a < b and b != 'x'", {"a": TEXT, "b": TEXT}),
        ("a + b is null", {"a": NUMBER, "b": NUMBER}),
        ("a in ('x')", {"a": TEXT}),
        ("a.b == c.`d`.`e.f` and `in` is null", {"a.b": ANY, "c.d.`e.f`": ANY, "in": ANY}),
        ("`dep-time` > 1 and größe > 1", {"dep-time": NUMBER, "größe": NUMBER}),
    ],
)
def test_kinds_follow_from_use(text, expected):
    """Each field is what it is compared with, under its canonical path."""
    assert compile_where(text).fields == expected


@pytest.mark.parametrize(
    ("text", "at", "what"),
    [
        ("", 1, "the end came too soon; expected a field, number or text"),
        ("a = 1", 3, "use =="),
        ("a > 1 && b", 7, "use and"),
        ("a > ", 5, "the end came too soon"),
        ("a > 1)", 6, "unexpected ')'; expected and, or, or the end"),
        ("(a > 1", 7, "expected )"),
        ("1 < a < 3", 7, "expected and, or, or the end"),
        ("a + 1", 3, "expected a condition such as delay > 15"),
        ("(a > 1) + 1 > 2", 4, "found a condition"),
        ("a > 10m", 5, "unexpected '1'"),
        ("a == null", 6, "use is null"),
        ("a in (1, null)", 10, "use is null"),
        ("a in (b)", 7, "expected a number, text or flag in the list"),
        ("a in ()", 7, "expected a field, number or text"),
        ("a is 3", 6, "expected null"),
        ("a not 3", 7, "expected in"),
        ("a == 'x", 6, "the text does not end"),
        ("a == '\\q'", 7, "unknown escape"),
        ("a == '\\ud800'", 7, "unknown escape"),
        ("a > 1e999", 5, "that a double can hold"),
        ("a > 1 and a == 'x'", 13, "field a is a number by another use, here a text"),
        ("a == true and b == 1 and a == b", 28, "expected one kind"),
        ("a < true", 3, "flags have no order"),
        ("'x' + 1 > 2", 1, "expected a number or a field"),
        ("__import__('os')", 11, "expected and, or, or the end"),
        ("a > 1;", 6, "unexpected ';'"),
        ("(" * 40 + "a", 33, "nested deeper than 32"),
        ("not " * 40 + "a", 129, "nested deeper than 32"),
        ("a" + "+a" * 101 + " > 1", 202, "more than 100 arithmetic operators"),
        ("a" * 4001, 4001, "longer than 4000 characters"),
    ],
)
def test_faults_are_shown_with_their_place(text, at, what):
    """A wrong condition never compiles: the message has the position, a caret under it, and what was expected."""
    with pytest.raises(ConfigError) as refused:
        compile_where(text)

    first, line, caret = str(refused.value).split("\n")
    assert first.startswith(f"where, character {at}: ")
    assert what in first
    assert len(caret) - 1 == min(at - 1, 60) + 2
    assert line[2:] == text[max(0, at - 61) : at + 59]


def test_long_chains_compile():
    """A condition of hundreds of alternatives is as good as a short one."""
    text = " or ".join(f"a == {at}" for at in range(300))

    assert mask(text, a=[299.0, 300.0]) == [True, False]


@given(st.text(alphabet="ab.'\"`\\ ()=!<>+-*/%,01e\nandortisu", max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_text_compiles_or_is_refused(text):
    """No text makes anything but a condition or a ConfigError."""
    try:
        where = compile_where(text)
    except ConfigError:
        return

    assert where.mask({name: column([], kind) for name, kind in where.fields.items()}, 0).tolist() == []
