"""`streamspc arl`: average run lengths, quantiles and limits of single charts, from the functions of `streamspc.design`.

Each function is a chart of the command: `cusum_arl` is `cusum`, `c_chart_limit` is `c-limit`, `self_starting` is `self-starting`. Its
arguments, their kinds and defaults are those of its signature, and its help is its docstring, so the two cannot drift apart.
"""

from __future__ import annotations

import argparse
import difflib
import inspect
import json
import math
import sys
from collections.abc import Callable
from typing import Any

from streamspc.cli.codes import ExitCode
from streamspc.errors import ConfigError

EPILOG = """exit codes:
  0  done
  2  the command line is wrong, or no chart can have such arguments"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A chart, and then whatever that chart takes."""
    parser.usage = "%(prog)s [-h] [--json] CHART [--ARGUMENT VALUE ...]"
    more = "streamspc arl CHART --help says what a chart takes, and its conventions."
    parser.description = f"{parser.description}\n\ncharts:\n{_table()}\n\n{more}"
    parser.epilog = EPILOG
    parser.add_argument("--json", action="store_true", help="answer in JSON; null is an infinite average run length")
    parser.add_argument("chart", metavar="CHART", help="one of the charts above")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="ARGUMENTS", help="of the chart, such as --k .5 --h 5")
    parser.set_defaults(kind=type(parser))


def execute(args: argparse.Namespace) -> int:
    """Print one number, or what the function gives."""
    functions = charts()
    args.chart = args.chart.lower()
    if args.chart not in functions:
        near = difflib.get_close_matches(args.chart, functions, n=3)
        cure = f"did you mean {' or '.join(near)}?" if near else "streamspc arl --help lists them"
        raise ConfigError(f"streamspc arl: there is no chart {args.chart!r}; {cure}")
    function = functions[args.chart]
    given = vars(_parser(args.kind, args.chart, function).parse_args(args.words))
    as_json = given.pop("json") or args.json
    try:
        value = function(**_meant(given))
    except (ValueError, argparse.ArgumentTypeError) as error:
        raise ConfigError(f"streamspc arl {args.chart}: {error}") from None
    if as_json:
        answer = {"chart": args.chart, "function": f"streamspc.design.{function.__name__}", "arguments": given, "value": _plain(value)}
        sys.stdout.write(json.dumps(answer, indent=2) + "\n")
    else:
        sys.stdout.write("\n".join(_lines(value)) + "\n")
    return ExitCode.OK


def charts() -> dict[str, Callable[..., Any]]:
    """Every function of the engine by the name of its chart."""
    from streamspc import design  # noqa: PLC0415  # --help of other commands needs no engine

    return {chart_name(name): getattr(design, name) for name in design.__all__ if not isinstance(getattr(design, name), type)}


def chart_name(function: str) -> str:
    """The word for a function.

    >>> [chart_name(name) for name in ("cusum_arl", "c_chart_limit", "shewhart_quantile", "self_starting")]
    ['cusum', 'c-limit', 'shewhart-quantile', 'self-starting']
    """
    return function.removesuffix("_arl").replace("_chart", "").replace("_", "-")


def _table() -> str:
    functions = charts()
    width = max(map(len, functions)) + 2
    return "\n".join(f"  {name:<{width}}{_takes(functions[name])}" for name in sorted(functions))


def _takes(function: Callable[..., Any]) -> str:
    """The arguments in a line, those with a default in brackets."""
    parameters = inspect.signature(function).parameters.values()
    return " ".join(_option(p.name) if p.default is p.empty else f"[{_option(p.name)}]" for p in parameters)


def _option(argument: str) -> str:
    return "--" + argument.replace("_", "-")


def _parser(kind: type[argparse.ArgumentParser], chart: str, function: Callable[..., Any]) -> argparse.ArgumentParser:
    """The arguments of one chart, from the signature of its function."""
    parser = kind(f"streamspc arl {chart}", _conventions(function))
    parser.epilog = EPILOG
    for parameter in inspect.signature(function).parameters.values():
        convert, what = _KINDS.get(str(parameter.annotation), (str, "a word"))
        needed = parameter.default is parameter.empty
        parser.add_argument(
            _option(parameter.name),
            required=needed,
            default=None if needed else parameter.default,
            type=convert,
            metavar=parameter.name.upper(),
            help=what if needed else f"{what} (default: {_shown(parameter.default)})",
        )
    parser.add_argument("--json", action="store_true", help="answer in JSON")
    return parser


def _conventions(function: Callable[..., Any]) -> str:
    """The docstring without its examples."""
    paragraphs = (inspect.getdoc(function) or "").split("\n\n")
    return "\n\n".join(paragraph for paragraph in paragraphs if not paragraph.startswith(">>>"))


def _meant(given: dict[str, Any]) -> dict[str, Any]:
    """The arguments as the function takes them: rules of Nelson's scheme as numbers, a distribution as scipy's."""
    meant = dict(given)
    if isinstance(given.get("rules"), str):
        rules = given["rules"].replace(",", "")
        meant["rules"] = tuple(int(rule) for rule in rules) if given.get("scheme") == "nelson" and rules.isdigit() else rules
    if isinstance(given.get("distribution"), str):
        meant["distribution"] = _distribution(given["distribution"])
    return meant


def _distribution(text: str) -> Any:
    """`t:4` is Student's law with 4 degrees of freedom: a law of scipy.stats with its shapes."""
    from scipy import stats  # noqa: PLC0415  # the engine has loaded it

    name, _, shapes = text.partition(":")
    if name == "normal":
        return None
    law = getattr(stats, name, None)
    if not isinstance(law, stats.rv_continuous):
        raise ValueError(  # noqa: TRY004  # the text is wrong, not its type
            f"distribution is {text!r}: it must be normal, or a continuous law of scipy.stats such as t:4 or gamma:0.5"
        )
    numbers = _numbers(shapes) if shapes else []
    if len(numbers) != law.numargs or not law._argcheck(*numbers):  # noqa: SLF001  # freezing accepts any shapes
        raise ValueError(f"distribution is {text!r}: {name} takes {law.shapes or 'no shapes'}")
    return law(*numbers)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None


def _numbers(text: str) -> list[float]:
    return [_number(part) for part in text.split(",")]


def _numbers_or_none(text: str) -> list[float]:
    return [] if text == "none" else _numbers(text)


def _words(text: str) -> list[str]:
    return [] if text == "none" else text.split(",")


def _yes_or_no(text: str) -> bool:
    if text not in {"yes", "no"}:
        raise argparse.ArgumentTypeError(f"{text!r} is neither yes nor no")
    return text == "yes"


def _whole(text: str) -> int:
    number = _number(text)
    if not number.is_integer():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number")
    return int(number)


def _number_or_none(text: str) -> float | None:
    return None if text == "none" else _number(text)


def _shown(default: Any) -> str:
    if isinstance(default, tuple):
        return ",".join(map(str, default)) or "none"
    if isinstance(default, bool):
        return "yes" if default else "no"
    return "normal" if default is None else str(default)


def _lines(value: Any) -> list[str]:
    """A result in lines: each number, or each named part."""
    if hasattr(value, "_asdict"):
        return [f"{name} {_part(part)}" for name, part in value._asdict().items()]
    return [f"{number:.10g}" for number in (value if hasattr(value, "__iter__") else [value])]


def _part(part: Any) -> str:
    if isinstance(part, bool):
        return "yes" if part else "no"
    if part is None or part == ():
        return "none"
    return ", ".join(f"{number:.10g}" for number in (part if hasattr(part, "__iter__") else [part]))


def _plain(value: Any) -> Any:
    """A result as JSON has it: what is no finite number is null."""
    if hasattr(value, "_asdict"):
        return {name: _plain(part) for name, part in value._asdict().items()}
    if value is None or isinstance(value, bool):
        return value
    if hasattr(value, "__iter__"):
        return [_plain(each) for each in value]
    return float(value) if math.isfinite(value) else None


_KINDS: dict[str, tuple[Callable[[str], Any], str]] = {
    "float": (_number, "a number"),
    "int": (_whole, "a whole number"),
    "bool": (_yes_or_no, "yes or no"),
    "Sequence[float]": (_numbers_or_none, "numbers with commas between, or none"),
    "Iterable[str]": (_words, "names with commas between, or none"),
    "float | None": (_number_or_none, "a number, or none"),
    "str | Sequence[int]": (str, "numbers of rules, such as 124 or 1,2,4"),
    "ArrayLike": (_numbers, "numbers with commas between"),
    "Any": (str, "normal, or a continuous law of scipy.stats such as t:4 or gamma:0.5"),
}
