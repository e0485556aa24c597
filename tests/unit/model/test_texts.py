import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamspc.model import Pack, Stored, Texts, sizes
from streamspc.model.texts import Piece

_TEXT = st.one_of(st.none(), st.binary(max_size=5))
_PIECES = st.lists(st.lists(_TEXT, max_size=6), max_size=4)


def made(pieces):
    """A column of these texts, each list in a buffer of its own with something in front."""
    found = []
    for texts in pieces:
        ends = np.cumsum([1, *(len(text or b"") for text in texts)])
        size = np.array([-1 if text is None else len(text) for text in texts], np.int64)
        found.append(Piece(b"#" + b"".join(filter(None, texts)), ends[:-1], size))
    return Texts(found)


@given(_PIECES, st.integers(-30, 30), st.integers(-30, 30))
def test_it_is_the_list_of_its_texts(pieces, begin, end):
    """Length, iteration, single texts, slices of any bounds, and sizes."""
    plain = [text for texts in pieces for text in texts]
    column = made(pieces)

    assert list(column) == plain
    assert [column[row] for row in range(-len(plain), len(plain))] == plain + plain
    assert list(column[begin:end]) == plain[begin:end]
    assert sizes(column).tolist() == sizes(plain).tolist() == [-1 if text is None else len(text) for text in plain]
    assert list(Texts.joined([column, column[begin:end], made([])])) == plain + plain[begin:end]


def test_beyond_its_ends_there_is_nothing():
    """As with a list, and a slice has no step."""
    column = made([[b"a"], [b"b"]])
    for row in (2, -3):
        with pytest.raises(IndexError):
            column[row]
    with pytest.raises(ValueError, match="one piece"):
        column[::2]


def test_a_slice_copies_no_buffer():
    """Not even where it spans two of them."""
    column = made([[b"a", b"b"], [b"c"]])

    assert [piece.data for piece in column[1:3].pieces] == [piece.data for piece in column.pieces]
    assert all(one.data is other.data for one, other in zip(column[1:3].pieces, column.pieces, strict=True))


def test_a_batch_goes_on_whole_only_where_all_of_it_is_there():
    """Cut in the middle it is lost; behind others it has moved."""
    pack = Pack(0, 3, b"", 0, 0, 0, 0)
    stored = Stored(made([[b"x"] * 5]), (pack, pack._replace(first=3, records=2)))

    assert [it.first for it in stored.part(0, 5).packs] == [0, 3]
    assert [it.first for it in stored.part(1, 5).packs] == [2]
    assert [it.first for it in stored.part(0, 4).packs] == [0]
    assert [it.first for it in Stored.joined([stored.part(3, 5), stored]).packs] == [0, 2, 5]
