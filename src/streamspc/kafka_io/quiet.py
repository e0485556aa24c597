"""What the library logs as an error or a warning although it is everyday becomes debug."""

from __future__ import annotations

import logging

from kafka.errors import UnstableOffsetCommitError

_UNSTABLE = "Unknown error fetching offsets"  # an open transaction holds them: asked again until it has ended
_NO_METADATA = "No partition metadata for topic"  # the leader of a group assigns once before it knows its topics
EVERYDAY = {"kafka.coordinator.consumer": _UNSTABLE, "kafka.coordinator.assignors.range": _NO_METADATA}


def _lowered(record: logging.LogRecord) -> bool:
    """Whether to go on with a record, which may be debug from now on."""
    text = str(record.msg)
    unstable = text.startswith(_UNSTABLE) and any(isinstance(it, UnstableOffsetCommitError) for it in record.args or ())
    if unstable or text.startswith(_NO_METADATA):
        record.levelno, record.levelname = logging.DEBUG, logging.getLevelName(logging.DEBUG)
        return logging.getLogger(record.name).isEnabledFor(logging.DEBUG)
    return True


def quiet() -> None:
    """Lower them in this process. Doing it again changes nothing."""
    for name in EVERYDAY:
        logging.getLogger(name).addFilter(_lowered)
