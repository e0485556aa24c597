"""What was read from a file: plain data, the places of its keys and values, and its faults."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

Path = tuple[str | int, ...]


class Substituted(str):
    """Text in which a variable was replaced. It may stand for a number where one is expected; `written` is what the file says."""

    __slots__ = ("written",)
    written: str


class Place(NamedTuple):
    """A line and a column, both from 1."""

    line: int
    column: int


class Problem(NamedTuple):
    """One fault at one place. `path` is empty where the fault is of the whole file."""

    place: Place
    path: Path
    text: str


@dataclass(slots=True)
class Document:
    """The data of a file, the places of its keys and values, and what was wrong with the text itself."""

    file: str
    data: object = None
    values: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def at(self, path: Path) -> object:
        """The value at a path; None where there is none."""
        found = dict(_walk(self.data, path))
        return found.get(path)

    def place(self, path: Path) -> Place:
        """Where a value stands; for one that is missing, the key (or the item) that should hold it."""
        if path in self.values:
            return self.values[path]
        while path:
            path = path[:-1]
            if path in self.keys:
                return self.keys[path]
            if path in self.values:
                return self.values[path]
        return Place(1, 1)

    def name(self, path: Path) -> str:
        """A path for people: items of lists by their name where they have one."""
        text = ""
        for end, part in enumerate(path, start=1):
            if isinstance(part, str):
                text += f".{part}" if text else part
            else:
                named = self.at((*path[:end], "name"))
                text += f"[{named if isinstance(named, str) else part}]"
        return text

    def note(self, path: Path, text: str, place: Place | None = None) -> None:
        """Add a problem of the value at a path, unless its value has one already: the first is the cause."""
        if path and any(problem.path == path for problem in self.problems):
            return
        self.problems.append(Problem(place or self.place(path), path, " ".join(text.split())))

    def put(self, entries: Mapping[str, object]) -> None:
        """Let these stand in place of what the file says under the same keys, and forget what was wrong there."""
        if isinstance(self.data, dict):
            self.data |= entries
            self.problems = [problem for problem in self.problems if not problem.path or problem.path[0] not in entries]

    def lines(self) -> list[str]:
        """The problems as lines for a person, by place."""
        lines = []
        for (line, column), path, text in sorted(self.problems, key=lambda problem: problem.place):
            what = f"{self.name(path)}: {text}" if path else text
            lines.append(f"{self.file}:{line}:{column}: {what}")
        return lines


def texts(document: Document, *pattern: str | int | None) -> Iterable[tuple[Path, str]]:
    """Paths and values of all texts that match a pattern, in which None stands for every item of a list."""
    return ((path, value) for path, value in _walk(document.data, pattern) if isinstance(value, str))


def items(document: Document, *path: str | int) -> Iterator[Path]:
    """Paths of the items of a list; none where there is no list."""
    return (found for found, _ in _walk(document.data, (*path, None)))


def _walk(data: object, pattern: tuple[str | int | None, ...]) -> Iterator[tuple[Path, object]]:
    """Paths and values that match a pattern."""
    found: list[tuple[Path, object]] = [((), data)]
    for part in pattern:
        found = [step for path, value in found for step in _steps(path, value, part)]
    return iter(found)


def _steps(path: Path, value: object, part: str | int | None) -> Iterable[tuple[Path, object]]:
    """What lies one part below a value."""
    if part is None:
        return (((*path, index), item) for index, item in enumerate(value)) if isinstance(value, list) else ()
    if isinstance(value, list) and isinstance(part, int) and part < len(value):
        return (((*path, part), value[part]),)
    if isinstance(value, dict) and part in value:
        return (((*path, part), value[part]),)
    return ()
