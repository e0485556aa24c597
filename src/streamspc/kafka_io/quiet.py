"""What the library logs as an error or a warning although it is everyday becomes debug."""

from __future__ import annotations

import logging

from kafka.errors import UnstableOffsetCommitError

_UNSTABLE = "Unknown error fetching offsets"  # an open transaction holds them: asked again until it has ended
EVERYDAY = {  # logger: how its everyday messages begin
    "kafka.coordinator.consumer": _UNSTABLE,
    "kafka.coordinator.assignors.range": "No partition metadata for topic",  # a leader assigns once before it knows its topics
    # A stall or another holder of the id ends a transaction: the error reaches whoever waits for it, and the role says so.
    "kafka.producer.transaction_manager": "Fatal Error handling request",
    "kafka.producer.sender": "%s: Aborting producer batches due to fatal error",
    "kafka.net.selector": "Task %r ran for",  # its I/O thread waited for ours: batches are unpacked while others are fetched
}


def _lowered(record: logging.LogRecord) -> bool:
    """Whether to go on with a record, which may be debug from now on."""
    text, start = str(record.msg), EVERYDAY[record.name]
    everyday = text.startswith(start) and (start != _UNSTABLE or any(isinstance(it, UnstableOffsetCommitError) for it in record.args or ()))
    if not everyday:
        return True
    record.levelno, record.levelname = logging.DEBUG, logging.getLevelName(logging.DEBUG)
    return logging.getLogger(record.name).isEnabledFor(logging.DEBUG)


def quiet() -> None:
    """Lower them in this process. Doing it again changes nothing."""
    for name in EVERYDAY:
        logging.getLogger(name).addFilter(_lowered)
