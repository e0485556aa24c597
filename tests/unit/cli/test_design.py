"""`streamspc design`."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest

from streamspc.cli import main
from streamspc.cli.codes import ExitCode
from streamspc.design import cusum_arl, cusum_limit

TASK = ["design", "--false-alarms", "1 per 30d", "--every", "1h", "--detect", "1sigma"]  # ARL0 720
CHARTS = ["Shewhart", "CUSUM", "EWMA 0.02", "EWMA 0.05", "EWMA 0.1", "EWMA 0.2", "EWMA 0.4", "Shewhart + CUSUM"]


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
    assert rows["CUSUM"]["start"] == {"points": pytest.approx(cusum_arl(0.5, h, 1.0)), "hours": pytest.approx(cusum_arl(0.5, h, 1.0))}
    assert rows["CUSUM"]["steady"]["points"] == pytest.approx(cusum_arl(0.5, h, 1.0, state="steady"))
    assert rows["Shewhart + CUSUM"]["steady"] is None


def test_charts_share_the_false_alarms(capsys):
    """Each has a part of the rate, and hours follow the window."""
    answer = answered(capsys, "design", "--false-alarms", "2 per 1d", "--every", "30m", "--detect", "2", "--metrics", "10")

    assert answer["arl0"] == 240.0
    assert answer["charts"][1]["start"]["hours"] == pytest.approx(answer["charts"][1]["start"]["points"] / 2)


def test_a_bare_shewhart_chart_is_refused_far_out(capsys):
    """With advice; the others are designed all the same."""
    words = ["design", "--false-alarms", "1 per 30d", "--every", "1m", "--detect", "1sigma", "--metrics", "500"]
    first = answered(capsys, *words)["charts"][0]

    assert first.keys() == {"chart", "refused"}
    assert main(words) == ExitCode.OK
    out = capsys.readouterr().out
    assert "\nShewhart: refused, an ARL0 of 2.16e+07 is more than 100000" in out
    assert "use an EWMA, let a second point confirm a signal, or count false alarms per series" in out
    assert [line.split("  ")[0] for line in out.splitlines()[4:11]] == CHARTS[1:]


def test_a_picture_of_the_curves(tmp_path, capsys):
    """Well-formed, with a curve for each chart that starts where the ARL0 is."""
    path = tmp_path / "arl.svg"
    assert main([*TASK, "--picture", str(path)]) == ExitCode.OK
    tree = ET.parse(path)
    space = "{http://www.w3.org/2000/svg}"
    curves = [line.get("points", "").split() for line in tree.iter(f"{space}polyline")]

    assert len(curves) == len(CHARTS)
    assert {curve[0] for curve in curves} == {curves[0][0]}
    assert all(len(curve) == 37 for curve in curves)
    heights = [float(point.split(",")[1]) for point in curves[1]]
    assert heights == sorted(heights)  # the larger the shift, the sooner
    assert {text.text for text in tree.iter(f"{space}text")} >= {*CHARTS, "Average run lengths, ARL0 = 720", "1", "1000"}


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
