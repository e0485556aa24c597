"""State: the fold's state as records of the compacted snapshots topic, by shard, and back.

Promises: `restore(save(state))` goes on bit for bit as the state would have; a snapshot is whole or refused, never half used; it names
the tallies offset that it stands for. Snapshots are only a short cut: the log remains what is true.

By shard, because shards are what moves when chart partitions grow: a shard's series, episodes and open tallies are one unit, and the
partition's own record (watermarks, window positions) says which shards there are, in how many chunks, at which offset.

Rejected: a changelog of every change (the tallies log is one already); local files (a second thing to keep and to lose).
"""

from streamspc.state.snapshot import restore, save

__all__ = ["restore", "save"]
