"""Named points inside a transaction, in order, where a test may end the process. They are the same for every implementation."""

from __future__ import annotations

from collections.abc import Callable

STEPS = ("before", "begun", "sent", "acknowledged", "offsets", "committed")
"""before: nothing was asked of Kafka. begun: a transaction is open. sent: records are on their way. acknowledged: all of them
are stored. offsets: the group's offsets are part of the transaction. committed: the outcome is visible."""

At = Callable[[str], None]


class Crash(BaseException):
    """The process ends here. Not an Exception: nothing may catch it to tidy up, for a killed process does not."""


def nowhere(_step: str) -> None:
    """The hook of everyday: go on."""
