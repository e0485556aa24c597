"""Roots of average run lengths."""

from __future__ import annotations

import math

import pytest

from streamspc.design.roots import by_ladder, limit_for


@pytest.mark.parametrize("start", [1e-3, 0.7, 3.0, 40.0])
@pytest.mark.parametrize("root", [0.01, 1.0, 3.0, 25.0, 4e4])
def test_the_limit_is_found_from_any_guess(root, start):
    """To a relative error of 1e-9 or better, below, at and above the guess."""
    found = limit_for(lambda limit: 2.0 * limit**1.5 + 1.0, 2.0 * root**1.5 + 1.0, start)

    assert found == pytest.approx(root, rel=1e-11)


def test_an_arl_that_becomes_infinite_is_only_large():
    """A chart that cannot signal beyond some limit still has a limit below it."""
    assert limit_for(lambda limit: math.inf if limit > 5.0 else math.exp(limit), math.exp(4.0)) == pytest.approx(4.0, rel=1e-11)


@pytest.mark.parametrize("arl0", [1.0, 0.0, -3.0, math.nan, math.inf])
def test_a_wish_must_be_possible(arl0):
    """Every chart has a point before it signals."""
    with pytest.raises(ValueError, match="arl0 must be a finite number above 1"):
        limit_for(math.exp, arl0)


@pytest.mark.parametrize("level", [2.0, 5.0])
def test_a_wish_out_of_reach_is_said(level):
    """Here each limit has the same average run length."""
    with pytest.raises(ValueError, match="no limit between"):
        limit_for(lambda _: level, 3.0)


@pytest.mark.parametrize("start", [1.0, 5.0, 40.0])
def test_few_averages_are_asked_for_and_none_twice(start):
    """Each may take a tenth of a second."""
    asked = []

    def arl(limit):
        asked.append(limit)
        return math.exp(limit) * (1.0 + limit)

    assert limit_for(arl, 5000.0, start) == pytest.approx(6.502020771028251, rel=1e-9)
    assert len(asked) == len(set(asked)) <= 10


def test_a_ladder_that_leads_nowhere_is_no_answer():
    """An average that stops below the wish, whatever the limit."""
    with pytest.raises(ValueError, match="nearest has 300"):
        by_ladder(lambda limit, _share, _within: 300.0 * (1.0 - math.exp(-limit)), 3.0, 1.0, 370.4)
