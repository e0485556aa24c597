"""Signs of life: how a loop that hangs is told from one that works.

A role beats before each step of a turn. A step may take half a transaction time-out; a commit gives up before that. Steps that wait for
others longer than that, such as connecting or reading a log to its end, say so when they begin.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamspc.model import KafkaLocal

LONG = 120.0  # seconds more that connecting, an assignment or closing may take: brokers are asked many things, each with its time-out


@dataclass(slots=True)
class Pulse:
    """When a role last beat, and when it has to beat again at the latest (monotonic seconds). Written by the role's thread alone."""

    longest: float = math.inf  # seconds that a step may take
    turned: float = field(default_factory=time.monotonic)
    due: float = math.inf

    def beat(self, more: float = 0.0) -> None:
        """A step begins. It may take `longest` seconds, and so many more."""
        self.turned = time.monotonic()
        self.due = self.turned + self.longest + more

    def rest(self) -> None:
        """The loop has ended: nothing is due."""
        self.due = math.inf


def longest_step(local: KafkaLocal) -> float:
    """Seconds after which a step hangs: half a transaction time-out."""
    return local.transaction_timeout / 2


def commit_deadline(local: KafkaLocal) -> float:
    """Seconds for a transaction, so that one that the brokers do not answer ends before its loop is taken to hang."""
    return local.transaction_timeout / 3
