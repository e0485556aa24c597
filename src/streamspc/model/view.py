"""What a process shows to the outside."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamspc.model.columns import Floats


class Family(NamedTuple):
    """Samples of one metric family at one instant; `name` is one of serve.names."""

    name: str
    labels: Sequence[tuple[str, ...]]  # label values, in the order of the family's label names
    values: Sequence[float] | Floats


@dataclass(frozen=True, slots=True)
class Histogram:
    """Observations counted by upper bound; `observe` gives a new value, so that a view may hold the old one."""

    bounds: tuple[float, ...] = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
    counts: tuple[int, ...] = (0,) * 12  # one more than bounds: the last is above all of them
    total: float = 0.0

    def observe(self, value: float) -> Histogram:
        """The histogram with one more observation; a bound includes itself."""
        at = bisect_left(self.bounds, value)
        counts = (*self.counts[:at], self.counts[at] + 1, *self.counts[at + 1 :])
        return replace(self, counts=counts, total=self.total + value)

    def families(self, name: str, labels: tuple[str, ...]) -> tuple[Family, ...]:
        """The rows of one series: cumulative `_bucket` (label values, then the bound), `_sum` and `_count`."""
        bounds = (*(str(bound) for bound in self.bounds), "+Inf")
        cumulative = tuple(accumulate(self.counts))
        return (
            Family(f"{name}_bucket", [(*labels, bound) for bound in bounds], cumulative),
            Family(f"{name}_sum", [labels], (self.total,)),
            Family(f"{name}_count", [labels], cumulative[-1:]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What a role shows to the outside after a turn of its loop: immutable, replaced as a whole."""

    role: str
    families: tuple[Family, ...] = ()
    ready: bool = False
    not_ready_because: tuple[str, ...] = ()
    turned: float = 0.0  # monotonic seconds of the last turn of the loop
