"""Arrays and record columns: what comes from Kafka, and what admission makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from streamspc.model.texts import Stored

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streamspc.errors import Reason

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Headers = list[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Consecutive records of one source partition as columns. `next` is the offset after the last one (gaps included)."""

    topic: str
    partition: int
    offsets: Ints  # [n]
    timestamps: Ints  # [n] Kafka timestamps, milliseconds
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    headers: Sequence[Headers] | None  # None: no record has headers
    next: int
    stored: Stored | None = None  # None: as columns only

    def __len__(self) -> int:
        """Records in the batch."""
        return len(self.offsets)


class FieldKind(StrEnum):
    """What a field has to be, by its use. Null and missing are always allowed."""

    NUMBER = "number"
    TEXT = "text"
    FLAG = "flag"
    ANY = "any"


class Column(NamedTuple):
    """One field of the admitted records. `values` is float64 (numbers; 0.0 where null) or object (text, bool, any; None where null)."""

    values: npt.NDArray[Any]  # [k]
    null: Bools  # [k]


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Admitted records of a batch as columns, and those that were not. k admitted, n - k rejected or tombstones."""

    rows: Ints  # [k] index in the batch, increasing
    event_time: Ints  # [k] microseconds
    kafka_time: Ints  # [k] microseconds
    fields: Mapping[str, Column]  # by dotted path
    segment: Codes  # [k] code into `names`; -1 in all where the stream has no segments
    names: tuple[str, ...]
    bad_rows: Ints  # [n-k] index in the batch, increasing
    bad_reasons: tuple[Reason, ...]  # [n-k] TOMBSTONE included
    bad_details: tuple[str, ...]  # [n-k]
