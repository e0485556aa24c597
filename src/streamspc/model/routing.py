"""Where the records of a batch go."""

from __future__ import annotations

from typing import NamedTuple

from streamspc.errors import Reason
from streamspc.model.columns import Bools, Codes
from streamspc.model.verdicts import Rejection


class Routed(NamedTuple):
    """Where the first `ready` records of a batch go; the others wait for their verdicts.

    Arrays over those records [ready]: `rejected` index into `rejections` or -1, `refused` index into `refusals` or -1 (neither:
    clean), `late`, `storm` and `opened` marks. `old` of them belong to windows before the first verdict. `watermark` is the
    partition's after them; `waits_for` the window end that the next one needs.
    """

    ready: int
    rejected: Codes
    refused: Codes
    late: Bools
    storm: Bools
    opened: Bools
    old: int
    rejections: tuple[Rejection, ...]
    refusals: tuple[tuple[Reason, str], ...]
    watermark: int
    waits_for: int

    @property
    def marked(self) -> Bools:
        """Records that say how they came to be clean."""
        return self.late | self.storm | self.opened
