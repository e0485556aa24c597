"""`streamspc design`."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest

from streamspc.cli import main
from streamspc.cli.candidates import candidates
from streamspc.cli.codes import ExitCode
from streamspc.cli.delays import Charts, delay
from streamspc.design import BankLimits, bank_limits, confirmed_arl, cusum_arl, cusum_limit, shewhart_ewma_arl

TASK = ["design", "--false-alarms", "1 per 30d", "--every", "1h", "--detect", "1sigma"]  # ARL0 720
ALONE = ["Shewhart", "confirmed Shewhart", "CUSUM", "EWMA 0.02", "EWMA 0.05", "EWMA 0.1", "EWMA 0.2", "EWMA 0.4"]
PAIRS = ["Shewhart + CUSUM", "Shewhart + EWMA 0.1"]
TABULATED = ["confirmed Shewhart + CUSUM", "Shewhart + CUSUM + EWMA 0.1"]
CHARTS = [*ALONE, *PAIRS, *TABULATED]


def answered(capsys, *words):
    """The JSON of a command line that is right."""
    assert main([*words, "--json"]) == ExitCode.OK
    out, err = capsys.readouterr()
    assert err == ""
    return json.loads(out)


def test_a_table_of_charts(capsys):
    """All with the same ARL0, each with its limits and delays."""
    assert main(TASK) == ExitCode.OK
    lines = capsys.readouterr().out.splitlines()

    assert lines[0] == "false alarms: 1 per 30d, 1 chart with a point every 1h: ARL0 of each 720 points"
    assert lines[1] == "shift to detect: 1 sigma"
    assert lines[3].split("  ")[0] == "chart"
    assert [line.split("  ")[0] for line in lines[4 : 4 + len(CHARTS)]] == CHARTS
    assert lines[-1].startswith("soonest in steady state: EWMA") or lines[-1] == "soonest in steady state: CUSUM"


def test_the_numbers_are_the_engine_s(capsys):
    """Points, and hours of an hour each."""
    answer = answered(capsys, *TASK)
    rows = {row["chart"]: row for row in answer["charts"]}
    h = cusum_limit(0.5, 720.0)

    assert answer["arl0"] == 720.0
    assert list(rows) == CHARTS
    assert all(row["arl0"] == pytest.approx(720.0, rel=1e-6) for row in rows.values())
    assert rows["CUSUM"]["limits"] == {"k": 0.5, "h": pytest.approx(h)}
    delay = pytest.approx(cusum_arl(0.5, h, 1.0))
    assert rows["CUSUM"]["start"] == {"points": delay, "hours": delay, "simulated": False}
    assert rows["CUSUM"]["steady"]["points"] == pytest.approx(cusum_arl(0.5, h, 1.0, state="steady"))
    assert {name for name, row in rows.items() if not row["exact"]} == set(TABULATED)
    assert {name for name, row in rows.items() if row["steady"]["simulated"]} == set(TABULATED)
    three = bank_limits(720.0, ewma=(0.1,))
    assert rows[TABULATED[1]]["limits"] == {"k": 0.5, "h": three.cusum[0], "lam": 0.1, "L": three.ewma[0], "c": three.shewhart}


@pytest.mark.parametrize("late", [False, True])
def test_what_has_no_equation_is_simulated(late, capsys):
    """Tried where there is an equation it agrees, to the 1 % that is promised."""
    h = cusum_limit(0.5, 720.0)
    state = "steady" if late else "zero"
    found = delay(Charts(BankLimits(None, (h,), (), 720.0, exact=True, factor=1.0), (0.5,)), 1.0, late=late)
    assert found == pytest.approx(cusum_arl(0.5, h, 1.0, state=state), rel=0.015)
    wanted = shewhart_ewma_arl(0.1, 3.0, 3.3, 1.0, state=state)
    found = delay(Charts(BankLimits(3.3, (), (3.0,), 720.0, exact=True, factor=1.0), (), (0.1,)), 1.0, late=late)
    assert found == pytest.approx(wanted, rel=0.015)
    confirmed = Charts(BankLimits(1.5, (), (), 120.0, exact=True, factor=1.0), confirm=2)
    assert delay(confirmed, 1.5, late=late) == pytest.approx(confirmed_arl(1.5, 1.5, state=state), rel=0.02)
    assert delay(confirmed._replace(limits=confirmed.limits._replace(shewhart=4.0)), 0.01, late=late) is None

    assert main([*TASK]) == ExitCode.OK
    assert "~: by a table with a standard error of 1 %, or by simulation" in capsys.readouterr().out


def test_charts_share_the_false_alarms(capsys):
    """Each has a part of the rate, and hours follow the window."""
    answer = answered(capsys, "design", "--false-alarms", "2 per 1d", "--every", "30m", "--detect", "2", "--metrics", "10")

    assert answer["arl0"] == 240.0
    assert answer["charts"][1]["start"]["hours"] == pytest.approx(answer["charts"][1]["start"]["points"] / 2)


def test_a_bare_shewhart_chart_is_refused_far_out(capsys):
    """With advice; the others are designed all the same."""
    words = ["design", "--false-alarms", "1 per 30d", "--every", "1m", "--detect", "1sigma", "--metrics", "500"]
    charts = answered(capsys, *words)["charts"]
    first = charts[0]

    assert first.keys() == {"chart", "refused"}
    assert main(words) == ExitCode.OK
    out = capsys.readouterr().out
    assert "\nShewhart: refused, an ARL0 of 2.16e+07 is more than 100000" in out
    assert "use an EWMA, let a second point confirm a signal (confirmed Shewhart), or count false alarms per series (per: series)" in out
    assert [line.split("  ")[0] for line in out.splitlines()[4:12]] == [row["chart"] for row in charts[1:9]]
    assert not any("refused" in row and row["refused"] for row in charts[1:])


def test_a_picture_of_the_curves(tmp_path, capsys):
    """Well-formed, with a curve for each chart that starts where the ARL0 is."""
    path = tmp_path / "arl.svg"
    assert main([*TASK, "--picture", str(path)]) == ExitCode.OK
    tree = ET.parse(path)
    space = "{http://www.w3.org/2000/svg}"
    curves = [line.get("points", "").split() for line in tree.iter(f"{space}polyline")]

    assert len(curves) == len(ALONE) + len(PAIRS)
    assert {curve[0] for curve in curves} == {curves[0][0]}
    assert all(len(curve) == 25 for curve in curves)
    heights = [float(point.split(",")[1]) for point in curves[1]]
    assert heights == sorted(heights)  # the larger the shift, the sooner
    assert {text.text for text in tree.iter(f"{space}text")} >= {*ALONE, *PAIRS, "Average run lengths, ARL0 = 720", "1", "1000"}


@pytest.mark.parametrize(("arl0", "shift"), [(43200.0, 1.0), (720.0, 0.5), (1e5, 2.0)])
def test_a_curve_with_a_near_one_is_as_computed(arl0, shift):
    """To 1 %, which is less than the width of its line."""
    pair = next(each for each in candidates(arl0, shift) if each.near is not None)
    shifts = [0.3 * step for step in range(11)]

    assert pair.start is not None
    assert pair.curve(shifts) == pytest.approx([pair.start(at) for at in shifts], rel=1e-2)


@pytest.mark.parametrize(
    ("option", "value", "problem"),
    [
        ("--false-alarms", "1 in 30d", "is no rate: write a number and a duration"),
        ("--false-alarms", "0 per 30d", "is no rate"),
        ("--false-alarms", "1 per 30", "write 30s for seconds"),
        ("--every", "60", "write 60s for seconds"),
        ("--every", "0s", "a duration above 0 is needed"),
        ("--every", "60d", "is a false alarm at every point of 60d; ask for fewer"),
        ("--detect", "big", "is no shift: write a number of sigma"),
        ("--detect", "0sigma", "is no shift"),
        ("--metrics", "0", "is no number of charts"),
        ("--metrics", "2.5", "is no number of charts"),
        ("--picture", "arl.png", "the picture is an SVG; let its name end in .svg"),
        ("--picture", "/no/such/folder/x.svg", "--picture /no/such/folder/x.svg: No such file or directory"),
    ],
)
def test_what_is_wrong_is_said(option, value, problem, capsys):
    """On stderr, with the cure."""
    assert main([*TASK, option, value]) == ExitCode.USAGE
    out, err = capsys.readouterr()

    assert out == ""
    assert problem in err
    assert "Traceback" not in err
