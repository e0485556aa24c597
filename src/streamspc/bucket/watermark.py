"""Watermarks: how far the event time of one source partition has come, record by record, and the text they travel in.

The watermark after a record is the largest event time so far less the allowed disorder; it never goes back. It is NEVER before the
first record, and END once the end of time is promised. Sums that would leave 64 bits stop at NEVER.
"""

from __future__ import annotations

import msgspec
import numpy as np

from streamspc.errors import Fatal
from streamspc.model import NEVER, Bools, Ints

_VERSION = 1


def advance(event_time: Ints, carried: int, disorder_us: int) -> Ints:
    """Watermark after each record [n], from the one before the first record."""
    return np.maximum(_less(np.maximum.accumulate(event_time), disorder_us), carried)


def late(ends: Ints, watermark: Ints, lateness_us: int) -> Bools:
    """Whether each record's window, ending at `ends`, had closed by the watermark: it ends at or before watermark - lateness."""
    closed: Bools = (ends <= _less(watermark, lateness_us)) & (watermark != NEVER)
    return closed


def _less(times: Ints, duration_us: int) -> Ints:
    """Times less a duration that is not negative, at least NEVER."""
    return np.maximum(times, NEVER + duration_us) - duration_us


class _Metadata(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is committed beside an offset."""

    v: int
    stream: str
    config: str
    watermark: int


def encode(stream: str, config: str, watermark: int) -> str:
    """Metadata of a committed offset: JSON, under 200 characters for names of up to 100."""
    return msgspec.json.encode(_Metadata(_VERSION, stream, config, watermark)).decode()


def decode(text: str, stream: str, config: str) -> int:
    """The watermark that was committed with an offset. Raises Fatal, with the cure, where it is not this stream's and configuration's."""
    try:
        version = msgspec.json.decode(text, type=dict[str, object]).get("v")
        if isinstance(version, int) and version > _VERSION:
            raise Fatal(
                f"stream {stream}: the offset was committed by a newer streamspc (format {version}); start that version or a newer one"
            )
        found = msgspec.json.decode(text, type=_Metadata)
    except msgspec.DecodeError:
        raise Fatal(
            f"stream {stream}: the committed offset carries {f'the foreign metadata {text:.60}' if text else 'no metadata'}, so the "
            "watermark is lost: another program committed with this group, or a tool reset it. Stop that program, or choose another "
            "`app` name; to begin again from the first record, delete the offsets of this group for the topic"
        ) from None
    if found.stream != stream:
        raise Fatal(
            f"stream {stream}: the offset was committed for stream {found.stream}; give each stream a group and `app` name of its own"
        )
    if found.config != config:
        raise Fatal(
            f"stream {stream}: the offset was committed under configuration {found.config}, this process has {config}; "
            "start it with the former file, or give the new one an `app` name of its own"
        )
    return found.watermark
