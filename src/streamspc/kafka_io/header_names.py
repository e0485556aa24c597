"""Names of headers as text. Kafka says that they are UTF-8, no broker checks it, and what is not must go on byte for byte."""

from __future__ import annotations

from typing import Self


class Escaped(str):
    """A name that is not UTF-8: a surrogate stands for each byte that is none, and `encode` gives the bytes back."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", _errors: str = "") -> bytes:
        """The bytes that it was made of, whoever asks."""
        return super().encode(encoding, "surrogateescape")


def decoded(name: bytes) -> str:
    """The text of a name."""
    try:
        return name.decode()
    except UnicodeDecodeError:
        return Escaped(name.decode(errors="surrogateescape"))


class Lenient(bytearray):
    """Bytes of records, whose parts the library decodes."""

    def __getitem__(self, at: int | slice) -> Self | int:  # type: ignore[override]  # what bytearray does, in our type
        """A byte, or a part that is lenient too."""
        found = super().__getitem__(at)
        return found if isinstance(found, int) else type(self)(found)

    def decode(self, _encoding: str = "utf-8", _errors: str = "") -> str:
        """The text of a name."""
        return decoded(bytes(self))
