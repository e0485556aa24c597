"""Batches through tally and fold, as observe and chart do it, up to the end of time."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import msgspec

from streamspc.bucket.tally import empty
from streamspc.errors import Reason
from streamspc.flow import Outputs, State, StreamState, tally
from streamspc.flow import steps as pieces
from streamspc.model import END, NEVER, Block, Progress, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from streamspc.flow import Stream
    from streamspc.model import Batch, Semantics, TallyTable

FOR_EVER = 2**62  # microseconds: longer than all years that a record may name
LATE = "by the order of the records its window had closed: raise `disorder` or `lateness`; if that order means nothing, say --any-order"
WHOLE_FILE = {0: END}  # a file is one partition that ends where its records do


@dataclass(slots=True)
class Steps:
    """What was read: records, those refused by reason, and the first of each reason (where, what is wrong).

    `ahead` are the partitions that wait for others: they are so many windows ahead that reading on would keep too many open. `offsets` are
    the range of a topic that is read, by partition, without the second one.
    """

    records: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    examples: dict[str, tuple[Span | None, str]] = field(default_factory=dict)
    ahead: frozenset[int] = frozenset()
    offsets: dict[int, tuple[int, int]] = field(default_factory=dict)

    def note(self, stream: Stream, batch: Batch, refused: dict[str, int]) -> None:
        """Count a batch; look again at one that has the first record of a reason, by partition and offset, whatever came first."""
        self.records += len(batch)
        self.refused.update(refused)
        if Reason.LATE.value in refused:
            self.examples[Reason.LATE.value] = None, LATE
        if all(self._known(reason, batch.partition) for reason in refused):
            return
        columns = stream.read(batch)
        for row, reason, detail in zip(columns.bad_rows.tolist(), columns.bad_reasons, columns.bad_details, strict=True):
            if not self._known(reason.value, batch.partition):
                at = int(batch.offsets[row])
                self.examples[reason.value] = Span(batch.partition, at, at), detail

    def _known(self, reason: str, partition: int) -> bool:
        where, _ = self.examples.get(reason, (Span(sys.maxsize, 0, 0), ""))
        return where is None or where.partition <= partition

    def bad(self) -> int:
        """Records that were meant to be judged and were not."""
        return self.refused.total() - self.refused[Reason.TOMBSTONE.value]


def begin(semantics: Semantics, name: str) -> State:
    """The state of one stream, all chart partitions as one, under the hash of the whole configuration."""
    spec = semantics.stream(name)
    return State(semantics, 0, {name: StreamState.begin(spec, semantics.hash(), has_whole=True)})


def run(
    state: State, batches: Iterable[Batch], steps: Steps, *, any_order: bool = False, ends: Mapping[int, int] = WHOLE_FILE
) -> Iterator[Outputs]:
    """Fold the batches into the state of `begin`; `steps` counts them. The last outputs are those of the end of time.

    `ends` are the source partitions, from 0, and the offset behind the last record of each: no more is to come once a batch's `next` is
    there, or when the batches are at an end. With `any_order` the order of records means nothing: none is late, as if they were sorted by
    event time; all windows close at the end.
    """
    (of,) = state.streams.values()
    stream = _never_late(of.stream) if any_order else of.stream
    name, marks, first, read = of.stream.spec.name, dict.fromkeys(ends, NEVER), dict.fromkeys(ends, NEVER), dict.fromkeys(ends, 0)
    for batch in batches:
        table, told = _tally(stream, batch, marks[batch.partition])
        if any_order:
            told = msgspec.structs.replace(told, watermark=NEVER)
        if batch.next >= ends[batch.partition]:
            told = msgspec.structs.replace(told, watermark=END)
        marks[batch.partition], read[batch.partition] = told.watermark, told.next
        steps.note(stream, batch, told.refused)
        yield from pieces(state, Block(name, of.config, len(ends), (told,), table))
        steps.ahead = _ahead(of, marks, first)
    rest = tuple(Progress(partition, at, at, END) for partition, at in read.items() if marks[partition] != END)
    if rest:
        yield from pieces(state, Block(name, of.config, len(ends), rest, empty(stream.plan)))


def _tally(stream: Stream, batch: Batch, watermark: int) -> tuple[TallyTable, Progress]:
    """The records of a batch; one without records tells how far its partition was read."""
    if len(batch):
        return tally(stream, batch, watermark)
    return empty(stream.plan), Progress(batch.partition, batch.next, batch.next, watermark)


def _ahead(of: StreamState, marks: Mapping[int, int], first: dict[int, int]) -> frozenset[int]:
    """Partitions more than `max_open_windows` beyond the frontier, while there is none beyond where they began, as observe has it."""
    spec = of.stream.spec
    for partition, mark in marks.items():
        first[partition] = mark if first[partition] == NEVER else first[partition]
    bound = spec.lateness_us + spec.disorder_us + (spec.max_open_windows + 1) * spec.window_us
    at = of.frontier.at
    return frozenset(p for p, mark in marks.items() if NEVER < mark < END and mark - (first[p] if at == NEVER else at) > bound)


def _never_late(stream: Stream) -> Stream:
    """The stream for which every record is in time."""
    return replace(stream, spec=msgspec.structs.replace(stream.spec, lateness_us=FOR_EVER))
