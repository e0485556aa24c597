"""One partition of the tallies log on its way through the fold, and how far it was answered.

A block may close more windows than one transaction should hold, or one turn should take. So it goes through the fold step by step, and
its answers go out in as many transactions as it needs. The offset committed with them stays at the block until it is through; the
metadata beside it says how many of its steps were answered. A fold is a function of its log: whoever restores makes the same steps
again, and is silent for that many. (All of a block in one transaction would need no such count, but one that is as long as the pause was.)
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from streamspc import wire
from streamspc.errors import Fatal
from streamspc.flow import command, divide, lesson, steps
from streamspc.kafka_io.port import Committed
from streamspc.model import Command, Counted, Lesson
from streamspc.roles.outbox import COMMAND, COUNTED, LESSON

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streamspc.flow import Outputs, State
    from streamspc.model import Batch, Block

    Said = Block | Counted | Command | Lesson


READ = frozenset({b"block", COUNTED, COMMAND, LESSON})


class Answered(NamedTuple):
    """Everything before `offset` was answered, and so many steps of the block at it."""

    offset: int
    steps: int = 0


class _Metadata(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    v: int
    steps: int


def committed(answered: Answered) -> Committed:
    """What the group commits. Between blocks there is nothing to say beside the offset."""
    return Committed(answered.offset, msgspec.json.encode(_Metadata(1, answered.steps)).decode() if answered.steps else "")


def answered(found: Committed) -> Answered:
    """What the group has committed. Raises Fatal for metadata of another program or of a newer release."""
    if not found.metadata:
        return Answered(found.offset)
    try:
        said = msgspec.json.decode(found.metadata, type=_Metadata)
    except msgspec.MsgspecError:
        said = None
    if said is None or said.v != 1 or said.steps < 0:
        raise Fatal(
            f"the committed tallies offset {found.offset} carries {found.metadata:.60!r}, which is not of this release: another program"
            " or a newer streamspc committed with chart's group. Stop that program, or start that version"
        )
    return Answered(found.offset, said.steps)


def _read(key: bytes, value: bytes) -> Said:
    """A record of the tallies log. Raises Fatal for one of a newer release."""
    if key not in {COUNTED, COMMAND}:
        return wire.decode_lesson(value) if key == LESSON else wire.decode_block(value)
    try:
        return msgspec.json.decode(value, type=Counted) if key == COUNTED else msgspec.json.decode(value, type=Command)
    except msgspec.MsgspecError as error:
        raise Fatal(f"a {key.decode()} in tallies cannot be read ({error}): a newer streamspc wrote it. Start that version") from None


def _steps(state: State, said: Said) -> Iterator[Outputs]:
    """The steps of a block, the only one of a lesson; a count and a command have none."""
    if isinstance(said, Counted):
        divide(state, said)
    elif isinstance(said, Command):
        command(state, said)
    elif isinstance(said, Lesson):
        return iter((lesson(state, said),))
    else:
        return steps(state, said)
    return iter(())


@dataclass(slots=True)
class Owned:
    """One partition of the tallies log while it is owned: the fold's state, and where it stands."""

    state: State
    offset: int  # blocks before it are in the state, and `done` steps of the block at it
    silent: Answered  # what an earlier owner answered: outputs off
    snapshot_at: float  # monotonic seconds of the last snapshot
    snapshot_offset: int
    done: int = 0
    end: int = 0  # where the log goes on behind what waits
    waiting: deque[tuple[int, bytes, bytes]] = field(default_factory=deque)  # what was read: offset, key, value; the first may be half done
    paused: bool = False
    _steps: Iterator[Outputs] | None = None

    def take(self, batch: Batch) -> None:
        """Blocks that come next."""
        rows = zip(batch.offsets.tolist(), batch.keys, batch.values, strict=True)
        self.waiting.extend((offset, key, value or b"") for offset, key, value in rows if key in READ)
        self.end = batch.next
        self._behind()

    @property
    def within(self) -> bool:
        """Is a block half done? Then no snapshot can be taken."""
        return self._steps is not None

    @property
    def answered(self) -> Answered:
        """How far this partition is answered once the outputs so far are committed."""
        return max(Answered(self.offset, self.done), self.silent)

    def advance(self, config: str, beat: Callable[[], None], *, one: bool) -> Iterator[tuple[Outputs, bool]]:
        """What the waiting blocks (or the first `one`) make, step by step, and whether it is still to be said. May be left at any step.

        Raises Fatal at a block of another configuration.
        """
        while self.waiting:
            beat()
            offset, key, value = self.waiting[0]
            if self._steps is None:
                said = _read(key, value)
                if said.config != config:
                    raise Fatal(f"tallies offset {offset}: {key.decode()} of configuration {said.config}, this process has {config}")
                self.offset, self.done, self._steps = offset, 0, _steps(self.state, said)
            for out in self._steps:
                self.done += 1
                yield out, (offset, self.done) > self.silent
                beat()
            self.waiting.popleft()
            self.offset, self.done, self._steps = offset + 1, 0, None
            self._behind()
            if one:
                return

    def begin_again(self, silent: Answered) -> None:
        """Forget what was read but not begun: it is read again."""
        self.silent = silent
        self.waiting.clear()

    def _behind(self) -> None:
        if not self.waiting:
            self.offset = max(self.offset, self.end)
