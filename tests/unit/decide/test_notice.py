"""Signals to intents."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamspc.decide.notice import LISTED, Intent, intents, notifies
from streamspc.model import ReceiverLocal, Rendered, Secret, Signal

CHAT = ReceiverLocal("chat", "slack", Secret("https://chat.example/secret"))
NOW = 1_000_000


def signal(kind="open", episode="e1", end=60, **fields):
    """A signal of stream flights."""
    return Signal(kind=kind, stream=fields.pop("stream", "flights"), config="c", episode=episode, end=end, metric="delay", **fields)


def render(notice):
    """A body that says what it was made of."""
    return Rendered(f"{notice.status}:{','.join(s.episode for s in notice.signals)}+{notice.more}", "text/plain")


def made(signals, receiver=CHAT, known=()):
    """The intents of these signals."""
    return intents(signals, receiver, render, NOW, set(known))


def test_window_is_one_message():
    """Signals of one stream and one window end are one message; another window or stream is another."""
    found = made([signal(), signal(episode="e2"), signal(episode="e3", end=120), signal(episode="e4", stream="orders")])

    assert [intent.episodes for intent in found] == [("e1", "e2"), ("e3",), ("e4",)]
    assert [intent.group for intent in found] == ["flights/60", "flights/120", "orders/60"]


@pytest.mark.parametrize(
    ("kind", "fields", "receiver", "told"),
    [
        ("open", {}, {}, True),
        ("resolve", {}, {}, True),
        ("gap", {}, {}, True),
        ("update", {}, {}, False),
        ("end", {}, {}, False),
        ("open", {"muted": True}, {}, False),
        ("resolve", {}, {"send_resolved": False}, False),
        ("open", {}, {"send_resolved": False}, True),
        ("open", {}, {"streams": ("orders",)}, False),
        ("open", {}, {"streams": ("orders", "flights")}, True),
    ],
)
def test_who_is_told_of_what(kind, fields, receiver, told):
    """Openings, ends of episodes and gaps are told to receivers of the stream; nothing muted, no updates, no end of the log."""
    assert notifies(signal(kind, **fields), chat(**receiver)) is told


def chat(**fields):
    """The chat with other settings."""
    return ReceiverLocal("chat", "slack", CHAT.url, **fields)


@given(st.permutations([signal(episode=f"e{i}", z=float(i)) for i in range(4)]))
def test_id_does_not_depend_on_order(signals):
    """The same episodes and transitions have the same id, body and order, however they came."""
    expected = made([signal(episode=f"e{i}", z=float(i)) for i in range(4)])

    assert made(signals) == expected


def test_id_tells_receivers_and_transitions_apart():
    """Another receiver, transition, episode or window is another id."""
    other = chat(streams=("flights",))
    ids = {
        made([signal()])[0].id,
        made([signal(kind="resolve")])[0].id,
        made([signal(episode="e2")])[0].id,
        made([signal(end=61)])[0].id,
        made([signal()], ReceiverLocal("mail", "webhook", CHAT.url))[0].id,
    }

    assert len(ids) == 5
    assert made([signal()], other)[0].id in ids


def test_known_id_is_not_made_again():
    """A notice that is in the outbox already is left out, and so is its double in the same batch."""
    first = made([signal()])[0]

    assert made([signal()], known=[first.id]) == []
    assert len(made([signal(), signal()])) == 1


def test_storm_is_a_digest():
    """Of many episodes in one window the most distant are told, the others are a number."""
    storm = [signal(episode=f"e{i:02}", z=(-1) ** i * float(i)) for i in range(30)]
    body = made(storm)[0].body

    assert body == f"firing:{','.join(f'e{i:02}' for i in range(29, 29 - LISTED, -1))}+22"
    assert len(made(storm)[0].episodes) == 30


def test_firing_comes_before_resolved():
    """A message with both is firing, and tells first what fires, however far the others are."""
    both = made([signal(kind="resolve", episode="e1", z=9.0), signal(episode="e2", z=4.0)])[0]

    assert (both.transition, both.body) == ("firing", "firing:e2,e1+0")
    assert made([signal(kind="resolve")])[0].transition == "resolved"


def test_gap_has_an_identity_without_an_episode():
    """Two gaps of a stream are two messages."""
    first, second = made([signal("gap", "", start=1), signal("gap", "", end=90, start=60)])

    assert first.id != second.id
    assert first.episodes != second.episodes


def test_record_survives_the_log():
    """An intent read from the outbox is the one that was written."""
    intent = made([signal()])[0]

    assert msgspec.json.decode(msgspec.json.encode(intent), type=Intent) == intent
    assert intent.key == f"chat/{intent.id}".encode()
    assert (intent.created, intent.due, intent.state, intent.version) == (NOW, NOW, "due", 1)
