from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charting import known, metric, sources, step, stream
from streamspc.decide.episodes import Episodes, advance
from streamspc.decide.history import History
from streamspc.model import NEVER, BaselineSpec, ChartKind, Contribution, EpisodeSpec, MultivariateSpec, Span

BAD, GOOD, NONE = 5.0, 0.0, float("nan")


def world(quiet=2, refractory=0, names=("a",), **settings):
    """A stream with a Shewhart chart of known limits, its bank, episodes and history."""
    settings = {"signal_by": (ChartKind.SHEWHART,), **settings}
    spec = stream(metric(**settings), episodes=EpisodeSpec(quiet=quiet, refractory=refractory))
    episodes = Episodes.empty(spec)
    episodes.grow(names)
    return spec, known(spec, list(names)), episodes, History()


def run(of, values, start=0):
    """Signals of each window; a value is a number for all series or one each."""
    spec, bank, episodes, history = of
    out = []
    for at, value in enumerate(values, start):
        came_from = sources(100 * at, partition=3, first=10 * at, last=10 * at + 9)
        history.add(100 * at, came_from)
        points = step(spec, bank, at, [value] if isinstance(value, list) else value, sources=came_from)
        out.append(advance(spec, episodes, points, history))
    return out


def kinds(windows):
    return ["".join(signal.kind[0] for signal in signals) for signals in windows]


def test_an_episode_opens_goes_on_and_resolves_after_quiet_points():
    """One open, an update for each further signal, one resolve after two points in a row without."""
    assert kinds(run(world(), [GOOD, BAD, BAD, GOOD, BAD, GOOD, GOOD, GOOD])) == ["", "o", "u", "", "u", "", "r", ""]


def test_a_lasting_shift_is_one_episode():
    """A CUSUM tells of it every few points; the episode waits twice as long as a signal took, and ends when the shift does."""
    of = world(signal_by=(ChartKind.CUSUM,))
    windows = kinds(run(of, [1.0] * 60 + [GOOD] * 40))
    assert windows.count("o") == windows.count("r") == 1
    assert windows.count("u") == 4
    assert windows.index("o") == 10
    assert windows.index("r") == 54 + 2 * 10  # its last signal, and twice the ten points before it since the shift began


def test_a_window_without_a_point_neither_prolongs_nor_ends():
    """Only points count as quiet."""
    assert kinds(run(world(), [BAD, NONE, GOOD, NONE, NONE, GOOD, BAD])) == ["o", "", "", "", "", "r", "o"]


@pytest.mark.parametrize(("refractory", "muted"), [(0, False), (1, False), (2, True)])
def test_an_episode_that_reopens_soon_is_muted(refractory, muted):
    """The second point after the end is within two points of it; all signals of that episode are muted, and the first episode never is."""
    windows = run(world(1, refractory), [BAD, GOOD, GOOD, BAD, BAD, GOOD])
    assert kinds(windows) == ["o", "r", "", "o", "u", "r"]
    assert [signal.muted for signals in windows for signal in signals] == [False, False, muted, muted, muted]


def test_windows_without_a_point_do_not_use_up_the_refractory_time():
    """It is counted in points, as quiet is."""
    assert run(world(1, 1), [BAD, GOOD, NONE, NONE, BAD])[-1][0].muted


def test_learning_opens_nothing():
    """A series in Phase I has no episodes, whatever its values."""
    spec = stream(metric(), baseline=BaselineSpec(windows=4))
    bank, episodes = known(spec, []), Episodes.empty(spec)
    bank.grow(["a"])
    episodes.grow(["a"])
    assert kinds(run((spec, bank, episodes, History()), [0.0, 1e6, 0.0, -1e6])) == [""] * 4


def test_a_signal_says_everything_about_its_point_and_episode():
    """Values and limits of the point, the episode's start, count and onset, and where the records are."""
    of = world(signal_by=tuple(ChartKind))
    windows = run(of, [GOOD, -2.0, -2.9, -3.1, GOOD, 3.2])
    opened = windows[2][0]
    assert (opened.kind, opened.charts, opened.side, opened.start, opened.end) == ("open", ("ewma",), "down", 200, 300)
    assert (opened.value, opened.n, opened.centre, opened.sigma, opened.lcl, opened.ucl, opened.z) == (-2.9, 1, 0.0, 1.0, -3.0, 3.0, -2.9)
    assert (opened.stream, opened.config, opened.metric, opened.segment, opened.baseline_version) == ("s", "c", "m", "a", 1)
    assert (opened.onset, opened.onset_sources, opened.sources) == (100, (Span(3, 10, 19),), (Span(3, 20, 29),))
    updated = windows[3][0]
    assert (updated.kind, updated.charts, updated.episode, updated.windows) == ("update", ("shewhart", "ewma"), opened.episode, 2)
    assert (updated.opened, updated.onset, updated.onset_sources, updated.sources) == (200, 100, (Span(3, 10, 19),), (Span(3, 30, 39),))
    assert (windows[5][0].side, windows[5][0].windows) == ("up", 3)


def test_a_resolve_says_what_the_episode_was():
    """No chart signals any more; side and count are those of the signals before."""
    resolved = run(world(1), [-BAD, -BAD, GOOD])[-1][0]
    assert (resolved.kind, resolved.charts, resolved.side, resolved.windows, resolved.value) == ("resolve", (), "down", 2, 0.0)
    assert (resolved.opened, resolved.start, resolved.onset) == (0, 200, 0)


def test_an_episode_is_named_by_its_series_and_opening():
    """Stream, metric, segment and the opening window's start: the same on any machine."""
    signal = run(world(), [GOOD, GOOD, BAD])[-1][0]
    assert signal.episode == hashlib.blake2b(b"s\0m\0a\x00200", digest_size=8).hexdigest()
    assert len({s.episode for signals in run(world(1), [BAD, GOOD, BAD, GOOD, BAD, GOOD]) for s in signals}) == 3


def test_signals_come_by_metric_then_segment():
    """Their order does not depend on which came first."""
    spec = stream(metric("x"), metric("y"))
    episodes = Episodes.empty(spec)
    episodes.grow(["b", "*"])
    episodes.grow(["a"])
    history = History()
    history.add(0, sources(0))
    points = step(spec, known(spec, ["a", "b", "*"]), 0, [[BAD, GOOD, BAD], [GOOD, BAD, BAD]])
    assert [(s.metric, s.segment) for s in advance(spec, episodes, points, history)] == [("x", "*"), ("x", "b"), ("y", "a"), ("y", "b")]


def test_an_onset_older_than_the_history_is_told_as_the_oldest_window():
    """A shift that began before what is remembered has no better answer; its offsets are those of that window."""
    history = History()
    for at in range(600):
        history.add(at, sources(at, first=at, last=at))
    assert history.before([0, 511, 512, 10_000]) == [599, 88, 88, 88]
    assert history.spans(88) == (Span(0, 88, 88),)
    assert history.spans(87) == ()


@given(st.lists(st.tuples(*[st.sampled_from([BAD, -BAD, GOOD, NONE])] * 3), max_size=25), st.integers(0, 25), st.permutations(range(3)))
@settings(max_examples=60, deadline=None)
def test_restoring_what_was_saved_goes_on_with_the_same_signals(values, stop, order):
    """At any window and in any split: episodes and history after a restart are those of a run without one."""
    rows = [list(row) for row in values]
    names = ("a", "b", "c")
    whole = run(world(2, 2, names), rows)
    spec, bank, episodes, history = of = world(2, 2, names)
    before = run(of, rows[:stop])
    parts = [([names[c] for c in part], episodes.save(part)) for part in (order[:1], order[1:])]
    after = run((spec, bank, Episodes.load(spec, parts), History.load(history.save())), rows[stop:], min(stop, len(rows)))
    assert before + after == whole


def test_growing_keeps_open_episodes():
    """A new segment takes its place among the sorted names; the open episode of another goes on."""
    spec, bank, episodes, history = of = world(names=("b",))
    run(of, [BAD])
    bank.grow(["a"])
    episodes.grow(["a", "b"])
    assert episodes.segments == ["a", "b"]
    assert episodes.state.open.tolist() == [[False, True]]
    assert episodes.state.opened.tolist() == [[NEVER, 0]]
    signals = run((spec, bank, episodes, history), [[NONE, BAD]], 1)[0]
    assert [(signal.kind, signal.segment) for signal in signals] == [("update", "b")]


def test_saved_arrays_keep_their_types():
    """A snapshot's bytes mean the same when they are read again."""
    spec, _, episodes, _ = world(names=("a", "b"))
    saved = episodes.save([1])
    assert {name: array.dtype for name, array in saved.items()} == {
        name: np.asarray(array).dtype for name, array in Episodes.load(spec, [(["b"], saved)]).state._asdict().items()
    }


def test_a_signal_of_several_metrics_says_the_share_of_each():
    """The largest first; other series have none."""
    spec = stream(metric("a"), metric("b"), multivariate=(MultivariateSpec(name="both", metrics=("b", "a"), limit=9.0),))
    bank = known(stream(metric("a"), metric("b"), metric("both")), ["x", "y"])
    shown = step(stream(metric("a"), metric("b"), metric("both")), bank, 0, [[0.0, 0.0], [9.0, 0.0], [9.0, 0.0]])
    whose, alone = (("both", "b"), ("both", "a")), np.array([[1.0, np.nan], [3.0, np.nan]])
    shown = replace(shown, contributors=whose, contributions=alone)
    episodes = Episodes.empty(spec)
    episodes.grow(["x", "y"])

    history = History()
    history.add(0, sources(0))

    told = advance(spec, episodes, shown, history)

    assert {(one.metric, one.contributions) for one in told} == {
        ("b", ()),
        ("both", (Contribution("a", 0.75), Contribution("b", 0.25))),
    }
