"""Batches through tally and fold, as observe and chart do it, up to the end of time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import msgspec

from streamspc.bucket.tally import empty
from streamspc.errors import Reason
from streamspc.flow import Outputs, State, StreamState, tally
from streamspc.flow import steps as pieces
from streamspc.model import END, NEVER, Block, Progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streamspc.flow import Stream
    from streamspc.model import Batch, Semantics

FOR_EVER = 2**62  # microseconds: longer than all years that a record may name
ORDER = "in the order of the file it comes after its window has closed; if that order means nothing, say --any-order"


@dataclass(slots=True)
class Steps:
    """What was read: records, those refused by reason, and the first of each reason (its number from 1, what is wrong)."""

    records: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    examples: dict[str, tuple[int, str]] = field(default_factory=dict)

    def note(self, stream: Stream, batch: Batch, refused: dict[str, int]) -> None:
        """Count a batch; look again at one that has a record of a reason that was not met before."""
        self.records += len(batch)
        self.refused.update(refused)
        if not refused.keys() - self.examples.keys():
            return
        columns = stream.read(batch)
        for row, reason, detail in zip(columns.bad_rows.tolist(), columns.bad_reasons, columns.bad_details, strict=True):
            self.examples.setdefault(reason.value, (int(batch.offsets[row]) + 1, detail))
        if Reason.LATE.value in refused:
            self.examples.setdefault(Reason.LATE.value, (0, ORDER))

    def bad(self) -> int:
        """Records that were meant to be judged and were not."""
        return self.refused.total() - self.refused[Reason.TOMBSTONE.value]


def begin(semantics: Semantics, name: str) -> State:
    """The state of one stream, all chart partitions as one, under the hash of the whole configuration."""
    spec = semantics.stream(name)
    return State(semantics, 0, {name: StreamState.begin(spec, semantics.hash(), has_whole=True)})


def run(state: State, batches: Iterable[Batch], steps: Steps, *, any_order: bool = False) -> Iterator[Outputs]:
    """Fold the batches into the state of `begin`; `steps` counts them. The last outputs are those of the end of time.

    With `any_order` the file's order means nothing: no record is late, as if it were sorted by event time; all windows close at the end.
    """
    (of,) = state.streams.values()
    stream = _never_late(of.stream) if any_order else of.stream
    name, watermark, at = of.stream.spec.name, NEVER, 0
    for batch in batches:
        table, progress = tally(stream, batch, watermark)
        told = msgspec.structs.replace(progress, watermark=NEVER) if any_order else progress
        watermark, at = told.watermark, told.next
        steps.note(stream, batch, told.refused)
        yield from pieces(state, Block(name, of.config, 1, (told,), table))
    yield from pieces(state, Block(name, of.config, 1, (Progress(0, at, at, END),), empty(stream.plan)))


def _never_late(stream: Stream) -> Stream:
    """The stream for which every record is in time."""
    return replace(stream, spec=msgspec.structs.replace(stream.spec, lateness_us=FOR_EVER))
