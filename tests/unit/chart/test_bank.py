from __future__ import annotations

import pytest

from charting import known, metric, step, stream
from streamspc.chart import Bank
from streamspc.model import BaselineSpec

SPEC = stream(metric(), metric("other"), baseline=BaselineSpec(windows=3))


def test_segments_are_sorted_however_they_came():
    """The order of first appearance leaves no trace."""
    bank = Bank.empty(SPEC)
    bank.grow(["b", "*"])
    bank.grow(["a", "c"])
    assert bank.segments == ("*", "a", "b", "c")


def test_growing_by_what_is_there_changes_nothing():
    """A segment that is known keeps its state."""
    bank = known(SPEC, ["a", "b"], centre=3.0)
    bank.grow(["b", "a"])
    assert bank.segments == ("a", "b")
    assert bank.baseline.centre.tolist() == [[3.0, 3.0], [3.0, 3.0]]


def test_only_segments_that_learn_take_memory_of_phase_one():
    """The last metric of a segment to get its baseline frees it, and a snapshot is small from then on."""
    bank = Bank.empty(SPEC)
    bank.grow(["a", "b"])
    for at in range(3):
        step(SPEC, bank, at, [[at, at], [float("nan") if at == 1 else at, at]])
    assert bank.columns.tolist() == [0]
    step(SPEC, bank, 3, 1.0)
    assert bank.columns.tolist() == []
    assert bank.save([0, 1])["learning.value"].size == 0


def test_a_segment_with_two_states_is_refused():
    """Two snapshots of one segment cannot both be true."""
    bank = known(SPEC, ["a"])
    part = (["a"], bank.save([0]))
    with pytest.raises(ValueError, match="two states"):
        Bank.load(SPEC, [part, part])
