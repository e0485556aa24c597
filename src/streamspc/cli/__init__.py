"""The command line.

Each command is a module with `add_arguments(parser)` and `execute(args) -> int`, imported only when it is asked for, so that help is
fast. A ConfigError, Transient or Fatal that leaves `execute` is told in plain words on stderr, never as a traceback; its exit code is
one of `codes.ExitCode`.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple, NoReturn

from streamspc.cli.codes import EPILOG, ExitCode
from streamspc.errors import ConfigError, StreamspcError, Transient


class Command(NamedTuple):
    """A command: its module and its line in the help."""

    module: str
    help: str


COMMANDS = {
    "run": Command("streamspc.cli.run", "run the daemon, all roles or some"),
    "init": Command("streamspc.cli.init", "look at a topic and write a first configuration"),
    "check-config": Command("streamspc.cli.check_config", "say what is wrong with a configuration, or print its JSON Schema"),
    "check": Command("streamspc.cli.check", "chart a file, or a range of a topic, once, as the daemon would: for continuous integration"),
    "baseline": Command("streamspc.cli.baseline", "show what is normal, accept a new level or learn it again, say which charts fit"),
    "arl": Command("streamspc.cli.arl", "print the average run length, a quantile, or the limit of a chart"),
    "design": Command("streamspc.cli.design", "compare charts that give false alarms as rarely as asked"),
    "topics": Command("streamspc.cli.topics", "create the topics of an application, or say what is wrong with them"),
    "gate": Command("streamspc.cli.gate", "let windows pass or keep them back, whatever is judged of them; what the gate waits for"),
    "quarantine": Command("streamspc.cli.quarantine", "list, show, release or discard the records in quarantine"),
    "demo": Command("streamspc.cli.demo", "watch the flights of 2013 on an Apache Kafka of its own"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the result is a value of `ExitCode`."""
    words = sys.argv[1:] if argv is None else list(argv)
    try:
        args = _parse(words)
        return int(args.execute(args))
    except SystemExit as stop:  # argparse has said all there is to say
        return ExitCode.OK if stop.code is None else int(stop.code)
    except KeyboardInterrupt:
        return _fail(ExitCode.INTERRUPTED, "interrupted")
    except ConfigError as error:
        return _fail(ExitCode.USAGE, *error.problems)
    except Transient as error:
        return _fail(ExitCode.UNREACHABLE, f"streamspc: Kafka does not answer: {error}")
    except StreamspcError as error:
        return _fail(ExitCode.FATAL, f"streamspc: {error}")


class _Parser(argparse.ArgumentParser):
    """Help that keeps its lines, and errors with the code of a wrong command line."""

    def __init__(self, prog: str, description: str) -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where the help is."""
        self.exit(ExitCode.USAGE, f"{self.prog}: {message}\nTry: {self.prog} --help\n")


def _parse(words: list[str]) -> argparse.Namespace:
    """The arguments of the command that the first word names, with its `execute`."""
    if words and words[0] in COMMANDS:
        command = COMMANDS[words[0]]
        module = import_module(command.module)
        parser = _Parser(f"streamspc {words[0]}", _sentence(command.help))
        module.add_arguments(parser)
        parser.set_defaults(execute=module.execute)
        return parser.parse_args(words[1:])
    parser = _Parser("streamspc", "Statistical process control for data pipelines on Apache Kafka.\n\ncommands:\n" + _table())
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    parser.add_argument("command", nargs="?", help="one of the commands above; COMMAND --help says more", metavar="COMMAND")
    args, _ = parser.parse_known_args(words)
    if args.version:
        sys.stdout.write(f"streamspc {_version()}\n")
        parser.exit()
    if args.command is None:
        parser.error(f"a command is missing: one of {', '.join(COMMANDS)}")
    near = difflib.get_close_matches(args.command, COMMANDS, n=1)
    cure = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(COMMANDS)}"
    return parser.error(f"unknown command {args.command!r}; {cure}")


def _table() -> str:
    return "\n".join(f"  {name:<14}{command.help}" for name, command in COMMANDS.items())


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _version() -> str:
    from importlib.metadata import version  # noqa: PLC0415  # a third of the time of --help

    return version("streamspc")


def _fail(code: ExitCode, *lines: str) -> int:
    sys.stderr.write("\n".join(lines) + "\n")
    return code
