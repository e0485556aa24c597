"""Is the process alive, is it ready: pure answers from views."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamspc.model import View


class Health(NamedTuple):
    """The answer, and one line of JSON for each reason against it."""

    good: bool
    reasons: tuple[dict[str, str], ...] = ()

    def text(self, state: str) -> str:
        """The body: the state in one line, or the reasons."""
        return f"{state}\n" if self.good else "".join(f"{msgspec.json.encode(reason).decode()}\n" for reason in self.reasons)


def healthy(views: Sequence[View], since: float, now: float, longest: float) -> Health:
    """Has every loop turned in the last `longest` seconds? One that never did counts from `since`, the start of serving."""
    stuck = [(view.role, now - max(view.turned, since)) for view in views]
    reasons = tuple({"role": role, "reason": f"has not turned for {age:.0f} s"} for role, age in stuck if age > longest)
    return Health(not reasons, reasons)


def ready(views: Sequence[View]) -> Health:
    """Has every role what it needs to work?"""
    waiting = [(view.role, because) for view in views if not view.ready for because in view.not_ready_because or ("not ready",)]
    if not views:
        waiting = [("", "no role has started")]
    return Health(not waiting, tuple({"role": role, "reason": because} for role, because in waiting))
