"""Where an episode is told, when nobody is, and what explains what."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamspc.decide import routing
from streamspc.model import Alerting, Inhibition, Labels, MuteTime, Route, Signal

BERLIN = ZoneInfo("Europe/Berlin")


def labels(**of):
    """Labels of an episode of orders."""
    fields = {
        "stream": "orders",
        "metric": "failed",
        "segment": "*",
        "severity": "warning",
        "owner": "shop",
        "window": "0",
        "episode": "e1",
    }
    return Labels(**(fields | of))


def to(*receivers, match=None, **how):
    """A route to these receivers."""
    return Route(receivers, match or {}, **how)


TREE = to(
    "chat",
    routes=(
        to("pager", match={"severity": ("critical",)}, proceed=True, routes=(to("boss", match={"owner": ("shop",)}),)),
        to("growth", match={"owner": ("growth", "sales")}),
        to("late", match={"owner": ("growth",)}),
    ),
)


@pytest.mark.parametrize(
    ("of", "receivers"),
    [
        ({}, ["chat"]),
        ({"owner": "growth"}, ["growth"]),
        ({"owner": "sales", "severity": "critical"}, ["pager", "growth"]),
        ({"owner": "shop", "severity": "critical"}, ["boss"]),
        ({"owner": "", "severity": "critical"}, ["pager"]),
    ],
)
def test_tree(of, receivers):
    """The first child that matches takes an episode, the ones after it where it says so; without any it stays where it is."""
    assert [found.route.receivers[0] for found in routing.destinations(TREE, labels(**of))] == receivers


def test_nobody_is_told_twice():
    """A receiver that two routes name is told at the first of them, and one that none names is not."""
    tree = Alerting(to(routes=(to("chat", match={"metric": ("failed",)}, proceed=True, group_by=("metric",)), to("chat", "pager"))))
    first, second = (routing.destination(tree, labels(), name) for name in ("chat", "pager"))

    assert first
    assert second
    assert (first.route.group_by, second.route.group_by) == (("metric",), ("stream",))
    assert routing.destination(tree, labels(), "nobody") is None


@given(
    st.lists(st.sampled_from(["stream", "metric", "segment", "owner"]), unique=True),
    st.dictionaries(st.sampled_from(Labels._fields), st.text()),
)
def test_a_group_is_its_labels(group_by, others):
    """Two episodes of a route are one group exactly when the labels that it groups by are the same."""
    route = routing.Destination((), to("chat", group_by=tuple(group_by)))
    a, b = labels(), labels(**others)

    assert (routing.group(route, a) == routing.group(route, b)) == all(getattr(a, name) == getattr(b, name) for name in group_by)


def test_groups_of_two_routes_are_apart():
    """The same labels at another place of the tree are another group."""
    places = [next(routing.destinations(TREE, labels(owner=owner)))._replace(route=to("x")) for owner in ("shop", "growth")]

    assert routing.group(places[0], labels()) != routing.group(places[1], labels())


def at(text):
    """Microseconds of a time in Berlin."""
    return int(datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp() * 1e6)


NIGHTS = MuteTime("nights", (4, 5), 22 * 60, 6 * 60, "Europe/Berlin")  # those that begin on Friday and Saturday
NOON = MuteTime("noon", (0,), 12 * 60, 13 * 60, "Europe/Berlin")
SUNDAYS = MuteTime("sundays", (6,), 0, 0, "Europe/Berlin")


@pytest.mark.parametrize(
    ("mute", "time", "silent"),
    [
        (NIGHTS, "2026-11-27T21:59", False),
        (NIGHTS, "2026-11-27T22:00", True),
        (NIGHTS, "2026-11-28T05:59", True),
        (NIGHTS, "2026-11-28T06:00", False),
        (NIGHTS, "2026-11-29T03:00", True),
        (NIGHTS, "2026-11-27T03:00", False),
        (NIGHTS, "2026-11-30T03:00", False),
        (NOON, "2026-11-30T12:00", True),
        (NOON, "2026-11-30T13:00", False),
        (NOON, "2026-12-01T12:30", False),
        (SUNDAYS, "2026-11-29T00:00", True),
        (SUNDAYS, "2026-11-29T23:59", True),
        (SUNDAYS, "2026-11-30T00:00", False),
        (SUNDAYS, "2026-03-29T02:30", True),  # the hour that is not there
    ],
)
def test_mute_times(mute, time, silent):
    """Days and minutes are those of the zone; a night belongs to the day on which it begins."""
    assert routing.muted([mute], at(time)) is silent
    assert routing.muted([], at(time)) is False


RULE = Inhibition({"metric": ("volume",)}, {"severity": ("warning", "info")}, ("stream", "segment"))


@pytest.mark.parametrize(
    ("of", "firing", "silent"),
    [
        ({}, [{"metric": "volume", "episode": "e2"}], True),
        ({}, [{"metric": "volume", "episode": "e2", "segment": "DE"}], False),
        ({"severity": "critical"}, [{"metric": "volume", "episode": "e2"}], False),
        ({}, [{"metric": "amount", "episode": "e2"}], False),
        ({"metric": "volume"}, [{"metric": "volume"}], False),
        ({"segment": "DE"}, [{"metric": "volume", "episode": "e2"}, {"metric": "volume", "episode": "e3", "segment": "DE"}], True),
        ({}, [], False),
    ],
)
def test_inhibition(of, firing, silent):
    """An episode explains others that have the labels in common, never itself."""
    assert routing.inhibited([RULE], labels(**of), [labels(**one) for one in firing]) is silent
    assert routing.inhibits([RULE], labels(metric="volume"))
    assert not routing.inhibits([RULE], labels())


def test_labels_of_a_signal():
    """A metric's own owner and severity, and those of the stream for a gap, which has no metric; the opening's window."""
    alerting = Alerting(to("chat"), owners={("s", "m"): "a", ("s", ""): "b"}, severities={("s", "m"): "critical", ("s", ""): "info"})
    signal = Signal(kind="update", stream="s", config="c", episode="e", metric="m", segment="DE", start=9, opened=5)
    gap = Signal(kind="gap", stream="s", config="c", start=9, end=20)

    assert routing.labels(signal, alerting) == Labels("s", "m", "DE", "critical", "a", "5", "e")
    assert routing.labels(gap, alerting) == Labels("s", "", "*", "info", "b", "9", "s/gap/9")
    assert routing.labels(signal, Alerting(to("chat"))) == Labels("s", "m", "DE", "warning", "", "5", "e")
