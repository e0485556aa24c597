import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamspc.errors import ConfigError
from streamspc.model.path import join, split


@given(st.lists(st.text(st.sampled_from("ab.`- ä"), min_size=1), min_size=1).map(tuple))
def test_join_is_undone_by_split(parts):
    """Any names make a path that leads back to them."""
    assert split(join(parts)) == parts


@given(st.text("ab.`", max_size=8))
def test_a_path_has_one_canonical_text(text):
    """However a path is written, its canonical text is the same, or it is refused."""
    try:
        parts = split(text)
    except ConfigError:
        return

    assert split(join(parts)) == parts
    assert join(split(join(parts))) == join(parts)


@pytest.mark.parametrize(("text", "at"), [("", 1), (".a", 1), ("a.", 3), ("a..b", 3), ("`a", 1), ("``", 1), ("`a`b", 4), ("a`b`", 2)])
def test_a_path_that_is_none_is_refused_with_its_place(text, at):
    """Empty names and lone backquotes are errors at their character."""
    with pytest.raises(ConfigError, match=f"character {at}: expected"):
        split(text)
