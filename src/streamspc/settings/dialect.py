"""The dialect: YAML text to a document.

It is YAML 1.2's core: null, true/false, integers, decimals, text, lists and mappings with text keys; one document; no aliases, no tags.
`${NAME}` and `${NAME:-default}` in values come from the environment, `$${` stands for `${`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from streamspc.settings.document import Document, Path, Place, Substituted

MAX_DEPTH = 20
_VARIABLE = re.compile(r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<default>:-(?P<text>[^}]*))?\}|\$\{")
_PREFIX = "tag:yaml.org,2002:"


def parse(text: str, file: str, environment: Mapping[str, str]) -> Document:
    """The document of a YAML text. Never raises: faults of the text are in `problems`."""
    document = Document(file)
    try:
        root = _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
        cure = "; a variable inside of { } or [ ] needs quotes around it" if "'{'" in str(error.problem) and "${" in text else ""
        document.note((), f"not YAML: {error.problem or error.context}{cure}", place)
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = Place(before.count("\n") + 1, error.position - before.rfind("\n"))
        document.note((), f"not YAML: the character U+{int(error.character):04X} is not allowed", place)
    else:
        document.data = None if root is None else _Reader(document, environment).read(root, ())
        if document.data is None:
            document.note((), "the file is empty")
    return document


class _Loader(yaml.SafeLoader):
    """Text to nodes, with the scalars of YAML 1.2 and without aliases and tags."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse what can blow up or run before anything is built of it."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]  # the types of PyYAML leave it out
        fault = ""
        if self.check_event(yaml.AliasEvent):
            fault = "aliases (*name) are not allowed; write the value again"
        elif event.tag is not None:
            fault = f"tags ({event.tag}) are not allowed; write the plain value"
        elif self.depth > MAX_DEPTH:
            fault = f"nested more than {MAX_DEPTH} deep"
        if fault:
            raise yaml.MarkedYAMLError(problem=fault, problem_mark=event.start_mark)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


_SCALARS: tuple[tuple[str, str, str], ...] = (
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
)
_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in _SCALARS:
    _initials = ["" if letter == "\0" else letter for letter in _first]
    _Loader.add_implicit_resolver(_PREFIX + _tag, re.compile(rf"^(?:{_pattern})$"), _initials)


def scalar(text: str) -> str | float | bool | None:
    """What a plain YAML scalar means."""
    for tag, pattern, _ in _SCALARS:
        if re.fullmatch(pattern, text):
            return _typed(tag, text)
    return text


def _typed(tag: str, text: str) -> str | float | bool | None:
    """The value of a scalar whose text fits its tag."""
    match tag:
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            return int(text) if len(text) <= 4_000 else text  # CPython refuses longer ones
        case "float":
            return float(text)
    return text


class _Reader:
    """Nodes to data. Faults are noted in the document, and reading goes on."""

    def __init__(self, document: Document, environment: Mapping[str, str]) -> None:
        self._document = document
        self._environment = environment

    def read(self, node: yaml.Node, path: Path) -> object:
        """The value of a node; its place is kept."""
        self._document.values[path] = _place(node)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, object]:
        """Keys to values; the first of two equal keys counts, so that later checks have something to look at."""
        found: dict[str, object] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag != _PREFIX + "str":
                self._document.note(path, "a key has to be text; put it in quotes", _place(key))
                continue
            here = (*path, key.value)
            if key.value in found:
                first = self._document.keys[here].line
                self._document.note(here, f"duplicate key; it is already on line {first}", _place(key))
                continue
            self._document.keys[here] = _place(key)
            found[key.value] = self.read(value, here)
        return found

    def _scalar(self, node: yaml.Node, path: Path) -> object:
        """A scalar with its variables replaced."""
        if "${" not in node.value:
            return _typed(node.tag.removeprefix(_PREFIX), node.value)
        faults: list[str] = []
        text = _VARIABLE.sub(lambda match: self._variable(match, faults), node.value)
        for fault in faults:
            self._document.note(path, fault)
        result = Substituted(text)
        result.written = node.value
        return result

    def _variable(self, match: re.Match[str], faults: list[str]) -> str:
        """The replacement of one variable; as the shell has it, an empty one takes the default."""
        name = match["name"]
        if match[0] == "$${":
            return "${"
        if name is None:
            faults.append("write ${NAME} or ${NAME:-default}, or $${ for the two characters")
            return ""
        value = self._environment.get(name, "")
        if value or (name in self._environment and match["default"] is None):
            return value
        if match["default"] is None:
            faults.append(f"the environment variable {name} is not set; set it, or write ${{{name}:-default}}")
        return match["text"] or ""


def _place(node: yaml.Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)
