"""The book of a receiver: what is said of which episodes, and when."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from streamspc.decide import groups
from streamspc.decide.groups import AT_ONCE, Book, Member, Spoken
from streamspc.model import Alerting, Inhibition, MuteTime, Route, Signal

SECOND = 1_000_000
WAIT, INTERVAL, REPEAT = 10 * SECOND, 300 * SECOND, 3600 * SECOND
ROUTE = Route(("chat",), {}, ("stream",), WAIT, INTERVAL, REPEAT)
T = 1_700_000_000 * SECOND


def signal(episode="e1", kind="open", **fields):
    """A signal of stream s."""
    named: dict[str, Any] = {"stream": "s", "metric": f"m{episode}"}
    return Signal(kind=kind, config="c", episode=episode, **(named | fields))


def book(route=ROUTE, **fields):
    """A book of the chat."""
    return Book("chat", Alerting(route, **fields))


def said(book, seconds, **how):
    """What is said at that time: status, number, and for each episode whether it is over."""
    return [
        (one.notice.status, one.notice.number, {t.signal.episode: t.signal.kind == "resolve" for t in one.notice.told})
        for one in book.flush(T + int(seconds * SECOND), **how)
    ]


def hear(book, seconds, *signals, **how):
    """Take signals at that time."""
    for one in signals:
        book.hear(one, T + int(seconds * SECOND), **how)


def test_an_episode_from_its_beginning_to_its_end():
    """Told after the wait, said again after the repeat interval with its newest values, told that it is over; then nothing is kept."""
    one = book()
    hear(one, 0, signal(z=4.0))

    assert (said(one, 9.9), one.due()) == ([], T + WAIT)
    assert said(one, 10) == [("firing", 1, {"e1": False})]

    hear(one, 60, signal(kind="update", z=5.0))

    assert said(one, 3609) == []
    assert one.due() == T + WAIT + REPEAT
    (again,) = one.flush(T + WAIT + REPEAT)
    assert (again.notice.number, again.notice.told[0].signal.z, again.notice.told[0].course) == (2, 5.0, (4.0, 5.0))

    hear(one, 4000, signal(kind="resolve", z=0.1))

    assert said(one, 4000) == [("resolved", 3, {"e1": True})]
    assert (one.due(), one.members, one.flush(T + 10**15)) == (AT_ONCE, {}, [])


def test_a_level_shift_is_told_once_more():
    """It is news of an episode that was told; later windows of it are not, nor is it heard as one window more."""
    one = book()
    hear(one, 0, signal(z=4.0))
    assert said(one, 10) == [("firing", 1, {"e1": False})]

    hear(one, 20, signal(kind="update", z=5.0, awaiting=True, rejected=True), signal(kind="shift", z=5.0, awaiting=True, rejected=True))
    assert said(one, 309) == []
    (news,) = one.flush(T + WAIT + INTERVAL)
    assert (news.notice.number, news.notice.told[0].signal.awaiting) == (2, True)
    assert (news.notice.told[0].course, news.notice.told[0].rejected) == ((4.0, 5.0), 1)
    hear(one, 330, signal(kind="update", z=6.0, awaiting=True))
    assert said(one, 1000) == []
    hear(one, 1001, signal(kind="resolve", answer="accept"))

    assert said(one, 1001) == [("resolved", 3, {"e1": True})]


def test_a_level_shift_of_a_muted_episode_is_told():
    """It needs an answer. One that is too old to be told is not."""
    one, old = book(), book()
    hear(one, 0, signal(muted=True), signal(kind="shift", awaiting=True))
    hear(old, 0, signal(muted=True), signal(kind="shift", awaiting=True), stale=True)

    assert said(one, 10) == [("firing", 1, {"e1": False})]
    assert said(old, 10**6) == []


@pytest.mark.parametrize("kind", ["baseline", "command"])
def test_what_is_no_episode_is_not_told(kind):
    """Other signals are for machines."""
    one = book()
    hear(one, 0, signal(kind=kind, episode=""))

    assert one.members == {}


def test_one_cause_is_one_message():
    """What comes within the wait is in the first message; what comes later waits for the interval, and is told with the rest."""
    one = book()
    hear(one, 0, signal("e1"))
    hear(one, 9, signal("e2"))

    assert said(one, 10) == [("firing", 1, {"e1": False, "e2": False})]

    hear(one, 20, signal("e3"))
    hear(one, 30, signal("e1", "resolve"))

    assert said(one, 309) == []
    assert said(one, 310) == [("firing", 2, {"e1": True, "e2": False, "e3": False})]
    assert said(one, 700) == []
    hear(one, 700, signal("e2", "resolve"), signal("e3", "resolve"))
    assert said(one, 700) == [("resolved", 3, {"e2": True, "e3": True})]


def test_groups_are_apart():
    """Each group has its own times and numbers."""
    one = book(Route(("chat",), {}, ("metric",), WAIT, INTERVAL, REPEAT))
    hear(one, 0, signal("e1"))
    hear(one, 5, signal("e2"))

    assert said(one, 10) == [("firing", 1, {"e1": False})]
    assert said(one, 15) == [("firing", 1, {"e2": False})]
    assert len({message.notice.group for message in one.flush(T + 2 * REPEAT)}) == 2


@pytest.mark.parametrize("send_resolved", [True, False])
def test_an_episode_that_was_over_before_it_was_told(send_resolved):
    """It is told once, that it was and is over: nothing is passed over in silence."""
    one = Book("chat", Alerting(ROUTE), send_resolved)
    hear(one, 0, signal())
    hear(one, 5, signal(kind="resolve"))

    assert said(one, 15) == [("resolved", 1, {"e1": True})]
    assert one.members == {}


def test_ends_are_not_told_to_those_who_do_not_want_them():
    """Without `send_resolved` an episode that was told is forgotten when it ends, and the others of its group go on."""
    one = Book("chat", Alerting(ROUTE), send_resolved=False)
    hear(one, 0, signal("e1"), signal("e2"))
    said(one, 10)
    hear(one, 20, signal("e1", "resolve"))

    assert said(one, 1000) == []
    assert said(one, 10 + 3600) == [("firing", 2, {"e2": False})]


def test_muted_signals_and_the_unknown_are_no_news():
    """An episode that opens muted is never told, nor its end; an update or an end of what was never heard of is nothing."""
    one = book()
    hear(one, 0, signal("e1", muted=True), signal("e1", "update", muted=True), signal("e1", "resolve", muted=True))
    hear(one, 0, signal("e2", "update"), signal("e3", "resolve"))

    assert (said(one, 9999), one.members) == ([], {})


def test_old_signals():
    """What is too old opens nothing and ends what was not told; of what was told the end is told, however late."""
    one = book()
    hear(one, 0, signal("e1"), stale=True)
    hear(one, 0, signal("e2"), signal("e3"))
    hear(one, 1, signal("e2", "resolve"), stale=True)

    assert said(one, 10) == [("firing", 1, {"e3": False})]

    hear(one, 99, signal("e3", "resolve"), stale=True)

    assert said(one, 999) == [("resolved", 2, {"e3": True})]


def test_a_gap_is_told_once():
    """It belongs to no episode, and is over as it is found."""
    one = book()
    hear(one, 0, signal("", "gap", start=5, metric=""))

    assert [status for status, *_ in said(one, 10)] == ["firing"]
    assert (one.members, one.due()) == ({}, AT_ONCE)


def test_a_mute_time_puts_off_and_loses_nothing():
    """What happens in it is told after it, as it is by then."""
    always = MuteTime("always")
    one = book(Route(("chat",), {}, ("stream",), WAIT, INTERVAL, REPEAT, (always,)))
    hear(one, 0, signal("e1"), signal("e2"))
    hear(one, 20, signal("e2", "resolve"))

    assert said(one, 30) == []
    assert one.due() == T + 30 * SECOND + groups.AGAIN, "and it is not looked at in every turn"
    later = book()
    later.load(one.members.values(), {}, frozenset({"s"}), T)
    assert said(later, 31) == [("firing", 1, {"e1": False, "e2": True})]


RULE = Inhibition({"metric": ("me1",)}, {"metric": ("me2", "me3")})


def test_what_explains_keeps_others_silent():
    """While one is open, others wait; they are told when it is over, unless they are over by then, and then nothing is said of them."""
    one = book(inhibitions=(RULE,))
    hear(one, 0, signal("e1"), signal("e2"), signal("e3"))

    assert said(one, 10) == [("firing", 1, {"e1": False})]
    assert said(one, 310) == []

    hear(one, 320, signal("e3", "resolve"))
    said(one, 330)
    hear(one, 340, signal("e1", "resolve"))

    assert said(one, 400) == [("firing", 2, {"e1": True, "e2": False})]
    assert set(one.members) == {"e2"}


def test_what_explains_may_be_told_to_others():
    """A receiver is spared what an episode explains, though it is not told of that one."""
    route = Route((), {}, routes=(Route(("pager",), {"metric": ("me1",)}), replace_route(match={})))
    one = book(route, inhibitions=(RULE,))
    hear(one, 0, signal("e1"), signal("e2"))

    assert said(one, 20) == []
    assert one.assigned() == ["e2"]
    hear(one, 30, signal("e1", "resolve"))
    assert said(one, 60) == [("firing", 1, {"e2": False})]


def replace_route(**fields):
    """The chat's route, with these."""
    return Route(("chat",), fields["match"], ("stream",), WAIT, INTERVAL, REPEAT)


def test_the_end_of_all_signals_ends_all_waits():
    """With nothing more to come, news is told at once; what is no news is not."""
    one = book()
    hear(one, 0, signal("e1"))

    assert said(one, 1, at_once=True) == [("firing", 1, {"e1": False})]
    assert said(one, 2, at_once=True) == []


def test_rejections_add_up():
    """A message says how many windows of the episode were rejected."""
    one = book()
    hear(one, 0, signal(rejected=True), signal(kind="update", rejected=True), signal(kind="update"))

    assert one.told("e1").rejected == 2


def test_the_book_is_bounded(monkeypatch):
    """Beyond the bound episodes are counted and not taken."""
    monkeypatch.setattr(groups, "MEMBERS", 2)
    one = book()
    hear(one, 0, *(signal(f"e{i}") for i in range(5)))

    assert (len(one.members), one.overflow) == (2, 3)


def stored(one, log):
    """The log after the book's records, compacted."""
    for key, value in one.drain():
        log.pop(key, None)
        if value is not None:
            log[key] = value
    return log


def restored(log, streams=frozenset({"s"}), now=T, route=ROUTE):
    """A book of another life, from the records."""
    members = [msgspec.json.decode(value, type=Member) for key, value in log.items() if key.startswith(b"chat/episode/")]
    spoken = {key.decode().split("/", 2)[2]: msgspec.json.decode(v, type=Spoken) for key, v in log.items() if b"/group/" in key}
    one = book(route)
    one.load(members, spoken, streams, now)
    return one


STEPS = st.lists(
    st.tuples(st.sampled_from(["open", "update", "resolve"]), st.integers(0, 4), st.integers(0, 200), st.booleans()), max_size=30
)


@given(STEPS)
def test_a_restart_at_any_time_changes_no_message(steps):
    """A book that is written and read again at any time says what one says that lives on: the same ids, statuses and episodes."""
    one, other, now = book(), book(), 0
    log: dict[bytes, bytes] = {}
    heard: set[str] = set()
    for kind, number, later, restart in steps:
        now += later
        name = f"e{number}"
        if (kind == "open") == (name in heard):
            continue
        heard.symmetric_difference_update({name} if kind != "update" else ())
        for each in (one, other):
            hear(each, now, signal(name, kind))
        a, b = ([(m.notice.id, m.notice.status, m.episodes) for m in each.flush(T + now * SECOND)] for each in (one, other))
        assert a == b
        stored(other, log)
        if restart:
            other = restored(log, now=T + now * SECOND)
    assert set(restored(log).members) == set(one.members)


@given(STEPS)
def test_every_episode_is_told_and_every_end_of_what_was_told(steps):
    """In the end each episode that was heard of was told at least once, and the last word about it is how it stands."""
    one, now = book(), 0
    states: dict[str, str] = {}
    words: dict[str, bool] = {}
    generation = dict.fromkeys(range(5), 0)
    for kind, number, later, _ in steps:
        now += later
        name = f"e{number}.{generation[number]}"
        if states.get(name) == "resolve" and kind == "open":  # the series' next episode
            generation[number] += 1
            name = f"e{number}.{generation[number]}"
        if states.get(name) == ("open" if kind == "open" else None) or states.get(name) == "resolve":
            continue
        states[name] = {"update": "open"}.get(kind, kind)
        hear(one, now, signal(name, kind))
        for _, _, told in said(one, now):
            words |= told
    for _, _, told in said(one, now, at_once=True):
        words |= told

    assert words == {name: state == "resolve" for name, state in states.items()}


def test_what_is_gone_from_the_configuration_is_forgotten():
    """Episodes of a stream that is not there any more would be repeated for ever."""
    one = book()
    log: dict[bytes, bytes] = {}
    hear(one, 0, signal("e1"), signal("e2", stream="t"))
    said(one, 10)
    log = stored(one, log)
    later = restored(log)

    assert set(later.members) == {"e1"}
    assert [key for key, value in later.drain() if value is None] != []


def test_another_route_is_no_news():
    """An episode that was told is not told anew because the routes have changed; it is said again in its time."""
    one = book()
    log: dict[bytes, bytes] = {}
    hear(one, 0, signal("e1"))
    said(one, 10)
    later = restored(stored(one, log), route=Route(("chat",), {}, ("metric",), WAIT, INTERVAL, REPEAT), now=T + 100 * SECOND)

    assert said(later, 1000) == []
    assert said(later, 3700) == [("firing", 2, {"e1": False})]


def test_records_survive_the_log():
    """Each record that is read is the one that was written."""
    member = Member(signal=signal(), told="firing", news=5, course=(1.0, 2.0), rejected=3)

    assert msgspec.json.decode(msgspec.json.encode(member), type=Member) == member
    assert replace(member, told="").over is False
