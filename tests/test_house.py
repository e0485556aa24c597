"""The rules of the house: who may import whom, how long a thing may be, and that every room says what it promises."""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "streamspc"
FILES = sorted(SOURCE.rglob("*.py"))
NAMES = [str(path.relative_to(SOURCE)) for path in FILES]

PURE = {"admit", "bucket", "chart", "decide", "design"}
# What a pure stage may take from the standard library: no clock, no logging, no thread, no socket, no file.
PURE_STDLIB = {
    "__future__", "abc", "base64", "bisect", "collections", "collections.abc", "dataclasses", "datetime", "difflib", "email.utils", "enum",
    "fractions", "functools", "hashlib", "heapq", "importlib.metadata", "importlib.resources", "itertools", "json", "math", "operator",
    "re", "string", "struct", "typing", "zoneinfo",
}  # fmt: skip
PURE_LIBRARIES = {"numpy", "scipy", "msgspec"}
ROOMS = {
    "flow": PURE | {"model", "errors", "commands"},
    "commands": {"chart", "decide", "model"},
    "roles": {"flow", "commands", "kafka_io", "state", "effect", "wire", "model", "errors", "roles", "bucket", "decide"},
    "check": {"flow", "admit", "bucket", "decide", "design", "model", "errors", "check"},
    "serve": {"model", "errors", "serve"},
    "kafka_io": {"model", "errors", "kafka_io"},
    "state": {"flow", "wire", "bucket", "chart", "decide", "model", "errors", "state"},
    "effect": {"model", "errors", "effect"},
    "model": {"model", "errors"},
    "wire": {"model", "errors", "wire"},
    "log": {"model", "errors"},
    "errors": set(),
} | {stage: {"model", "errors", stage} | ({"design"} if stage == "chart" else set()) for stage in PURE}
LONG_FILES: dict[str, str] = {}  # file: why it may be longer than 300 lines
LONG_FUNCTIONS: dict[str, str] = {}  # file:function: why it may be longer than 40 lines
VAGUE = {"utils", "util", "base", "manager", "helpers", "common", "misc"}


@cache
def tree(path: Path) -> ast.Module:
    """The parsed file."""
    return ast.parse(path.read_text())


def imports(path: Path) -> set[str]:
    """Every module that a file imports, also those for types alone."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
            if node.module == "streamspc":
                found |= {f"streamspc.{alias.name}" for alias in node.names}
    return found - {"streamspc"}


def room(path: Path) -> str:
    """The package, or the module, right below the root."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def rooms_imported(path: Path) -> set[str]:
    """Rooms of our own that a file imports."""
    return {name.split(".")[1] for name in imports(path) if name.startswith("streamspc.")}


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_room_imports_only_what_it_may(path):
    """The import rules of the design hold for each file."""
    allowed = ROOMS.get(room(path))
    if allowed is not None:
        assert rooms_imported(path) <= allowed


@pytest.mark.parametrize("path", [p for p in FILES if room(p) in PURE], ids=[n for n in NAMES if n.split("/")[0] in PURE])
def test_a_pure_stage_knows_no_world(path):
    """No clock, logging, thread, socket or file can be reached from a pure stage."""
    foreign = {name for name in imports(path) if not name.startswith("streamspc.")}
    libraries = {name for name in foreign if name.split(".")[0] not in sys.stdlib_module_names}

    assert {name.split(".")[0] for name in libraries} <= PURE_LIBRARIES
    assert foreign - libraries <= PURE_STDLIB
    text = path.read_text()
    assert not re.search(r"\b(datetime\.now|utcnow|date\.today)|(?<![.\w])open\(", text)


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_only_the_root_knows_app_and_cli(path):
    """Nobody imports the composition root or the command line, but the command line itself."""
    if room(path) not in {"cli", "__main__"}:
        assert not rooms_imported(path) & {"app", "cli"}


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_only_kafka_io_imports_a_kafka_library(path):
    """The port is the only door to Kafka."""
    if room(path) != "kafka_io":
        assert not {name for name in imports(path) if name.split(".")[0] in {"kafka", "confluent_kafka"}}


def test_only_build_sees_configuration_and_stages():
    """In settings, `build` alone imports stages; outside, only the root and the commands import settings."""
    for path in FILES:
        if room(path) == "settings" and path.name != "build.py":
            assert not rooms_imported(path) & PURE, path
        if "settings" in rooms_imported(path):
            assert room(path) in {"settings", "cli", "app", "demo"}, path


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_file_is_short_and_says_what_it_is(path):
    """At most 300 lines, and a docstring."""
    assert len(path.read_text().splitlines()) <= 300 or str(path.relative_to(SOURCE)) in LONG_FILES
    assert ast.get_docstring(tree(path))
    assert path.stem not in VAGUE
    assert path.parent.name not in VAGUE


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_function_is_short(path):
    """At most 40 lines, docstring included."""
    long = [
        f"{path.relative_to(SOURCE)}:{node.name}"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno + 1 > 40
    ]

    assert [name for name in long if name not in LONG_FUNCTIONS] == []


def test_the_port_is_small():
    """The port stays under 100 lines."""
    assert len((SOURCE / "kafka_io" / "port.py").read_text().splitlines()) < 100


def test_every_package_states_its_contract():
    """The docstring of each package says what it promises and what was rejected."""
    for package in ("admit", "bucket", "chart", "decide", "effect", "kafka_io", "serve", "settings", "state", "roles", "check"):
        text = ast.get_docstring(tree(SOURCE / package / "__init__.py")) or ""

        assert len(text.splitlines()) >= 5, package
        assert "romise" in text, package
        assert "ejected" in text, package


def test_the_project_speaks_of_itself_alone():
    """No file names a folder of a machine or the host of a package index."""
    places = [
        p
        for d in ("src", "tests", "config", "bench", "deploy", "docs")
        for p in (ROOT / d).rglob("*")
        if p.suffix in {".py", ".yaml", ".md"}
    ]
    for path in [*places, ROOT / "README.md", ROOT / "Makefile", ROOT / "pyproject.toml", ROOT / "constraints.txt"]:
        if path != Path(__file__):
            assert not re.search(r"/(?:work|root|home)/|index-url", path.read_text()), path
