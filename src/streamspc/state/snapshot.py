"""Save and restore one chart partition's state as keyed records under the size limit of a message."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from streamspc import wire
from streamspc.bucket.merge import merge, scatter
from streamspc.chart import Bank
from streamspc.decide import Episodes, History
from streamspc.errors import Fatal
from streamspc.flow import State, StreamState
from streamspc.model import SHARDS, Command, shard

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy.typing as npt

    from streamspc.model import Semantics, TallyTable
    from streamspc.model.lanes import Lanes

VERSION = 1
CHUNK_BYTES = 900_000  # brokers take 1,048,588 unless told otherwise
PARTITION, STREAMS, SHARD = "partition-snapshot", "streams-snapshot", "shard-snapshot"

Records = list[tuple[bytes, bytes]]


def save(state: State, offset: int) -> Records:
    """Records of the state after all blocks before `offset`; the last one makes the others count."""
    homes: dict[int, dict[str, Any]] = defaultdict(dict)
    columns: dict[str, npt.NDArray[Any]] = {}
    for name, of in state.streams.items():
        pending = of.windows.pending()
        columns[f"{name}/sources"] = _bytes(wire.encode_table(replace(of.windows.nothing, sources=pending.sources)))
        columns |= {f"{name}/history/{key}": array for key, array in of.history.save().items()}
        for home, part in _shards(of, pending).items():
            homes[home][name] = part
    records = list(_pieces(b"streams", wire.pack(STREAMS, VERSION, {}, columns), offset))
    meta: dict[str, Any] = {"offset": offset, "config": state.semantics.hash(), "pieces": len(records), "chunks": []}
    for home, parts in sorted(homes.items()):
        chunks = list(_pieces(b"shard/%d" % home, _pack_shard(parts), offset))
        records += chunks
        meta["chunks"].append((home, len(chunks)))
    meta["streams"] = {name: _position(of) for name, of in state.streams.items()}
    records.append((b"partition", wire.pack(PARTITION, VERSION, meta, {})))
    return records


def restore(semantics: Semantics, chart_partition: int, records: Mapping[bytes, bytes]) -> tuple[State, int] | None:
    """The state and the tallies offset that it stands for, from the latest record of each key; None when there is no snapshot.

    Raises Fatal when the snapshot is of another configuration, of a newer release, or not whole.
    """
    if b"partition" not in records:
        return None
    _, meta, _ = wire.unpack(records[b"partition"], PARTITION)
    if meta["config"] != semantics.hash():
        raise Fatal(f"the snapshot of chart partition {chart_partition} is of configuration {meta['config']}, not {semantics.hash()}")
    state, offset = State.begin(semantics, chart_partition), meta["offset"]
    _, _, columns = wire.unpack(_whole(records, b"streams", meta["pieces"], offset), STREAMS)
    banks: dict[str, list[tuple[list[str], Lanes]]] = defaultdict(list)
    episodes: dict[str, list[tuple[list[str], Lanes]]] = defaultdict(list)
    tables: dict[str, list[TallyTable]] = defaultdict(list)
    for home, count in meta["chunks"]:
        for name, part in _unpack_shard(_whole(records, b"shard/%d" % home, count, offset)).items():
            banks[name].append((part["segments"], part["bank"]))
            episodes[name].append((part["segments"], part["episodes"]))
            tables[name].append(part["table"])
    for name, said in meta["streams"].items():
        of = state.streams[name]
        of.bank = Bank.load(of.stream.spec, banks[name], semantics.chart_partitions, (said["known"], said["charted"]))
        of.counted = dict(said["counted"])
        of.commands = msgspec.convert(said["commands"], list[Command])
        of.episodes = Episodes.load(of.stream.spec, episodes[name])
        of.history = History.load(_under(columns, f"{name}/history/"))
        sources = wire.decode_table(columns[f"{name}/sources"].tobytes())
        of.windows.tables = [merge([of.windows.nothing, sources, *tables[name]])]
        of.windows.next, of.windows.empties = said["next"], said["empties"]
        of.frontier.partitions, of.frontier.at = said["partitions"], said["frontier"]
        of.frontier.watermarks, of.frontier.idle = dict(said["watermarks"]), dict(said["idle"])
        of.counts = Counter(said["counts"])
        for segment in of.bank.segments:
            of.segments_of_shard[shard(name, segment)] += 1
    return state, offset


def _position(of: StreamState) -> dict[str, Any]:
    """Where a stream stands: all that is neither by shard nor an array."""
    return {
        "partitions": of.frontier.partitions,
        "watermarks": list(of.frontier.watermarks.items()),
        "idle": list(of.frontier.idle.items()),
        "frontier": of.frontier.at,
        "next": of.windows.next,
        "empties": of.windows.empties,
        "counts": dict(of.counts),
        "counted": list(of.counted.items()),
        "commands": msgspec.to_builtins(of.commands),
        "known": of.bank.known,
        "charted": of.bank.windows,
    }


def _pieces(key: bytes, packed: bytes, offset: int) -> Iterator[tuple[bytes, bytes]]:
    """Records of at most CHUNK_BYTES and a stamp that says which snapshot they are of."""
    for i, at in enumerate(range(0, len(packed), CHUNK_BYTES)):
        yield b"%s/%d" % (key, i), b"%d:%s" % (offset, packed[at : at + CHUNK_BYTES])


def _whole(records: Mapping[bytes, bytes], key: bytes, count: int, offset: int) -> bytes:
    """What `_pieces` took apart. Raises Fatal where a piece is missing or of another snapshot."""
    pieces = []
    for i in range(count):
        stamp, _, piece = records.get(b"%s/%d" % (key, i), b"").partition(b":")
        if stamp != b"%d" % offset:
            raise Fatal(f"snapshot at tallies offset {offset}: piece {i} of {key.decode()} is missing or of another snapshot")
        pieces.append(piece)
    return b"".join(pieces)


def _shards(of: StreamState, pending: TallyTable) -> dict[int, dict[str, Any]]:
    """The stream's segments, their bank and episodes, and open cells, by shard."""
    name = of.stream.spec.name
    members: dict[int, list[int]] = defaultdict(list)
    for index, segment in enumerate(of.bank.segments):
        members[shard(name, segment)].append(index)
    cells = replace(pending, sources=of.windows.nothing.sources)  # the partition's own record has the sources, once
    tables = scatter(cells, name, SHARDS)
    out = {}
    for home in sorted({*members, *(i for i, table in enumerate(tables) if len(table))}):
        rows = members.get(home, [])
        segments = [of.bank.segments[i] for i in rows]
        out[home] = {"segments": segments, "bank": of.bank.save(rows), "episodes": of.episodes.save(rows), "table": tables[home]}
    return out


def _pack_shard(parts: Mapping[str, dict[str, Any]]) -> bytes:
    meta = {"streams": {name: part["segments"] for name, part in parts.items()}}
    columns: dict[str, npt.NDArray[Any]] = {}
    for name, part in parts.items():
        columns |= {f"{name}/bank/{key}": array for key, array in part["bank"].items()}
        columns |= {f"{name}/episodes/{key}": array for key, array in part["episodes"].items()}
        columns[f"{name}/table"] = _bytes(wire.encode_table(part["table"]))
    return wire.pack(SHARD, VERSION, meta, columns)


def _unpack_shard(packed: bytes) -> dict[str, dict[str, Any]]:
    _, meta, columns = wire.unpack(packed, SHARD)
    return {
        name: {
            "segments": segments,
            "bank": _under(columns, f"{name}/bank/"),
            "episodes": _under(columns, f"{name}/episodes/"),
            "table": wire.decode_table(columns[f"{name}/table"].tobytes()),
        }
        for name, segments in meta["streams"].items()
    }


def _under(columns: Mapping[str, npt.NDArray[Any]], prefix: str) -> Lanes:
    return {key.removeprefix(prefix): np.array(array) for key, array in columns.items() if key.startswith(prefix)}


def _bytes(data: bytes) -> npt.NDArray[np.uint8]:
    return np.frombuffer(data, np.uint8)
