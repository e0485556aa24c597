"""Errors named for what happens next.

    StreamspcError
    ├── ConfigError   refuse to start (or keep the old configuration): file, line, what was expected
    ├── BadRecord     one record cannot be read: it carries a Reason and goes to quarantine
    ├── Transient     the world did not answer: rebuild the client, go back to the committed offset, try again
    │   └── Fenced    another member owns the work now: same cure, but never retried with the same client
    └── Fatal         nothing that this process can do will help: exit, with the cure in the message

`Reason` is closed: every value is a metric label that exists from the start.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a record was not judged like the others. The order is part of the formats: only append."""

    UNDECODABLE = "undecodable"
    WRONG_TYPE = "wrong_type"
    NO_EVENT_TIME = "no_event_time"
    BAD_EVENT_TIME = "bad_event_time"
    FUTURE = "future"
    NUMBER_OUT_OF_RANGE = "number_out_of_range"
    TOO_LARGE = "too_large"
    TOMBSTONE = "tombstone"
    LATE = "late"
    LATE_AFTER_CLOSE = "late_after_close"
    SEGMENT_LIMIT = "segment_limit"
    BEFORE_VERDICTS = "before_verdicts"
    UNFORWARDABLE = "unforwardable"
    RETENTION_GAP = "retention_gap"
    GATE_OPEN = "gate_open"
    GATE_CLOSED = "gate_closed"


class StreamspcError(Exception):
    """Root of all errors that streamspc raises on purpose."""


class ConfigError(StreamspcError):
    """The configuration is wrong. `problems` are one line each: place, fault, cure."""

    def __init__(self, *problems: str) -> None:
        """Keep the problems apart, so that a caller can print one a line."""
        super().__init__("\n".join(problems))
        self.problems = problems


class BadRecord(StreamspcError):
    """One record cannot be read."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        """Carry the reason (a metric label) and a detail for the quarantine header."""
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail


class Transient(StreamspcError):
    """The world did not answer; the same work may succeed with new clients."""


class Fenced(Transient):
    """This member lost its work to another one; nothing it holds may be written."""


class Fatal(StreamspcError):
    """Nothing that this process can do will help. The message says the cure."""
