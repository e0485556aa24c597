import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamspc.bucket import watermark
from streamspc.errors import Fatal
from streamspc.model import END, NEVER

TIMES = st.lists(st.integers(-(10**17), 10**17), max_size=30)


def ints(values):
    return np.array(values, dtype=np.int64)


@given(times=TIMES, carried=st.one_of(st.just(NEVER), st.just(END), st.integers(-(10**17), 10**17)), disorder=st.integers(0, 2**63 - 1))
def test_advance_equals_a_plain_running_maximum(times, carried, disorder):
    """The watermark after a record is the largest time so far less the disorder, never below what was carried, in unbounded integers."""
    mark, expected = carried, []
    for time in times:
        mark = max(mark, time - disorder, NEVER)
        expected.append(mark)

    assert watermark.advance(ints(times), carried, disorder).tolist() == expected


@given(times=TIMES, cut=st.integers(0, 30), disorder=st.integers(0, 10**12))
def test_advance_does_not_depend_on_where_the_batch_was_cut(times, cut, disorder):
    """Two batches give the watermarks of one."""
    whole = watermark.advance(ints(times), NEVER, disorder).tolist()
    first = watermark.advance(ints(times[:cut]), NEVER, disorder).tolist()

    assert first + watermark.advance(ints(times[cut:]), first[-1] if first else NEVER, disorder).tolist() == whole


def test_nothing_is_late_before_the_first_watermark_and_everything_after_the_end_of_time():
    """NEVER and END survive any lateness without running over."""
    ends = ints([NEVER, 0, 10**17])

    assert not watermark.late(ends, ints([NEVER] * 3), 2**63 - 1).any()
    assert watermark.late(ends, ints([END] * 3), 10**12).all()


def test_a_window_is_late_from_the_instant_at_which_it_closes():
    """A window that ends at the watermark less lateness is closed; a microsecond later it is not."""
    assert watermark.late(ints([100, 101]), ints([110, 110]), 10).tolist() == [True, False]


@pytest.mark.parametrize("mark", [NEVER, -1, 0, 1_360_000_000_000_000, END])
def test_metadata_carries_the_watermark(mark):
    """What is committed beside an offset comes back, and stays short."""
    text = watermark.encode("s" * 100, "0123456789abcdef", mark)

    assert watermark.decode(text, "s" * 100, "0123456789abcdef") == mark
    assert len(text) < 200


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("", "delete the offsets"),
        ("noise", "choose another `app` name"),
        ("{}", "choose another `app` name"),
        ('{"v":2,"anything":1}', "start that version or a newer one"),
        (watermark.encode("other", "c", 1), "group and `app` name of its own"),
        (watermark.encode("s", "older", 1), "give the new one an `app` name"),
    ],
)
def test_foreign_metadata_is_refused_with_the_cure(text, cure):
    """An offset that this stream and configuration did not commit stops the process and says what to do."""
    with pytest.raises(Fatal, match="stream s: ") as refused:
        watermark.decode(text, "s", "c")

    assert cure in str(refused.value)
