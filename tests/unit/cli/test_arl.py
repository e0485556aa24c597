"""`streamspc arl`."""

from __future__ import annotations

import inspect
import json

import pytest

from streamspc import design
from streamspc.cli import main
from streamspc.cli.arl import charts
from streamspc.cli.codes import ExitCode


def said(capsys, *words):
    """What a command line that is right prints."""
    assert main(["arl", *words]) == ExitCode.OK
    out, err = capsys.readouterr()
    assert err == ""
    return out


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("cusum --k .5 --h 5 --shift 1", 10.37596992),
        ("cusum --k .5 --h 5 --shift -1", 10.37596992),
        ("CUSUM --k .5 --h 5 --shift 1", 10.37596992),
        ("poisson-cusum --mean 2 --k 2.5 --h 5", 61.53510088),
        ("poisson-cusum --mean 2 --k 2.5 --h 5 --signal >", 79.76079237),
        ("shewhart", 370.3983473),
        ("shewhart --rules 1234", 91.75077313),
        ("shewhart --rules 1,2 --scheme nelson --run 9", 216.6955438),
        ("shewhart --distribution normal", 370.3983473),
        ("shewhart --distribution t:4", 75.55381191),
        ("imr --M 3 --R none", 370.3983473),
        ("c --mean 32 --lower 4 --upper 28", 1.377643104),
        ("shewhart-quantile --alpha .5", 257),
    ],
)
def test_a_number(line, value, capsys):
    """Ten digits, and nothing else."""
    assert float(said(capsys, *line.split())) == pytest.approx(value, rel=1e-8)


def test_several_numbers(capsys):
    """One a line."""
    assert said(capsys, "c-limit", "--mean", "16", "--arl0", "370.4") == "5\n28\n"
    assert said(capsys, "self-starting", "--x", "1,2,4").splitlines()[:2] == ["nan", "nan"]


def test_the_limits_of_a_set_have_names(capsys):
    """A part a line; sequences with commas, what is not there as none."""
    out = said(capsys, "bank-limits", "--arl0", "370.398347", "--cusum", "none")
    assert out == "shewhart 3\ncusum none\newma none\narl0 370.398347\nexact yes\nfactor 1\nzones 1\n"
    answer = json.loads(said(capsys, "bank-limits", "--arl0", "1e4", "--cusum", "0.5,1", "--shewhart", "no", "--json"))
    assert answer["value"]["shewhart"] is None
    assert answer["value"]["exact"] is False
    assert len(answer["value"]["cusum"]) == 2
    assert said(capsys, "bank-limits", "--arl0", "500", "--rules", "we2,we3", "--cusum", "none").endswith("zones 1.172264745\n")


@pytest.mark.parametrize("words", [["--json", "c"], ["c", "--json"]])
def test_json(words, capsys):
    """With the function and all arguments, defaults too."""
    answer = json.loads(said(capsys, *words, "--mean", "0.5", "--lower", "0", "--upper", "3"))

    assert answer["value"] == pytest.approx(570.899, abs=0.001)
    del answer["value"]
    assert answer == {"chart": "c", "function": "streamspc.design.c_chart_arl", "arguments": {"mean": 0.5, "lower": 0.0, "upper": 3.0}}


def test_json_has_null_for_what_is_no_finite_number(capsys):
    """JSON knows neither infinity nor nan."""
    assert json.loads(said(capsys, "c", "--mean", "0", "--lower", "0", "--upper", "3", "--json"))["value"] is None
    assert json.loads(said(capsys, "self-starting", "--x", "1,2,4", "--json"))["value"][0] is None


def test_every_function_of_the_engine_is_a_chart():
    """None is forgotten, and no two share a name."""
    functions = [name for name in design.__all__ if not isinstance(getattr(design, name), type)]
    assert sorted(function.__name__ for function in charts().values()) == sorted(functions)


@pytest.mark.parametrize("chart", sorted(charts()))
def test_every_chart_says_what_it_takes(chart, capsys):
    """The docstring without examples, and each parameter."""
    out = said(capsys, chart, "--help")
    function = charts()[chart]

    assert str(inspect.getdoc(function)).splitlines()[0] in out
    assert ">>>" not in out
    for name in inspect.signature(function).parameters:
        assert "--" + name.replace("_", "-") + " " in out


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("cusm", "there is no chart 'cusm'; did you mean cusum"),
        ("zzzzzz", "there is no chart 'zzzzzz'; streamspc arl --help lists them"),
        ("", "the following arguments are required: CHART"),
        ("cusum --h 5", "the following arguments are required: --k"),
        ("cusum --k x --h 5", "argument --k: 'x' is no number"),
        ("cusum --k .5 --h 5 --n 3", "unrecognized arguments: --n 3"),
        ("cusum --k .5 --h -5", "streamspc arl cusum: h is -5: it must not be negative"),
        ("p --n 2.5 --p .1 --lower 0 --upper 1", "argument --n: '2.5' is no whole number"),
        ("poisson-cusum --mean 2 --k 2.5 --h 5 --sided both", "sided is 'both': it must be one of 'upper', 'lower', 'two'"),
        ("bank-limits --arl0 500 --rules we4", "rule we4 alone signals once in 255 points"),
        ("bank-limits --arl0 500 --shewhart maybe", "argument --shewhart: 'maybe' is neither yes nor no"),
        ("shewhart --distribution t", "distribution is 't': t takes df"),
        ("shewhart --distribution t:-1", "distribution is 't:-1': t takes df"),
        ("shewhart --distribution t:x", "'x' is no number"),
        ("shewhart --distribution poisson:3", "distribution is 'poisson:3': it must be normal, or a continuous law"),
    ],
)
def test_what_is_wrong_is_said(line, problem, capsys):
    """On stderr, without a traceback."""
    assert main(["arl", *line.split()]) == ExitCode.USAGE
    out, err = capsys.readouterr()

    assert out == ""
    assert problem in err
    assert "Traceback" not in err
