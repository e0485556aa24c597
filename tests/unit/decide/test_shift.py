from __future__ import annotations

from charting import known, metric, sources, step, stream
from streamspc.decide import Episodes, History, decide
from streamspc.model import ChartKind, EpisodeSpec, JudgeRule

UP, DOWN, GOOD, NONE = 5.0, -5.0, 0.0, float("nan")


def world(most=3, names=("a",), **settings):
    """A stream that rejects by a Shewhart chart of known limits, its bank, episodes and history."""
    rule = JudgeRule(metric="m")
    spec = stream(metric(signal_by=(ChartKind.SHEWHART,), **settings), episodes=EpisodeSpec(max_reject=most), judge_by=(rule,))
    episodes = Episodes.empty(spec)
    episodes.grow(names)
    return spec, known(spec, list(names)), episodes, History()


def run(of, values):
    """What is decided of each window; a value is a number for all series or one each."""
    spec, bank, episodes, history = of
    out = []
    for at, value in enumerate(values):
        history.add(100 * at, sources(100 * at))
        out.append(decide(spec, episodes, step(spec, bank, at, [value] if isinstance(value, list) else value), history))
    return out


def rejected(decided):
    return "".join("x" if one.rejections else "l" if one.lifted else "." for one in decided)


def kinds(decided):
    return ["".join(signal.kind[0] for signal in one.signals) for one in decided]


def test_a_lasting_shift_rejects_so_many_windows_and_no_more():
    """The third of three is the last, and says in a signal of its own that an answer is awaited; what passes is counted."""
    decided = run(world(), [GOOD, UP, UP, UP, UP, UP])

    assert rejected(decided) == ".xxxll"
    assert kinds(decided) == ["", "o", "u", "us", "u", "u"]
    assert [signal.awaiting for one in decided for signal in one.signals] == [False, False, True, True, True, True]
    assert [signal.rejected for one in decided for signal in one.signals] == [True, True, True, True, False, False]
    assert len({signal.episode for one in decided for signal in one.signals}) == 1


def test_windows_that_nothing_would_reject_do_not_break_the_row():
    """A chart with a memory speaks now and then; one quiet point of two does not end the episode."""
    assert rejected(run(world(), [UP, GOOD, UP, NONE, UP, GOOD, UP])) == "x.x.x.l"


def test_the_other_side_is_news():
    """It rejects again and counts from one, and so does the side that was before."""
    decided = run(world(), [UP, UP, UP, UP, DOWN, DOWN, DOWN, DOWN, UP])

    assert rejected(decided) == "xxxlxxxlx"
    assert "".join(kinds(decided)).count("s") == 2


def test_an_episode_that_is_over_takes_its_count_along():
    """The next one is rejected from its first window on."""
    decided = run(world(), [UP, UP, UP, UP, GOOD, GOOD, UP, UP, UP, UP])

    assert rejected(decided) == "xxxl..xxxl"
    assert kinds(decided)[5] == "r"


def test_each_series_for_itself():
    """A level shift in one segment lets nothing of another pass."""
    decided = run(world(names=("a", "b")), [[UP, GOOD], [UP, GOOD], [UP, GOOD], [UP, UP], [UP, UP]])

    assert [[rejection.segment for rejection in one.rejections] for one in decided] == [["a"], ["a"], ["a"], ["b"], ["b"]]
    assert [one.lifted for one in decided] == [0, 0, 0, 1, 1]


def test_a_segment_with_another_reason_is_still_rejected():
    """What waits is one metric's level; what rejects the window is then the other."""
    spec = stream(
        metric("m"), metric("other"), episodes=EpisodeSpec(max_reject=2), judge_by=(JudgeRule(metric="m"), JudgeRule(metric="other"))
    )
    episodes = Episodes.empty(spec)
    episodes.grow(("a",))
    bank, history, said = known(spec, ["a"]), History(), []
    for at, value in enumerate(([[9.0], [GOOD]], [[9.0], [GOOD]], [[9.0], [UP]], [[9.0], [GOOD]])):
        history.add(100 * at, sources(100 * at))
        decided = decide(spec, episodes, step(spec, bank, at, value), history)
        said.append(([rejection.metric for rejection in decided.rejections], decided.lifted))

    assert said == [(["m"], 0), (["m"], 0), (["other"], 0), ([], 1)]
