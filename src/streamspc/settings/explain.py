"""Pydantic's errors as problems of a document: the place, the fault in a sentence, and the key or value that may have been meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from streamspc.settings.document import Document, Path, Substituted
from streamspc.settings.part import Part

_EXPECTED = {
    "bool_type": "true or false",
    "dict_type": "keys and values",
    "float_type": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "list_type": "a list",
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
    "string_type": "a text",
    "tuple_type": "a list",
}
_PATTERNS = {
    "name": "letters, digits, _ and -, at most 64",
    "topic": "letters, digits, ., _ and -, at most 249",
    "bootstrap_servers": "host:port, several with commas between",
    "listen": "address:port",
    "external_url": "an address that begins with https:// or http://",
    "dashboard": "an address that begins with https:// or http://",
    "runbook": "an address that begins with https:// or http://",
    "timezone": "a zone such as America/New_York",
    "field": "a field, with dots into nested ones",
}


def meant(word: str, known: Iterable[str]) -> str:
    """What to say of a word that is not known: the nearest one, or all of them."""
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"expected one of {', '.join(known)}" if known else "there are none"


def note(document: Document, error: ValidationError, root: type[Part]) -> None:
    """Add the errors of a validation to the document's problems."""
    for detail in error.errors(include_url=False):
        location = detail["loc"]
        path = _path(document, location)
        context: Mapping[str, Any] = detail.get("ctx", {})
        match detail["type"]:
            case "fault":
                document.note(path, detail["msg"])
            case "extra_forbidden":
                known = keys(root, location[:-1])
                document.note(path, f"unknown key; {meant(str(path[-1]), known)}", document.keys.get(path))
            case "missing":
                document.note(path, "missing")
            case "union_tag_not_found":
                document.note((*path, "kind"), "missing")
            case "union_tag_invalid":
                expected = context["expected_tags"].replace("'", "").split(", ")
                document.note((*path, "kind"), f"unknown {context['tag']!r}; {meant(context['tag'], expected)}")
            case "literal_error" | "enum":
                expected = context["expected"].replace("'", "").replace(" or ", ", ").split(", ")
                value = document.at(path)
                document.note(path, f"unknown {_shown(value)}; {meant(str(value), expected)}")
            case "string_pattern_mismatch":
                key = next((part for part in reversed(path) if isinstance(part, str)), "")
                wanted = _PATTERNS.get(key, _PATTERNS["name"] if key == "metric" else f"text like {context['pattern']}")
                document.note(path, f"expected {wanted}, got {_shown(document.at(path))}")
            case kind if kind in _EXPECTED:
                document.note(path, f"expected {_EXPECTED[kind]}, got {_shown(document.at(path))}")
            case _:
                document.note(path, f"{detail['msg'].replace('Input should', 'has to')}, got {_shown(document.at(path))}")


def keys(root: type[Part], location: Path) -> set[str]:
    """Keys that the part at a location of an error knows."""
    parts: list[type[BaseModel]] = [root]
    for step in location:
        if isinstance(step, int):
            continue
        below = [inner for part in parts for name, inner in _inner(part) if name == step]
        parts = below or [
            part for part in parts if "kind" not in part.model_fields or step in get_args(part.model_fields["kind"].annotation)
        ]
    return {field.alias or name for part in parts for name, field in part.model_fields.items()}


def _inner(part: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """Keys of a part that hold parts, with what they hold."""
    for name, field in part.model_fields.items():
        pending = [field.annotation]
        while pending:
            annotation = pending.pop()
            if isinstance(annotation, type) and issubclass(annotation, BaseModel):
                yield field.alias or name, annotation
            pending.extend(get_args(annotation))


def _path(document: Document, location: Path) -> Path:
    """The location of an error without the names of union members, which are not in the file."""
    path: Path = ()
    for index, step in enumerate(location):
        value = document.at(path)
        last = index == len(location) - 1
        tag = isinstance(value, dict) and value.get("kind") == step and not last
        if isinstance(value, list) or (isinstance(value, dict) and not tag and (last or step in value)):
            path = (*path, step)
    return path


def _shown(value: object) -> str:
    """A value as the file has it, not what the environment made of it."""
    if isinstance(value, Substituted):
        return repr(value.written)
    if isinstance(value, dict | list):
        return "keys and values" if isinstance(value, dict) else "a list"
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
