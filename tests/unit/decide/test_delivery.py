"""What follows from a receiver's answer, and which intent is next."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamspc.decide import delivery
from streamspc.decide.delivery import Attempt, Dead, Delivered, Outbox, Policy, Retry, backoff, next_attempt
from streamspc.decide.notice import Intent
from streamspc.model import Answer

POLICY = Policy(max_age=3600.0, longest_wait=300.0)
NOW = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp() * 1e6)
OLD = 3600.0
DATE = format_datetime(datetime(2026, 3, 1, 12, 0, 42, tzinfo=UTC), usegmt=True)


@pytest.mark.parametrize(
    ("status", "retry_after", "age", "expected"),
    [
        (200, None, 0.0, Delivered()),
        (204, None, OLD, Delivered()),
        (410, None, 0.0, Dead("gone", disable=True)),
        (301, None, 0.0, Dead("refused with status 301")),
        (400, None, 0.0, Dead("refused with status 400")),
        (404, None, 0.0, Dead("refused with status 404")),
        (408, None, 0.0, Retry(0.5)),
        (425, None, 0.0, Retry(0.5)),
        (429, None, 0.0, Retry(0.5)),
        (429, "7", 0.0, Retry(7.0, asked=True)),
        (503, " 7 ", 0.0, Retry(7.0, asked=True)),
        (503, DATE, 0.0, Retry(42.0, asked=True)),
        (503, "Sun, 01 Mar 2020 12:00:00 GMT", 0.0, Retry(0.0, asked=True)),
        (429, "99999999999999999999", 0.0, Retry(300.0, asked=True)),
        (429, "soon", 0.0, Retry(0.5)),
        (429, "-5", 0.0, Retry(0.5)),
        (500, "7", 0.0, Retry(0.5)),
        (502, None, 0.0, Retry(0.5)),
        (0, None, 0.0, Retry(0.5)),
        (0, None, OLD, Dead("too old")),
        (429, "7", OLD, Dead("too old")),
    ],
)
def test_answer_table(status, retry_after, age, expected):
    """Every class of answer has one consequence."""
    assert next_attempt(POLICY, Attempt(0, age, NOW), Answer(status, retry_after), 0.5) == expected


def test_refusal_keeps_the_receivers_words():
    """A dead notification says what the receiver said."""
    assert next_attempt(POLICY, Attempt(0, 0.0, NOW), Answer(400, None, "invalid_blocks"), 0.5) == Dead(
        "refused with status 400: invalid_blocks"
    )


@given(st.text(max_size=40))
def test_no_header_is_too_strange(header):
    """Whatever Retry-After says, the wait is between nothing and the longest."""
    outcome = next_attempt(POLICY, Attempt(3, 0.0, NOW), Answer(429, header), 0.9)

    assert isinstance(outcome, Retry)
    assert 0.0 <= outcome.after <= POLICY.longest_wait


@given(st.integers(0, 10_000), st.floats(0.0, 1.0, exclude_max=True))
def test_backoff_grows_and_is_bounded(failures, chance):
    """The wait is drawn from a span that doubles with each failure up to the longest wait."""
    wait = backoff(POLICY, failures, chance)

    assert 0.0 <= wait <= min(POLICY.longest_wait, 2.0 ** min(failures, 60))
    assert backoff(POLICY, failures + 1, chance) >= wait


def intent(name, *episodes, state="due"):
    """An intent about these episodes."""
    fields: dict[str, Any] = {"receiver": "chat", "group": "g", "transition": "firing", "content_type": "t", "created": 0, "due": 0}
    return Intent(id=name, episodes=episodes, body="b", state=state, **fields)


def outbox(*found):
    """An outbox that holds these."""
    box = Outbox()
    for one in found:
        box.load(one)
    return box


def names(box, now):
    """The ids that are sent at `now`, each delivered."""
    sent = []
    while (one := box.next(now)) is not None:
        sent.append(one.id)
        box.settle(one.id, "sent")
    return sent


def test_end_never_overtakes_the_beginning():
    """While an episode's opening waits, its end waits too, and others go on."""
    box = outbox(intent("open", "e1"), intent("close", "e1", "e3"), intent("third", "e3"), intent("other", "e2"))
    box.failed("open", Retry(10.0), 0.0, 0.0)

    assert names(box, 1.0) == ["other"]
    assert box.due() == 10.0
    assert names(box, 10.0) == ["open", "close", "third"]


def test_receiver_rests_after_a_failure():
    """After a failure nothing is sent until the receiver has rested, as long as it asked for if it did."""
    box = outbox(intent("a", "e1"), intent("b", "e2"))
    box.failed("a", Retry(100.0), 0.0, 2.0)

    assert (box.next(1.0), box.due(), box.failures) == (None, 2.0, 1)
    assert box.next(2.0).id == "b"

    box.failed("b", Retry(60.0, asked=True), 2.0, 4.0)

    assert (box.next(61.0), box.due()) == (None, 62.0)


def test_success_ends_the_rest():
    """A delivery means that the receiver is well."""
    box = outbox(intent("a", "e1"), intent("b", "e2"))
    box.failed("a", Retry(1.0), 0.0, 5.0)
    box.settle("b", "sent")

    assert (box.failures, box.next(1.0).id) == (0, "a")


def test_settled_is_settled():
    """What was sent or is dead is not sent again, whichever record of it is read last, and its id stays taken."""
    box = outbox(intent("a", "e1"), intent("b", "e2"), intent("a", "e1", state="sent"))

    record = box.settle("b", "dead", "refused")

    assert box.next(0.0) is None
    assert (record.state, record.reason, record.body) == ("dead", "refused", "")
    assert "a" in box
    assert "b" in box
    assert "c" not in box
    assert box.due() == float("inf")


def test_outbox_read_again_keeps_its_patience():
    """An outbox that is read again after a rebalance waits as the one before it did."""
    box, again = outbox(intent("a", "e1"), intent("b", "e2")), outbox(intent("a", "e1"))
    box.failed("a", Retry(10.0), 0.0, 2.0)
    again.remember(box)

    assert (again.next(9.0), again.due(), again.failures) == (None, 10.0, 1)


def test_outbox_forgets_the_oldest(monkeypatch):
    """Settled intents beyond the limit leave, the earliest first."""
    monkeypatch.setattr(delivery, "KEPT", 2)
    box = outbox(*(intent(name, name, state="sent") for name in "abcd"))

    assert [one.id for one in box.forget()] == ["a", "b"]
    assert box.forget() == []
    assert "a" not in box
