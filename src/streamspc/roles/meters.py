"""What every role counts, as the families of its view; whether it is ready; how far it is behind."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streamspc.kafka_io.port import Place
from streamspc.model import Family, Histogram, View
from streamspc.roles.pulse import LONG, Pulse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streamspc.kafka_io.port import Consumer

LAG_EVERY = 15.0  # seconds
ANSWERED = 30.0  # seconds after which a broker that has not answered makes a role not ready

Rows = Sequence[tuple[tuple[str, ...], float]]


@dataclass(slots=True)
class Meters:
    """Counters of one role since its process began. `count` is called a batch, never a record."""

    role: str
    counts: Counter[tuple[str, tuple[str, ...]]] = field(default_factory=Counter)
    durations: Histogram = field(default_factory=Histogram)
    committed_at: float = 0.0  # epoch seconds
    assigned: bool = False
    answered: float = -math.inf  # monotonic seconds: when brokers last answered

    def count(self, name: str, labels: tuple[str, ...], by: float = 1) -> None:
        """Add to a counter."""
        self.counts[name, labels] += by  # type: ignore[assignment]  # Counter is typed for int; a float sum is as good

    def restored(self) -> None:
        """The partitions are ours, if any are, and what is needed for them was read."""
        self.assigned, self.answered = True, time.monotonic()

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
        self.answered = time.monotonic()
        self.durations = self.durations.observe(self.answered - begun)
        self.committed_at = time.time()

    def view(self, name: str, families: Iterable[Family] = (), /, **gauges: Rows) -> View:
        """All counters, these families and gauges. Ready while partitions are assigned (or none are) and restored, and brokers answer."""
        counted: dict[str, list[tuple[tuple[str, ...], float]]] = {}
        for (family, labels), value in dict(self.counts).items():  # a copy, made in one step: the role goes on counting meanwhile
            counted.setdefault(family, []).append((labels, value))
        rows: dict[str, Rows] = {**counted, **gauges}
        if self.committed_at:
            rows["spc_last_commit_timestamp_seconds"] = [((name,), self.committed_at)]
        plain = tuple(Family(family, [labels for labels, _ in r], [value for _, value in r]) for family, r in rows.items() if r)
        timed = self.durations.families("spc_txn_duration_seconds", (self.role,))
        because = self._not_ready(name)
        return View(name, (*plain, *families, *timed), ready=not because, not_ready_because=because)

    def _not_ready(self, name: str) -> tuple[str, ...]:
        if not self.assigned:
            return (f"{name}: waiting for partitions",)
        silent = time.monotonic() - self.answered
        return (f"{name}: no broker has answered for {silent:.0f} s",) if silent > ANSWERED else ()


@dataclass(slots=True)
class Lag:
    """How far a role is behind the stable end of its partitions. The brokers are asked now and then, in the role's own thread.

    A role without partitions asks as well: that they answer is part of being ready.
    """

    meters: Meters
    stream: str
    topic: str
    rows: Rows = ()
    behind: dict[Place, float] = field(default_factory=dict)  # replaced, never changed
    held: Rows = ()
    _since: dict[Place, tuple[int, float]] = field(default_factory=dict)  # the stable end that is held, and since when it is
    _due: float = -math.inf  # monotonic seconds

    def look(self, consumer: Consumer, pulse: Pulse) -> None:
        """Ask where the partitions end, when it is time to."""
        if time.monotonic() < self._due:
            return
        pulse.beat(LONG)
        mine = sorted(consumer.assignment())
        bounds = consumer.bounds(mine or [Place(self.topic, 0)])
        self.meters.answered = now = time.monotonic()
        self._due = now + LAG_EVERY
        self.behind = {place: float(max(0, bounds[place][1] - consumer.position(place))) for place in mine}
        self.rows = [(self._labels(place), records) for place, records in self.behind.items()]
        before, self._since = self._since, {}
        for place in mine:
            end = bounds[place][1]
            known = before.get(place, (-1, now))
            self._since[place] = (end, known[1] if known[0] == end and consumer.held_back(place) else now)
        self.held = [(self._labels(place), now - since) for place, (_, since) in self._since.items()]

    def _labels(self, place: Place) -> tuple[str, str, str]:
        return (self.meters.role, self.stream, str(place.partition))

    def families(self) -> dict[str, Rows]:
        """Rows for a view."""
        return {"spc_consumer_lag_records": self.rows, "spc_last_stable_offset_age_seconds": self.held}
