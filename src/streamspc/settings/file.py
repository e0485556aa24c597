"""A file to a document, and a document to settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from streamspc.errors import ConfigError
from streamspc.settings import explain, references
from streamspc.settings.dialect import parse
from streamspc.settings.document import Document
from streamspc.settings.schema import Settings

MAX_BYTES = 1_048_576


def read(path: Path, environment: Mapping[str, str]) -> Document:
    """The document in a file. Raises ConfigError where there is no text of at most `MAX_BYTES` to look at."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        text = content.decode()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        raise ConfigError(f"{path}:{line}:{column}: not UTF-8") from None
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_BYTES} bytes")
    return parse(text, str(path), environment)


def validate(document: Document, folder: Path) -> Settings | None:
    """The settings in a document, or None and problems in the document. Files are looked for in `folder`."""
    if document.data is None:
        return None
    settings = None
    try:
        settings = Settings.model_validate(document.data, context={"folder": folder})
    except ValidationError as error:
        explain.note(document, error, Settings)
    references.check(document)
    return None if document.problems else settings
