import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamspc.admit import segment
from streamspc.admit.segment import Segments, canonical
from streamspc.model import WHOLE

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text("a*∅|\\1", max_size=4),
    st.text(max_size=250),
)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        (("JFK",), "JFK"),
        (("",), ""),
        ((None,), "∅"),
        (("∅",), "\\∅"),
        (("*",), "\\*"),
        (("**",), "**"),
        (("a|b\\",), "a\\|b\\\\"),
        ((True,), "true"),
        ((False,), "false"),
        ((1,), "1"),
        ((1.0,), "1"),
        ((-0.0,), "0"),
        ((0.1,), "0.1"),
        ((1e22,), "1" + "0" * 22),
        ((2**70 + 1,), str(2**70 + 1)),
        (("JFK", None, 3), "JFK|∅|3"),
        (("*", "*"), "\\*|\\*"),
    ],
)
def test_names(values, name):
    """A segment's name is its values as text, one way for each."""
    assert canonical(values) == name


def test_long_names_are_cut_and_stay_apart():
    """A name of more than 200 characters ends with a hash of all of it."""
    one, other = canonical(("x" * 201,)), canonical(("x" * 202,))

    assert len(canonical(("x" * 200,))) == 200
    assert one[:181] == other[:181] == "x" * 180 + "#"
    assert len(one) == 197
    assert one != other
    assert one == "x" * 180 + "#4b947e1e32c12ad3"


@given(st.lists(st.text(max_size=5), min_size=1, max_size=3), st.lists(st.text(max_size=5), min_size=1, max_size=3))
def test_names_of_texts_never_collide(one, other):
    """Different texts have different names, none of which is the whole stream's or null's."""
    assert (canonical(tuple(one)) == canonical(tuple(other))) == (one == other)
    assert canonical(tuple(one)) not in {WHOLE, "∅"}


@given(st.integers(1, 3).flatmap(lambda width: st.lists(st.lists(scalars, min_size=width, max_size=width), max_size=20)))
def test_codes_name_each_record(rows):
    """The code of a record leads to its name; names are sorted, unique and all in use, whatever was met before."""
    columns = [list(column) for column in zip(*rows, strict=True)] or [[]]
    used = Segments()
    used.codes([["z", True, 1, 0, False, None, "*"]] * len(columns))
    codes, names = used.named(used.codes(columns))

    assert [names[code] for code in codes] == [canonical(tuple(row)) for row in rows]
    assert list(names) == sorted({canonical(tuple(row)) for row in rows})
    assert codes.dtype == np.int32


def test_what_is_remembered_is_bounded(monkeypatch):
    """After too many distinct values the memory begins anew, and codes stay right."""
    monkeypatch.setattr(segment, "REMEMBERED", 10)
    segments = Segments()
    for first in range(0, 100, 20):
        segments.forget()
        codes, names = segments.named(segments.codes([[str(value) for value in range(first, first + 20)]]))
        assert [names[code] for code in codes] == [str(value) for value in range(first, first + 20)]

    assert len(segments._known) <= 30
