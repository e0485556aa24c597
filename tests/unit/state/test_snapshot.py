from __future__ import annotations

import msgspec
import pytest

from strategies import blocks, folded, said, semantics, source
from streamspc import wire
from streamspc.bucket.tally import empty
from streamspc.errors import Fatal
from streamspc.flow import State, fold, ready
from streamspc.model import NEVER, Block, Progress
from streamspc.state import restore, save, snapshot

SPEC = semantics()
STREAM = ready(SPEC.streams[0])
LOG = blocks(STREAM, [source(1, 150), source(2, 150)], 3)
HALF = len(LOG) // 2


def filled() -> State:
    """A state in the middle of a log."""
    state = State.begin(SPEC, 0)
    folded(state, LOG[:HALF])
    return state


def test_there_may_be_no_snapshot():
    """Then the log is the state."""
    assert restore(SPEC, 0, {}) is None


@pytest.mark.parametrize("offset", [0, 17, 2**40])
def test_it_names_the_offset_that_it_stands_for(offset):
    """Blocks before it are in the state."""
    found = restore(SPEC, 0, dict(save(filled(), offset)))

    assert found is not None
    assert found[1] == offset


def test_a_state_without_a_block_can_be_saved():
    """No watermark, no window, no segment."""
    found = restore(SPEC, 0, dict(save(State.begin(SPEC, 0), 0)))

    assert found is not None
    assert said(folded(found[0], LOG)) == said(folded(State.begin(SPEC, 0), LOG))


def test_idle_partitions_are_still_idle():
    """Event time goes on from where it stood, by what has been told before and after."""
    state = State.begin(SPEC, 0)
    nothing = empty(STREAM.plan)

    def rest(of: State, idle: int) -> int:
        fold(of, Block("s", "c", 2, (Progress(0, 0, 0, 1_000, idle), Progress(1, 0, 0, NEVER, idle)), nothing))
        return of.streams["s"].frontier.at

    fold(state, Block("s", "c", 2, (Progress(0, 0, 0, 1_000), Progress(1, 0, 0, NEVER)), nothing))
    rest(state, 60)
    again = restore(SPEC, 0, dict(save(state, 1)))

    assert again is not None
    assert rest(again[0], 40) == rest(state, 40) == 1_100


def test_the_last_record_makes_the_others_count():
    """Who reads the pieces of a new snapshot without its last record still has the old one's word, and refuses the mixture."""
    state = filled()
    old = dict(save(state, 5))
    folded(state, LOG[HALF:])
    mixed = old | dict(save(state, 9)[:-1])

    assert save(state, 9)[-1][0] == b"partition"
    with pytest.raises(Fatal, match="offset 5: piece 0"):
        restore(SPEC, 0, mixed)


@pytest.mark.parametrize("lost", ["streams/0", "shard"])
def test_a_snapshot_with_a_hole_is_refused(lost):
    """It is used as a whole or not at all."""
    records = dict(save(filled(), 5))
    del records[next(key for key in records if key.startswith(lost.encode()))]

    with pytest.raises(Fatal, match="missing or of another snapshot"):
        restore(SPEC, 0, records)


def test_a_snapshot_of_another_configuration_is_refused():
    """Its series may mean something else."""
    with pytest.raises(Fatal, match="is of configuration"):
        restore(semantics(lateness_us=1), 0, dict(save(filled(), 5)))


def test_a_snapshot_of_a_newer_release_is_refused_with_the_release():
    """The message says which one to install."""
    records = dict(save(filled(), 5))
    _, meta, columns = wire.unpack(records[b"partition"], snapshot.PARTITION)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(wire.container.RELEASES, snapshot.PARTITION, ("0.1.0", "9.8.0"))
        records[b"partition"] = wire.pack(snapshot.PARTITION, 2, meta, columns)

    with pytest.raises(Fatal, match=r"9\.8\.0"):
        restore(SPEC, 0, records)


@pytest.mark.parametrize("size", [100, 5_000, 900_000])
def test_no_record_is_larger_than_the_limit(monkeypatch, size):
    """The arrays of streams and shards go in pieces; only the table of contents is one record. Together they are the state."""
    monkeypatch.setattr(snapshot, "CHUNK_BYTES", size)
    state = filled()
    records = save(state, 123)
    stamp = len(b"123:")
    again = restore(SPEC, 0, dict(records))

    assert max(len(value) for _, value in records[:-1]) <= size + stamp
    assert len(records[-1][1]) < 4_000
    assert again is not None
    assert said(folded(again[0], LOG[HALF:])) == said(folded(state, LOG[HALF:]))


def test_keys_are_by_shard_and_the_same_each_time():
    """So that compaction keeps the newest of each, and a shard can be found by its key."""
    state = filled()
    keys = [key for key, _ in save(state, 5)]

    assert len(set(keys)) == len(keys)
    assert keys == [key for key, _ in save(state, 6)]
    assert {key.split(b"/")[0] for key in keys} == {b"streams", b"shard", b"partition"}


def test_streams_are_apart():
    """Two streams of an application, one of them without a record: both come back."""
    both = msgspec.structs.replace(SPEC, streams=(SPEC.streams[0], msgspec.structs.replace(SPEC.streams[0], name="t")))
    state = State.begin(both, 0)
    folded(state, LOG[:HALF])
    again = restore(both, 0, dict(save(state, 1)))

    assert again is not None
    assert said(folded(again[0], LOG[HALF:])) == said(folded(state, LOG[HALF:]))
    assert again[0].streams["t"].frontier.at == NEVER


def test_refused_blocks_leave_their_counts():
    """What was counted goes on from there."""
    state = filled()
    state.streams["s"].counts["late_after_close"] += 7
    again = restore(SPEC, 0, dict(save(state, 1)))

    assert again is not None
    assert again[0].streams["s"].counts == state.streams["s"].counts
