"""ISO 8601 texts to microseconds: the common shapes as arrays, the others one by one, with the same results.

Read are a calendar date, `T` or a blank, the time of day, and a zone: `2013-02-08T05:15:00Z`, `2013-02-08 05:15:00.123456-05:00`.
The basic form without hyphens and colons, and times without minutes or seconds, are read too. Digits beyond microseconds are cut.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from streamspc.model import Bools, Ints

_Text = npt.NDArray[np.int16]  # [length, n] characters of n texts of one length

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SHAPE = re.compile(
    r"\d{4}-?\d\d-?\d\d[T ](?:[01]\d|2[0-3])(?::?\d\d(?::?\d\d(?:[.,]\d+)?)?)?(?:Z|[+-]\d\d(?::?\d\d(?::?\d\d)?)?)", re.ASCII
)  # what every Python since 3.11 reads alike; hour 24 for one it does not
_LENGTHS = range(20, 36)  # seconds and Z, to nanoseconds and an offset
_DIGITS = (0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18)  # columns of YYYY-MM-DD?HH:MM:SS


def parse(texts: list[str]) -> tuple[Ints, Bools]:
    """Microseconds since the epoch of each text, and whether it could be read (0 where not)."""
    times = np.zeros(len(texts), dtype=np.int64)
    read = np.zeros(len(texts), dtype=bool)
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    for length in np.flatnonzero(np.bincount(lengths[lengths < _LENGTHS.stop])):
        if length in _LENGTHS:
            rows = np.flatnonzero(lengths == length)
            matrix = _matrix(texts if len(rows) == len(texts) else [texts[row] for row in rows], int(length))
            zulu = matrix[-1] == ord("Z")
            for zone, chosen in ((1, zulu), (6, ~zulu & (length >= 25))):
                if chosen.any():
                    times[rows[chosen]], read[rows[chosen]] = _columns(matrix[:, chosen], zone)
    for row in np.flatnonzero(~read):
        times[row], read[row] = _one(texts[row])
    return times, read


def _matrix(texts: list[str], length: int) -> _Text:
    """Characters of texts of one length; `?` for those beyond ASCII."""
    characters = np.frombuffer("".join(texts).encode("ascii", "replace"), dtype=np.uint8)
    return np.ascontiguousarray(characters.reshape(-1, length).T).astype(np.int16)


def _columns(text: _Text, zone: int) -> tuple[Ints, Bools]:
    """Times of columns of characters that all end in a zone of that many characters, and whether they have the shape."""
    length = len(text)
    digit = text - ord("0")
    fraction = range(20, length - zone)
    numeric = [*_DIGITS, *fraction] + ([length - 5, length - 4, length - 2, length - 1] if zone == 6 else [])
    ok = ((digit[numeric] >= 0) & (digit[numeric] <= 9)).all(axis=0)
    ok &= (text[4] == ord("-")) & (text[7] == ord("-")) & ((text[10] == ord("T")) | (text[10] == ord(" ")))
    ok &= (text[13] == ord(":")) & (text[16] == ord(":"))
    if length - zone > 19:
        ok &= (text[19] == ord(".")) & (len(fraction) > 0)
    year, month, day = 100 * _pair(digit, 0) + _pair(digit, 2), _pair(digit, 5), _pair(digit, 8)
    hour, minute, second = _pair(digit, 11), _pair(digit, 14), _pair(digit, 17)
    ok &= (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1) & (hour < 24) & (minute < 60) & (second < 60)
    months = (12 * (year - 1970) + month - 1).astype("M8[M]")
    first = months.astype("M8[D]").astype(np.int64)
    ok &= day <= (months + 1).astype("M8[D]").astype(np.int64) - first
    micros = np.zeros(text.shape[1], dtype=np.int64)
    for place, column in enumerate(fraction[:6]):
        micros += digit[column].astype(np.int64) * 10 ** (5 - place)
    seconds = 86_400 * (first + day - 1) + 3_600 * hour + 60 * minute + second
    if zone == 6:
        offset_hour, offset_minute = _pair(digit, length - 5), _pair(digit, length - 2)
        sign = text[length - 6]
        ok &= (text[length - 3] == ord(":")) & ((sign == ord("+")) | (sign == ord("-"))) & (offset_hour < 24) & (offset_minute < 60)
        seconds -= np.where(sign == ord("-"), -1, 1) * (3_600 * offset_hour + 60 * offset_minute)
    return np.where(ok, 1_000_000 * seconds + micros, 0), ok


def _pair(digit: _Text, column: int) -> Ints:
    value: Ints = digit[column].astype(np.int64) * 10 + digit[column + 1]
    return value


def _one(text: str) -> tuple[int, bool]:
    if _SHAPE.fullmatch(text) is None:
        return 0, False
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return 0, False
    return (moment - _EPOCH) // _MICROSECOND, True
