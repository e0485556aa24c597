"""YAML text to a document."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamspc.settings.dialect import parse
from streamspc.settings.document import Place, Substituted


def data(text: str, **environment: str) -> Any:
    """The data of a text without faults."""
    document = parse(text, "x.yaml", environment)
    assert document.lines() == []
    return document.data


def faults(text: str, **environment: str) -> list[str]:
    """The problems of a text."""
    return parse(text, "x.yaml", environment).lines()


def test_scalars_mean_what_yaml_1_2_says():
    """Words such as `no` and times such as 12:30 stay text; numbers, true, false and null are what they are."""
    text = "[no, on, 12:30, 2013-01-01, 0o7, 1_000, true, False, null, ~, '', 3, -3, 2.5, 1e3, .5, '3', \"true\", +1]"
    expected = ["no", "on", "12:30", "2013-01-01", "0o7", "1_000", True, False, None, None, "", 3, -3, 2.5, 1000.0, 0.5, "3", "true", 1]

    assert data(text) == expected
    assert [type(value) for value in data(text)] == [type(value) for value in expected]


def test_every_key_and_value_has_its_place():
    """Lines and columns count from 1, for values in block and flow style."""
    document = parse("a:\n  - b: 1\n    c: {d: x}\n", "x.yaml", {})

    assert document.values["a", 0, "b"] == Place(2, 8)
    assert document.keys["a", 0, "c", "d"] == Place(3, 9)
    assert document.values["a", 0, "c", "d"] == Place(3, 12)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "x.yaml:1:1: the file is empty"),
        ("# only a comment\n", "x.yaml:1:1: the file is empty"),
        ("a: [1", "x.yaml:1:6: not YAML: expected ',' or ']', but got '<stream end>'"),
        ("a: {b: ${C}}", "x.yaml:1:9: not YAML: expected ',' or '}', but got '{'; a variable inside of { } or [ ] needs quotes around it"),
        ("a: b\n  c: d", "x.yaml:2:4: not YAML: mapping values are not allowed here"),
        ("a: 1\n\tb: 2", "x.yaml:2:1: not YAML: found character '\\t' that cannot start any token"),
        ("a: \x07", "x.yaml:1:4: not YAML: the character U+0007 is not allowed"),
        ("a: 1\nb: \x00", "x.yaml:2:4: not YAML: the character U+0000 is not allowed"),
        ("a: &x 1\nb: *x", "x.yaml:2:4: not YAML: aliases (*name) are not allowed; write the value again"),
        (
            "a: !!python/name:os.system x",
            "x.yaml:1:4: not YAML: tags (tag:yaml.org,2002:python/name:os.system) are not allowed; write the plain value",
        ),
        ("a: !!int x", "x.yaml:1:4: not YAML: tags (tag:yaml.org,2002:int) are not allowed; write the plain value"),
        ("a: 1\n---\nb: 2", "x.yaml:2:1: not YAML: but found another document"),
        ("a: 1\na: 2", "x.yaml:2:1: a: duplicate key; it is already on line 1"),
        ("? [a]\n: 1", "x.yaml:1:3: a key has to be text; put it in quotes"),
        ("true: 1", "x.yaml:1:1: a key has to be text; put it in quotes"),
        ("[" * 30 + "]" * 30, "x.yaml:1:22: not YAML: nested more than 20 deep"),
    ],
)
def test_what_is_not_in_the_dialect_is_refused_with_its_place(text, problem):
    """Broken YAML, aliases, tags, further documents, duplicate and odd keys, and deep nesting."""
    assert faults(text) == [problem]


def test_a_file_that_would_unfold_to_gigabytes_is_refused_at_its_first_alias():
    """The billion laughs: nothing is built of aliases."""
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))

    assert faults(bomb) == ["x.yaml:2:10: not YAML: aliases (*name) are not allowed; write the value again"]


def test_variables_are_replaced_in_values_only():
    """`${NAME}` and `${NAME:-default}` work inside of text; an empty variable takes the default; `$${` is an escape."""
    text = "{'${A}': x, a: 'p ${A} q ${B:-d} r ${E:-e}', b: '${E}', c: '$${A} $A', d: '${B:-}', e: '${B:-a:-b $c}'}"

    assert data(text, A="1", E="") == {"${A}": "x", "a": "p 1 q d r e", "b": "", "c": "${A} $A", "d": "", "e": "a:-b $c"}


def test_what_a_variable_holds_is_never_read_as_yaml():
    """A value with the signs of YAML stays one text."""
    assert data("a: ${A}", A="x\nb: [1, *c]") == {"a": "x\nb: [1, *c]"}


def test_a_replaced_text_remembers_what_was_written():
    """Messages show what the file says, not what the environment held."""
    value = parse("a: x${A}", "x.yaml", {"A": "y"}).at(("a",))

    assert isinstance(value, Substituted)
    assert (value, value.written) == ("xy", "x${A}")


def test_variables_that_are_not_set_or_not_closed_are_problems():
    """Each with its place and its cure."""
    assert faults("a: ${A}\nb: ${A\nc: ${1}") == [
        "x.yaml:1:4: a: the environment variable A is not set; set it, or write ${A:-default}",
        "x.yaml:2:4: b: write ${NAME} or ${NAME:-default}, or $${ for the two characters",
        "x.yaml:3:4: c: write ${NAME} or ${NAME:-default}, or $${ for the two characters",
    ]


@given(st.text(alphabet="ab:-[]{}&*!|>#%@`'\"\\?,~ \n\t${}\x00\ufeff0.1e+<", max_size=40))
def test_any_text_is_a_document_or_a_problem(text):
    """Reading never raises, and a text without problems has data."""
    document = parse(text, "x.yaml", {})

    assert document.lines() or () in document.values
