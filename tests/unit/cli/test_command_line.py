"""The frame of the command line: help, errors, exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from streamspc import cli
from streamspc.cli import COMMANDS, main
from streamspc.cli.codes import EPILOG, ExitCode
from streamspc.errors import ConfigError, Fatal, Fenced, StreamspcError, Transient

NAMES = ", ".join(COMMANDS)
GOLDEN = Path(__file__).parents[2] / "golden" / "cli.txt"


@pytest.fixture
def raising(monkeypatch):
    """Makes the command `run` raise."""

    class Module:
        """A command that fails."""

        error: BaseException

        @staticmethod
        def add_arguments(parser):
            """None."""

        @classmethod
        def execute(cls, args):
            """Fail."""
            raise cls.error

    def make(error: BaseException) -> None:
        Module.error = error
        monkeypatch.setattr(cli, "import_module", lambda name: Module)

    return make


def test_the_help_of_every_command_is_as_published(monkeypatch, capsys):
    """The diff of tests/golden/cli.txt is the change that users see; `UPDATE_GOLDENS=1` writes it anew."""
    monkeypatch.setenv("COLUMNS", "120")
    shown = []
    for words in (["--help"], *([name, "--help"] for name in COMMANDS)):
        assert main(words) == ExitCode.OK
        shown.append(f"$ streamspc {' '.join(words)}\n{capsys.readouterr().out}")
    text = "\n".join(shown)
    if os.environ.get("UPDATE_GOLDENS"):
        GOLDEN.write_text(text)

    assert text == GOLDEN.read_text()


def test_help_and_version_are_fast():
    """No command, and nothing that is slow to import, is loaded for them."""
    slow = {"numpy", "yaml", "pydantic", "kafka", "structlog"}
    code = f"import sys; from streamspc.cli import main; main([sys.argv[1]]); print(*sorted({slow} & set(sys.modules)))"
    for word in ("--help", "--version"):
        began = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", code, word], capture_output=True, text=True, check=True)

        assert done.stdout.splitlines()[-1] == ""
        assert time.perf_counter() - began < 3  # 0.1 s where nothing else runs


def test_the_version_is_that_of_the_package(capsys):
    """One line, for bug reports."""
    assert main(["--version"]) == ExitCode.OK
    assert capsys.readouterr().out.startswith("streamspc 0.")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], f"streamspc: a command is missing: one of {NAMES}\nTry: streamspc --help\n"),
        (["rnu"], "streamspc: unknown command 'rnu'; did you mean 'run'?\nTry: streamspc --help\n"),
        (
            ["xyz"],
            f"streamspc: unknown command 'xyz'; expected one of {NAMES}\nTry: streamspc --help\n",
        ),
        (
            ["--nothing"],
            f"streamspc: a command is missing: one of {NAMES}\nTry: streamspc --help\n",
        ),
        (
            ["topics", "make", "x"],
            "streamspc topics: argument action: invalid choice: 'make' (choose from 'create', 'check')\nTry: streamspc topics --help\n",
        ),
        (["check-config"], "streamspc check-config: one of the arguments FILE --schema is required\nTry: streamspc check-config --help\n"),
    ],
)
def test_a_wrong_command_line_is_told_in_two_lines(words, message, capsys):
    """What is wrong, and where the help is; exit code 2."""
    assert main(words) == ExitCode.USAGE
    assert capsys.readouterr() == ("", message)


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ConfigError("x.yaml:1:2: a", "x.yaml:3:4: b"), ExitCode.USAGE, "x.yaml:1:2: a\nx.yaml:3:4: b\n"),
        (Transient("no route"), ExitCode.UNREACHABLE, "streamspc: Kafka does not answer: no route\n"),
        (Fenced("gone"), ExitCode.UNREACHABLE, "streamspc: Kafka does not answer: gone\n"),
        (Fatal("no right; grant it"), ExitCode.FATAL, "streamspc: no right; grant it\n"),
        (StreamspcError("odd"), ExitCode.FATAL, "streamspc: odd\n"),
    ],
)
def test_errors_on_purpose_are_words_and_codes(raising, capsys, error, code, message):
    """Never a traceback."""
    raising(error)

    assert main(["run"]) == code
    assert capsys.readouterr() == ("", message)


def test_an_error_that_nobody_foresaw_keeps_its_traceback(raising):
    """A bug is not dressed as a fault of the user."""
    raising(ZeroDivisionError())

    with pytest.raises(ZeroDivisionError):
        main(["run"])


def test_every_exit_code_is_explained():
    """In the end of each help."""
    assert [line.split()[0] for line in EPILOG.splitlines()[1:]] == [str(int(code)) for code in ExitCode]
