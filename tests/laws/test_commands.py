"""Operators' commands are a part of the log: what they do depends on nothing else."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies import BEGIN_MS, WINDOW_MS, blocks, folded, logs, said, semantics, source
from streamspc.flow import Outputs, State, command, ready
from streamspc.model import NEVER, BaselineSpec, Command, EpisodeSpec, Judged
from streamspc.state import restore, save

SEEDS = st.integers(0, 10**6)
BEGIN, WINDOW = BEGIN_MS * 1000, WINDOW_MS * 1000
QUICK: dict[str, Any] = {"episodes": EpisodeSpec(quiet=3, max_reject=2), "baseline": BaselineSpec(windows=4)}
SPEC = semantics(**QUICK)
STREAM = ready(SPEC.streams[0])


def told(kind, since, **what):
    """A command that holds from the window with this number on."""
    return Command(kind=kind, id=f"{kind}-{since}", config="c", stream="s", since=BEGIN + since * WINDOW if since >= 0 else NEVER, **what)


COMMANDS = st.lists(
    st.builds(
        told,
        st.sampled_from(["accept", "reset"]),
        st.integers(0, 60),
        metric=st.sampled_from([None, "price", "failed", "together"]),
        segment=st.sampled_from([None, "*", "north"]),
    ),
    max_size=4,
    unique_by=lambda one: one.since,
)


def run(state, log) -> list[Outputs]:
    """Blocks and commands through the fold, in their order."""
    out = []
    for one in log:
        if isinstance(one, Command):
            command(state, one)
        else:
            out += folded(state, [one])
    return out


def mixed(log, commands, seed):
    """The commands somewhere in the log, before the first window that they hold for can close."""
    chance, whole = random.Random(seed), list(log)
    ahead = next((at for at, block in enumerate(log) if len(block.table)), 0)
    for one in commands:
        whole.insert(chance.randint(0, ahead), one)
    return whole


@settings(max_examples=25, deadline=None)
@given(sources=logs(), charts=st.integers(1, 3), commands=COMMANDS, first=SEEDS, second=SEEDS)
def test_a_command_ahead_of_the_frontier_is_the_same_for_any_batches(sources, charts, commands, first, second):
    """Two ways to cut and interleave the source, with the commands in two places: the same points, signals and verdicts, bit for bit."""
    spec = semantics(charts, **QUICK)
    cuts = [mixed(blocks(STREAM, sources, seed), commands, seed) for seed in (first, second)]
    for chart_partition in range(charts):
        one, other = (said(run(State.begin(spec, chart_partition), log)) for log in cuts)
        assert one == other


@settings(max_examples=25, deadline=None)
@given(one=st.builds(source, SEEDS, st.just(150)), commands=COMMANDS, seed=SEEDS, share=st.floats(0, 1))
def test_a_restored_state_obeys_as_it_would_have(one, commands, seed, share):
    """Commands anywhere in the log, and a restart anywhere: waiting commands and the windows of open episodes come through it."""
    log, chance = list(blocks(STREAM, [one], seed)), random.Random(seed)
    for it in commands:
        log.insert(chance.randint(0, len(log)), it)
    cut = int(share * len(log))
    state = State.begin(SPEC, 0)
    run(state, log[:cut])
    found = restore(SPEC, 0, dict(save(state, cut)))
    assert found is not None
    again = found[0]

    assert said(run(again, log[cut:])) == said(run(state, log[cut:]))
    assert save(again, len(log)) == save(state, len(log))


def test_the_laws_meet_what_they_are_about():
    """Among their logs are level shifts, accepted levels, resets that learn again, and commands that change nothing."""
    seen: set[Any] = set()
    for seed in range(12):
        commands = [told(kind, since) for kind, since in (("accept", 20), ("reset", 30), ("accept", 31), ("accept", 40))]
        out = run(State.begin(SPEC, 0), mixed(blocks(STREAM, [source(seed, 300)], seed), commands, seed))
        for one in (signal for each in out for signal in each.signals):
            seen.add((one.kind, one.answer) if one.answer else one.kind)
            seen |= {"nothing"} if one.kind == "command" and not one.n else set()
        seen |= {"lifted" for each in out for verdict in each.verdicts if isinstance(verdict, Judged) and verdict.lifted}

    wanted = {"shift", "lifted", "nothing", ("baseline", "accept"), ("resolve", "accept"), ("resolve", "reset")}
    assert wanted <= seen


@pytest.mark.parametrize("since", [-1, 3, 12])
def test_one_that_comes_late_holds_from_the_next_window_to_close(since):
    """Which one that is, the log alone says: here the block before it closed all windows up to the fifteenth."""
    log = blocks(STREAM, [source(3, 150)], 0)
    at = next(i for i in range(len(log)) if len(folded(State.begin(SPEC, 0), log[:i])) and _closed(log[:i]) >= BEGIN + 15 * WINDOW)
    state, late = State.begin(SPEC, 0), told("reset", since)
    before = run(state, log[:at])
    after = run(state, [late, *log[at:]])

    (signal,) = [s for out in after for s in out.signals if s.kind == "command"]
    assert signal.start == min(points.start for out in after for points in out.points)
    assert signal.start > max(points.start for out in before for points in out.points)
    assert said(after) == said(run(_copy(log[:at]), [late, *log[at:]]))


def _closed(log):
    state = State.begin(SPEC, 0)
    folded(state, log)
    return state.streams["s"].windows.next


def _copy(log):
    state = State.begin(SPEC, 0)
    run(state, log)
    return state


@pytest.mark.parametrize(("policy", "kind", "changed"), [
    ("never", "reset", False), ("never", "accept", False), ("on_demand", "reset", True), ("on_demand", "accept", False),
    ("accepted_shifts", "reset", True), ("accepted_shifts", "accept", True),
])  # fmt: skip
def test_the_policy_says_which_commands_are_obeyed(policy, kind, changed):
    """One that is not changes no series, and says so; points are then those without it."""
    spec = semantics(**QUICK | {"baseline": BaselineSpec(windows=4, relearn=policy)})
    found = 0
    for seed in range(4):
        log = blocks(STREAM, [source(seed, 300)], seed)
        commands = [told(kind, since) for since in range(10, 40, 5)]
        out = run(State.begin(spec, 0), mixed(log, commands, seed))
        receipts = [signal for each in out for signal in each.signals if signal.kind == "command"]
        assert [one.command for one in receipts] == [one.id for one in commands]
        found += sum(one.n for one in receipts)
        if not changed:
            assert said(out)["points"] == said(folded(State.begin(spec, 0), log))["points"]

    assert (found > 0) == changed


def test_a_command_is_json_that_later_releases_read():
    """The bytes of version 1."""
    golden = (
        b'{"type":"command","version":1,"kind":"accept","id":"0011223344556677","config":"c","stream":"s","metric":"price","segment":null,'
        b'"since":1700000000000000,"begin":"","end":"","by":"ann","why":"a new supplier","at":1700000000000001}'
    )
    found = msgspec.json.decode(golden, type=Command)

    assert (found.kind, found.segment, found.since, found.by) == ("accept", None, 1_700_000_000_000_000, "ann")
    assert msgspec.json.encode(found) == golden
