"""People are shown the first few episodes of a message, machines all."""

from __future__ import annotations

import json

import pytest

from streamspc.effect.sender import SHOWN, Sender
from streamspc.effect.wording import Words
from streamspc.model import Answer, Labels, Notice, ReceiverLocal, Signal, Told


def told(number: int) -> Told:
    """An episode."""
    signal = Signal(
        kind="open", stream="s", config="c", metric="m", segment=f"x{number}", episode=f"e{number}", charts=("shewhart",), z=9.0
    )
    return Told(signal, Labels("s", "m", f"x{number}", "warning", "", "0", f"e{number}"))


@pytest.mark.parametrize(("kind", "listed"), [("slack", SHOWN), ("webhook", 30)])
def test_people_are_shown_a_few_and_machines_all(kind, listed):
    """The others are a number: nothing is left out in silence."""
    sender = Sender(ReceiverLocal(name="r", kind=kind), Words("app", {}), lambda *_: Answer(200))
    body = json.loads(sender.render(Notice("i" * 32, "g", "firing", tuple(map(told, range(30))))).body)
    if kind == "webhook":
        assert (len(body["episodes"]), body["more"]) == (listed, 0)
    else:
        assert f"and {30 - listed} more" in json.dumps(body)
