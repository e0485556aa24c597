"""The input: a file or standard input, unpacked where it is gzip."""

from __future__ import annotations

import gzip
import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, cast

from streamspc.errors import ConfigError, StreamspcError

if TYPE_CHECKING:
    from io import BufferedReader

Format = Literal["csv", "jsonl"]
STDIN = "-"
_GZIP = b"\x1f\x8b"
_SUFFIXES: dict[str, Format] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}


class Unreadable(StreamspcError):
    """The data cannot be read, or too much of it. The message says what and where."""


@dataclass(frozen=True, slots=True)
class Input:
    """An open input. `size` is that of the file as it is stored, None where it has none (a pipe)."""

    name: str
    bytes: IO[bytes]  # unpacked
    stored: BufferedReader
    size: int | None

    def position(self) -> int:
        """How much of `size` has been read."""
        return self.stored.tell()

    def close(self) -> None:
        """Close the file; standard input stays open."""
        if self.name != STDIN:
            self.bytes.close()
            self.stored.close()


def chosen_format(name: str, wanted: str | None) -> Format:
    """The format asked for, else that of the file's name; standard input is JSON Lines. Raises ConfigError where nothing tells it."""
    if wanted is not None:
        return cast(Format, wanted)
    if name == STDIN:
        return "jsonl"
    found = _SUFFIXES.get(Path(name.lower().removesuffix(".gz")).suffix)
    if found is None:
        raise ConfigError(f"--input {name}: expected a name that ends in .csv, .jsonl, .ndjson or .json (and .gz); else say --format")
    return found


def open_input(name: str) -> Input:
    """The input of that name. Raises Unreadable."""
    try:
        stored = cast("BufferedReader", sys.stdin.buffer) if name == STDIN else Path(name).open("rb")  # noqa: SIM115 - Input closes it
        head = stored.peek(len(_GZIP))[: len(_GZIP)]
        status = os.fstat(stored.fileno())
    except OSError as error:
        raise Unreadable(f"{name}: cannot be read: {error.strerror}") from None
    if name.lower().endswith(".gz") and head != _GZIP:
        stored.close()
        raise Unreadable(f"{name}: is not gzip, although its name says so; unpack or rename it")
    size = status.st_size if name != STDIN and stat.S_ISREG(status.st_mode) else None
    unpacked = cast(IO[bytes], gzip.GzipFile(fileobj=stored)) if head == _GZIP else stored
    return Input(name, unpacked, stored, size)
