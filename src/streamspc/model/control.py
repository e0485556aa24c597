"""Records of the control log beside the configuration: what people did with quarantined records, and what they told the charts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec

from streamspc.model.semantics import NEVER
from streamspc.model.verdicts import Configured, Override

if TYPE_CHECKING:
    from streamspc.model.tallies import TallyTable


class Handled(msgspec.Struct, frozen=True, kw_only=True, tag="handled"):
    """Quarantined records that were released or discarded, written in the transaction that does it. The audit: who, when, why.

    `ranges` are offsets of one partition of the quarantine topic, both ends included. What they name is handled for ever.
    """

    version: int = 1
    action: Literal["released", "discarded"]
    id: str  # of the command; released records carry it
    stream: str
    topic: str  # the quarantine topic
    partition: int
    ranges: tuple[tuple[int, int], ...]
    records: int
    to: str = ""  # where released records went
    selection: str = ""
    by: str = ""
    why: str = ""
    at: int = 0  # microseconds of the operator's clock


class Command(msgspec.Struct, frozen=True, kw_only=True, tag="command"):
    """What an operator tells the charts of a stream: one entry in control and, in the same transaction, in each partition of tallies.

    It holds from the first window that starts at or after `since` and closes behind it in the log of tallies. `learn` is in tallies as a
    `Lesson`, and holds from its place in the log on; `begin` and `end` are the range of the topic that was read for it.
    """

    version: int = 1
    kind: Literal["accept", "reset", "learn"]
    id: str
    config: str
    stream: str
    metric: str | None = None  # a metric or a chart of several; None: all
    segment: str | None = None  # None: all, the whole stream's with them
    since: int = NEVER
    begin: str = ""
    end: str = ""
    by: str = ""
    why: str = ""
    at: int = 0  # microseconds of the operator's clock


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """The command to learn Phase I from windows of the past, with their tallies."""

    command: Command
    table: TallyTable

    @property
    def config(self) -> str:
        """Of the command."""
        return self.command.config


ControlRecord = Configured | Handled | Command | Override
