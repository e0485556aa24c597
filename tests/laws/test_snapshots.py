from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from strategies import blocks, folded, logs, said, semantics, source
from streamspc.flow import State, ready
from streamspc.model import NEVER, shard
from streamspc.state import restore, save

SEEDS = st.integers(0, 10**6)
STREAM = ready(semantics().streams[0])


def restored(state: State, offset: int) -> State:
    """The state after a round trip through its records."""
    found = restore(state.semantics, state.chart_partition, dict(save(state, offset)))
    assert found is not None
    assert found[1] == offset
    return found[0]


@settings(max_examples=30, deadline=None)
@given(sources=logs(), charts=st.integers(1, 4), seed=SEEDS, share=st.floats(0, 1))
def test_a_restored_state_goes_on_bit_for_bit(sources, charts, seed, share):
    """Saved after any block and restored, each chart partition says and becomes what it would have without."""
    spec = semantics(charts)
    log = blocks(STREAM, sources, seed)
    cut = int(share * len(log))
    for chart_partition in range(charts):
        state = State.begin(spec, chart_partition)
        folded(state, log[:cut])
        again = restored(state, cut)

        assert said(folded(again, log[cut:])) == said(folded(state, log[cut:]))
        assert save(again, len(log)) == save(state, len(log))


def test_that_law_meets_all_that_a_state_can_hold():
    """Among its cuts are states with open windows, open episodes, Phase I half full, gaps, and segments in several shards."""
    seen = set()
    for seed in range(10):
        log = blocks(STREAM, [source(1, 150), source(2, 150)][: 1 + seed % 2], seed)
        for cut in range(0, len(log), 2):
            state = State.begin(semantics(), 0)
            folded(state, log[:cut])
            of = restored(state, cut).streams["s"]
            seen |= {"open windows"} if of.windows.count() > 1 else set()
            seen |= {"open episodes"} if of.episodes.state.open.any() else set()
            seen |= {"half full"} if len(of.bank.columns) and of.windows.next != NEVER else set()
            seen |= {"graduated"} if (of.bank.baseline.version > 0).any() else set()
            seen |= {"empties"} if of.windows.empties else set()
            seen |= {"shards"} if len({shard("s", segment) for segment in of.bank.segments}) > 2 else set()

    assert seen == {"open windows", "open episodes", "half full", "graduated", "empties", "shards"}
