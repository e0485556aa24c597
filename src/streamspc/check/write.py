"""Points to a file, as lines of JSON or as CSV, row by row."""

from __future__ import annotations

import csv
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

import msgspec

from streamspc.check.rows import Row
from streamspc.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Writer(Protocol):
    """Takes rows."""

    def __call__(self, rows: Iterable[Row], /) -> None:
        """Write them."""


@contextmanager
def open_points(path: str | None) -> Iterator[Writer | None]:
    """A writer to a file of that name, .jsonl or .csv; None where no file is wanted. Raises ConfigError where it cannot be."""
    if path is None:
        yield None
        return
    suffix = Path(path).suffix.lower()
    if suffix not in {".jsonl", ".csv"}:
        raise ConfigError(f"--points {path}: expected a name that ends in .jsonl or .csv")
    try:
        file = Path(path).open("w", encoding="utf-8", newline="")  # noqa: SIM115 - it is closed below
    except OSError as error:
        raise ConfigError(f"--points {path}: cannot be written: {error.strerror}") from None
    with file:
        if suffix == ".jsonl":
            yield partial(_lines, file)
        else:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(Row.__struct_fields__)
            yield lambda rows: table.writerows(map(_cells, rows))


def _lines(file: IO[str], rows: Iterable[Row]) -> None:
    file.write(msgspec.json.Encoder().encode_lines(list(rows)).decode())


def _cells(row: Row) -> list[object]:
    """Cells of a row: nothing for None, true and false as JSON has them, rules joined by `|`, and so are names with their numbers."""
    return [_cell(value) for value in msgspec.structs.astuple(row)]


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "|".join(f"{name}={number}" for name, number in value.items())
    return "|".join(map(str, value)) if isinstance(value, list) else value
