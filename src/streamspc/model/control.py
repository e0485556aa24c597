"""Records of the control log beside the configuration: what people did with quarantined records."""

from __future__ import annotations

from typing import Literal

import msgspec

from streamspc.model.verdicts import Configured


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


ControlRecord = Configured | Handled
