"""What a process shows to the outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamspc.model.columns import Floats


class Family(NamedTuple):
    """Samples of one metric family at one instant; `name` is one of serve.names."""

    name: str
    labels: Sequence[tuple[str, ...]]  # label values, in the order of the family's label names
    values: Sequence[float] | Floats


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What a role shows to the outside after a turn of its loop: immutable, replaced as a whole."""

    role: str
    families: tuple[Family, ...] = ()
    ready: bool = False
    not_ready_because: tuple[str, ...] = ()
    turned: float = 0.0  # monotonic seconds of the last turn of the loop
