"""What every role counts, as the families of its view."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streamspc.model import Family, Histogram, View
from streamspc.roles.pulse import LONG, Pulse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamspc.kafka_io.port import Consumer

LAG_EVERY = 15.0  # seconds

Rows = Sequence[tuple[tuple[str, ...], float]]


@dataclass(slots=True)
class Meters:
    """Counters of one role since its process began. `count` is called a batch, never a record."""

    role: str
    counts: Counter[tuple[str, tuple[str, ...]]] = field(default_factory=Counter)
    durations: Histogram = field(default_factory=Histogram)
    committed_at: float = 0.0  # epoch seconds
    assigned: bool = False

    def count(self, name: str, labels: tuple[str, ...], by: float = 1) -> None:
        """Add to a counter."""
        self.counts[name, labels] += by  # type: ignore[assignment]  # Counter is typed for int; a float sum is as good

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Time one transaction, and count how it ended."""
        begun = time.monotonic()
        try:
            yield
        except BaseException:
            self.count("spc_txn_total", (self.role, "failed"))
            raise
        self.count("spc_txn_total", (self.role, "committed"))
        self.durations = self.durations.observe(time.monotonic() - begun)
        self.committed_at = time.time()

    def view(self, name: str, **gauges: Rows) -> View:
        """All counters and these gauges. Ready once partitions were assigned and restored."""
        counted: dict[str, list[tuple[tuple[str, ...], float]]] = {}
        for (family, labels), value in dict(self.counts).items():  # a copy, made in one step: the role goes on counting meanwhile
            counted.setdefault(family, []).append((labels, value))
        rows: dict[str, Rows] = {**counted, **gauges}
        if self.committed_at:
            rows["spc_last_commit_timestamp_seconds"] = [((name,), self.committed_at)]
        families = tuple(Family(family, [labels for labels, _ in r], [value for _, value in r]) for family, r in rows.items() if r)
        families += self.durations.families("spc_txn_duration_seconds", (self.role,))
        because = () if self.assigned else (f"{name}: waiting for partitions",)
        return View(name, families, ready=self.assigned, not_ready_because=because)


@dataclass(slots=True)
class Lag:
    """How far a role is behind the stable end of its partitions. The brokers are asked now and then, in the role's own thread."""

    role: str
    stream: str
    rows: Rows = ()
    _due: float = -math.inf  # monotonic seconds

    def look(self, consumer: Consumer, pulse: Pulse) -> None:
        """Ask where the partitions end, when it is time to."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + LAG_EVERY
        pulse.beat(LONG)
        bounds = consumer.bounds(sorted(consumer.assignment()))
        behind = ((place, end - consumer.position(place)) for place, (_, end) in bounds.items())
        self.rows = [((self.role, self.stream, str(place.partition)), float(max(0, records))) for place, records in behind]
