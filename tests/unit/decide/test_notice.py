"""Messages and the intents that fix them."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamspc.decide.notice import LISTED, Intent, intent, message
from streamspc.model import Labels, Rendered, Signal, Told

NOW = 1_000_000


def told(episode="e1", kind="open", z=None, severity="warning"):
    """An episode of stream flights."""
    signal = Signal(kind=kind, stream="flights", config="c", episode=episode, end=60, metric="delay", z=z)
    return Told(signal, Labels("flights", "delay", episode, severity, "", "0", episode))


def render(notice):
    """A body that says what it was made of."""
    return Rendered(f"{notice.status}:{','.join(t.signal.episode for t in notice.told)}+{notice.more}", "text/plain")


def made(*episodes, receiver="chat", group="g", first="e1", number=1):
    """The intent of a message about these."""
    return intent(receiver, message(receiver, group, first, number, episodes), render, NOW)


@given(st.permutations([told(f"e{i}", z=float(i)) for i in range(4)]))
def test_order_does_not_matter(episodes):
    """The same episodes are the same message, however they came."""
    assert made(*episodes) == made(*(told(f"e{i}", z=float(i)) for i in range(4)))


def test_id_tells_messages_apart():
    """Another receiver, group, generation of the group or number is another id."""
    others = [made(told(), receiver="mail"), made(told(), group="h"), made(told(), first="e9"), made(told(), number=2)]

    assert len({one.id for one in (made(told()), *others)}) == 5
    assert made(told(), told("e2")).id == made(told()).id, "what a message says does not change which one it is"


def test_storm_is_a_digest():
    """Of many episodes the most distant are told, the others are a number; the intent is about all of them."""
    storm = made(*(told(f"e{i:03}", z=(-1) ** i * float(i)) for i in range(LISTED + 22)))

    assert storm.body == f"firing:{','.join(f'e{i:03}' for i in range(LISTED + 21, 21, -1))}+22"
    assert len(storm.episodes) == LISTED + 22


@pytest.mark.parametrize(
    ("episodes", "body"),
    [
        ((told("e1", "resolve", 9.0), told("e2", z=4.0)), "firing:e2,e1+0"),
        ((told("e1", z=9.0), told("e2", z=4.0, severity="critical"), told("e3", z=99.0, severity="info")), "firing:e2,e1,e3+0"),
        ((told("e1", "resolve"), told("e2", "resolve")), "resolved:e1,e2+0"),
        ((told("e1", "gap"), told("e2", "resolve")), "firing:e1,e2+0"),
    ],
)
def test_what_matters_comes_first(episodes, body):
    """What fires before what is over, then by urgency, then by distance; a message is resolved when all of it is."""
    assert made(*episodes).body == body
    assert made(*episodes).transition == body.partition(":")[0]


def test_record_survives_the_log():
    """An intent read from the outbox is the one that was written."""
    one = made(told())

    assert msgspec.json.decode(msgspec.json.encode(one), type=Intent) == one
    assert one.key == f"chat/message/{one.id}".encode()
    assert (one.created, one.due, one.state, one.version) == (NOW, NOW, "due", 1)
