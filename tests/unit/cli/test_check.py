"""`streamspc check`, as its users call it."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from streamspc.cli import main
from streamspc.cli.check import EPILOG, CheckCode
from streamspc.settings import load_semantics

GOLDEN = Path(__file__).parents[2] / "golden"
CONFIG = """
app: shop
kafka: {bootstrap_servers: "${SOME_BROKERS}"}
receivers:
  - {name: chat, slack: {url: "${SOME_CHAT}"}}
streams:
  - name: orders
    topic: orders
    window: 1h
    timezone: Europe/Berlin
    event_time: {field: at, unit: ms}
    segment_by: [shop]
    lateness: 1h
    metrics:
      - {name: volume, kind: count, signal_by: []}
      - {name: price, kind: mean, field: price}
      - {name: failed, kind: proportion, where: status == "failed", direction: up}
    signal_by: [shewhart]
    charts: {shewhart: {limit: 3}}
    baseline: {windows: 10}
    min_records: 5
    judge_by:
      - {metric: failed, segments: ["*"]}
"""
BEGIN = 1_700_006_400_000  # a full hour


def orders(hours: int = 24, fault: int | None = None) -> list[dict[str, Any]]:
    """Orders of two shops, sixty an hour; in two hours from `fault` on most of those of shop a fail."""
    chance = random.Random(7)
    return [
        {
            "at": BEGIN + hour * 3_600_000 + minute * 60_000,
            "shop": "ab"[minute % 2],
            "price": round(chance.gauss(20, 2), 2),
            "status": "failed" if chance.random() < (0.9 if hour - (fault or 999) in {0, 1} and minute % 2 == 0 else 0.05) else "fine",
        }
        for hour in range(hours)
        for minute in range(60)
    ]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with the configuration, whose local part this machine has no variables for."""
    monkeypatch.chdir(tmp_path)
    for name in ("SOME_BROKERS", "SOME_CHAT"):
        monkeypatch.delenv(name, raising=False)
    Path("shop.yaml").write_text(CONFIG)
    return tmp_path


def write(name: str, rows: list[dict[str, Any]], *more: bytes) -> None:
    """A file of these records, and these lines."""
    if ".csv" in name:
        text = io.StringIO()
        table = csv.DictWriter(text, rows[0])
        table.writeheader()
        table.writerows(rows)
        content = text.getvalue().encode()
    else:
        content = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    content += b"\n".join(more)
    Path(name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)


def check(*words: str) -> int:
    """Run the command."""
    return main(["check", "--config.file", "shop.yaml", *words])


def test_data_in_control_are_exit_code_zero(place, capsys):
    """Nothing signals; the summary says what was judged."""
    write("x.jsonl", orders())

    assert check("--input", "x.jsonl") == CheckCode.IN_CONTROL
    said = capsys.readouterr()
    assert said.out.startswith(
        "stream orders: in control\n1,440 records, 24 windows, 2023-11-15T01:00:00+01:00 to 2023-11-16T01:00:00+01:00\n"
    )
    assert "9 series, 126 points judged, 90 learnt from, 0 windows rejected" in said.out
    assert said.err == ""


def test_signals_are_exit_code_one(place, capsys):
    """With a table of the episodes, and which of them reject."""
    write("x.jsonl", orders(fault=15))

    assert check("--input", "x.jsonl") == CheckCode.SIGNALS
    shown = capsys.readouterr().out
    assert "stream orders: signals" in shown
    rows = [line for line in shown.splitlines() if "shewhart up" in line]
    told = [[word for word in ("failed", " a ", " * ", "yes") if word in row] for row in rows]
    assert sorted(told) == [["failed", " * ", "yes"], ["failed", " a "]]


def test_the_machine_summary_has_everything(place, capsys):
    """Counts, series, episodes with times in the stream's zone and the records they came from."""
    write("x.jsonl", orders(fault=15), b"{", b'{"at": null}')

    assert check("--input", "x.jsonl", "--json") == CheckCode.SIGNALS
    said = json.loads(capsys.readouterr().out)
    assert (said["verdict"], said["exit_code"], said["records"], said["windows"]) == ("signals", 1, 1442, 24)
    assert said["refused"] == {"no_event_time": 1, "undecodable": 1}
    assert said["examples"]["undecodable"]["offset"] == 1441
    assert len(said["series"]) == 9
    whole = next(episode for episode in said["episodes"] if episode["segment"] == "*")
    assert (whole["opened"], whole["until"]) == ("2023-11-15T16:00:00+01:00", "2023-11-15T18:00:00+01:00")
    assert (whole["sources"], whole["windows"], whole["over"], whole["rejected"]) == (
        [{"partition": 0, "first": 901, "last": 1020}],
        2,
        True,
        True,
    )
    assert 0.5 < whole["severity"] < 1
    assert said["rejected"] == 2


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz", "x.csv", "x.csv.gz", "x.ndjson", "x.JSON"])
def test_every_format_holds_the_same_records(place, name):
    """The points are the same bytes."""
    write("reference.jsonl", orders(fault=15))
    write(name, orders(fault=15))

    for path, points in (("reference.jsonl", "a.jsonl"), (name, "b.jsonl")):
        assert check("--input", path, "--points", points) == CheckCode.SIGNALS
    assert Path("a.jsonl").read_bytes() == Path("b.jsonl").read_bytes()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("name", "words"), [("x.jsonl", []), ("x.csv", ["--format", "csv"])])
def test_standard_input_is_a_file_too(place, name, words, packed):
    """In either format, packed or not, through a pipe; the summary is the same each time."""
    write(name, orders(fault=15))
    content = Path(name).read_bytes()
    command = [sys.executable, "-m", "streamspc", "check", "--config.file", "shop.yaml", "--input", "-", "--json", *words]
    done = subprocess.run(command, input=gzip.compress(content) if packed else content, capture_output=True, check=False)

    assert done.returncode == CheckCode.SIGNALS
    assert done.stderr == b""
    assert json.loads(done.stdout)["records"] == 1440


def test_a_terminal_has_a_progress_bar(place, capsys, monkeypatch):
    """On standard error, so that the summary stays clean; a pipe has none, as the other tests see."""

    class Terminal(io.StringIO):
        """Standard error that is one."""

        def isatty(self) -> bool:
            return True

    write("x.jsonl", orders())
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)

    assert check("--input", "x.jsonl") == CheckCode.IN_CONTROL
    assert "1,440 records" in terminal.getvalue()
    assert capsys.readouterr().out.startswith("stream orders: in control\n1,440 records")


def test_points_say_all_of_their_window(place):
    """One line a window and series: what was found, against which limits, and what follows."""
    write("x.jsonl", orders(fault=15))
    check("--input", "x.jsonl", "--points", "points.jsonl")
    points = [json.loads(line) for line in Path("points.jsonl").read_text().splitlines()]

    assert len(points) == 24 * 9
    whole = [point for point in points if (point["metric"], point["segment"]) == ("failed", "*")]
    first, fault = whole[0], whole[15]
    assert (first["start"], first["start_us"], first["end"]) == ("2023-11-15T01:00:00+01:00", BEGIN * 1000, "2023-11-15T02:00:00+01:00")
    assert (first["phase"], first["lcl"], first["severity"], first["baseline_version"]) == ("learning", None, 0.0, 0)
    assert (fault["phase"], fault["rules"], fault["side"], fault["rejected"], fault["baseline_version"]) == (
        "monitoring",
        ["shewhart"],
        "up",
        True,
        1,
    )
    assert fault["value"] > fault["ucl"] > fault["centre"]
    assert fault["z"] > 3  # a rate this small has a score of its own
    price = next(point for point in points[15 * 9 :] if (point["metric"], point["segment"]) == ("price", "*"))
    assert price["z"] == pytest.approx((price["value"] - price["centre"]) / price["sigma"])
    assert (fault["n"], fault["records"], fault["stream"]) == (60, 60, "orders")
    assert [(point["episode"] == fault["episode"], point["in_episode"]) for point in whole[14:20]] == [
        (False, False), (True, False), (True, True), (True, True), (True, True), (False, False),
    ]  # fmt: skip
    assert [point["severity"] > 0.5 for point in whole[14:19]] == [False, True, True, False, False]
    assert [point["rejected"] for point in whole[14:19]] == [False, True, True, False, False]


def test_run_rules_are_among_what_is_broken(place, capsys):
    """They are told by name beside the chart that they belong to, and have the severity of a signal at least."""
    Path("shop.yaml").write_text(CONFIG.replace("field: price}", "field: price, rules: [we4]}"))
    rows = [row | {"price": row["price"] + 0.6 * (row["at"] >= BEGIN + 14 * 3_600_000)} for row in orders(30)]
    write("x.jsonl", rows)

    assert check("--input", "x.jsonl", "--points", "points.jsonl", "--json") == CheckCode.SIGNALS
    points = [point for point in map(json.loads, Path("points.jsonl").read_text().splitlines()) if "we4" in point["rules"]]
    assert [point["rules"] for point in points][:1] == [["shewhart", "we4"]]
    assert {point["metric"] for point in points} == {"price"}
    assert min(point["severity"] for point in points) == 0.5
    assert any(episode["rules"] == ["we4"] for episode in json.loads(capsys.readouterr().out)["episodes"])


def test_metrics_that_no_longer_go_together_signal_and_are_named(place, capsys):
    """Each is within its own limits; the chart of both opens an episode, in points, summary and JUnit with the share of each."""
    both = """    multivariate:
      - {name: both, metrics: [price, tax], chart: t2}
"""
    tax = "      - {name: tax, kind: mean, field: tax, signal_by: []}\n"
    Path("shop.yaml").write_text(CONFIG.replace("      - {name: failed", tax + "      - {name: failed") + both)
    chance = random.Random(1)
    level = {hour: chance.gauss(0, 2) for hour in range(40)}
    rows = orders(40)
    for row in rows:
        hour = (row["at"] - BEGIN) // 3_600_000
        row["price"] = 20 + level[hour] + chance.gauss(0, 1)
        row["tax"] = 2 + 0.1 * level[hour] * (-1 if hour >= 36 else 1) + chance.gauss(0, 0.1)
    write("x.jsonl", rows)

    assert check("--input", "x.jsonl", "--points", "points.csv", "--json") == CheckCode.SIGNALS
    found = [episode for episode in json.loads(capsys.readouterr().out)["episodes"] if episode["metric"] == "both"]
    assert {episode["segment"] for episode in found} == {"*", "a", "b"}
    assert all(episode["opened"] >= "2023-11-16T13:00" for episode in found)
    assert {share["metric"] for share in found[0]["contributions"]} == {"price", "tax"}
    assert sum(share["share"] for share in found[0]["contributions"]) == pytest.approx(1.0)
    assert found[0]["severity"] > 0.5
    assert "both,*" in Path("points.csv").read_text()
    assert any("tax=" in line for line in Path("points.csv").read_text().splitlines())
    assert check("--input", "x.jsonl", "--junit", "junit.xml") == CheckCode.SIGNALS
    assert "mostly " in Path("junit.xml").read_text()


def test_points_as_csv_hold_the_same(place):
    """Cells are as JSON writes them; nothing stands for what is not there."""
    write("x.jsonl", orders(fault=15))
    check("--input", "x.jsonl", "--points", "points.jsonl")
    check("--input", "x.jsonl", "--points", "points.csv")
    lines = [json.loads(line) for line in Path("points.jsonl").read_text().splitlines()]
    with Path("points.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))

    def cell(value: Any) -> str:
        if isinstance(value, dict):
            return "|".join(f"{name}={number}" for name, number in value.items())
        if isinstance(value, list):
            return "|".join(value)
        return "" if value is None else value if isinstance(value, str) else json.dumps(value)

    assert [{name: cell(value) for name, value in line.items()} for line in lines] == rows


def test_junit_is_as_published(place):
    """A test case a series; failed by its episodes, skipped while it learns. `UPDATE_GOLDENS=1` writes it anew."""
    rows = [
        row | {"shop": "new\x00 <&>"} if row["at"] >= BEGIN + 18 * 3_600_000 and row["shop"] == "b" else row for row in orders(fault=15)
    ]
    write("x.jsonl", rows)
    check("--input", "x.jsonl", "--junit", "junit.xml")
    text = Path("junit.xml").read_text().replace(load_semantics("shop.yaml").hash(), "HASH")
    if os.environ.get("UPDATE_GOLDENS"):
        (GOLDEN / "junit.xml").write_text(text)

    suite = ET.fromstring(text)[0]
    assert Counter(child.tag for case in suite.iter("testcase") for child in case) == {"failure": 2, "skipped": 3}
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "12", "failures": "2", "errors": "0", "skipped": "3",
    }  # fmt: skip
    assert text == (GOLDEN / "junit.xml").read_text()


def test_a_gap_is_a_signal(place, capsys):
    """A long silence fails a test case of its own."""
    Path("shop.yaml").write_text(CONFIG + "    max_empty_windows: 3\n")
    write("x.jsonl", [row for row in orders(40) if not 20 <= (row["at"] - BEGIN) // 3_600_000 < 30])

    assert check("--input", "x.jsonl", "--junit", "junit.xml", "--json") == CheckCode.SIGNALS
    assert json.loads(capsys.readouterr().out)["gaps"] == [{"start": "2023-11-16T00:00:00+01:00", "end": "2023-11-16T01:00:00+01:00"}]
    assert ET.parse("junit.xml").find(".//testcase[@name='gaps']/failure") is not None


def test_windows_of_too_few_records_are_points_of_their_own_and_said(place, capsys):
    """The 0.9 quantile needs a hundred records a window and the shops have thirty: a phase in the points, a number, a cure."""
    Path("shop.yaml").write_text(
        CONFIG.replace("name: price, kind: mean, field: price", "name: price, kind: quantile, q: 0.9, field: price")
    )
    write("o.jsonl", orders(12))
    main(["check", "--config.file", "shop.yaml", "--input", "o.jsonl", "--points", "p.jsonl"])
    told = capsys.readouterr().out
    assert "36 of too few records" in told
    assert "warning: 36 windows of 3 series, most of them of price[*], have too few records to judge" in told
    few = [row for row in map(json.loads, Path("p.jsonl").read_text().splitlines()) if row["metric"] == "price"]
    assert {(row["phase"], row["value"], row["z"]) for row in few} == {("too_few", None, None)}
    assert {row["n"] for row in few} == {30, 60}


def test_what_screening_left_out_and_what_is_provisional_is_said(place, capsys):
    """Each baseline is in the JSON with the windows that it was not learnt from; people are told the first, and what promises nothing."""
    Path("shop.yaml").write_text(CONFIG.replace("    charts: {shewhart: {limit: 3}}\n", ""))
    rows = orders(18)
    for row in rows[4 * 60 : 5 * 60]:
        row["price"] = 90.0
    write("o.jsonl", rows)
    main(["check", "--config.file", "shop.yaml", "--input", "o.jsonl", "--json"])
    answer = json.loads(capsys.readouterr().out)
    one = next(one for one in answer["baselines"] if (one["metric"], one["segment"]) == ("price", "a"))
    assert (one["version"], one["windows"], one["kept"]) == (1, 10, 9)
    assert one["dropped"] == ["2023-11-15T05:00:00+01:00"]
    assert one["provisional"] == ["few_windows", "few_pairs"]
    assert {one["metric"] for one in answer["series"] if one["monitoring"]} == {"volume"}  # which may not signal: nothing is promised
    assert (answer["points"]["provisional"], answer["rejected"]) == (48, 0)
    main(["check", "--config.file", "shop.yaml", "--input", "o.jsonl"])
    told = " ".join(capsys.readouterr().out.split())
    assert "Phase I left out 3 of 90 windows as far from the others: price[*] 2023-11-15T05:00:00+01:00, price[a]" in told
    assert "warning: the baselines of 6 of 9 series are still provisional (too few windows and too few neighbouring" in told
    assert "charted provisionally" in told


def test_a_file_that_ends_within_a_window_is_told_so(place, capsys):
    """The count of a window that is not whole is too low; an episode before the last window is no reason to warn."""
    Path("shop.yaml").write_text(CONFIG.replace("signal_by: []", "signal_by: [shewhart]"))
    rows = orders(16)
    for whole, cut in ((rows, False), (rows[:-40], True), (orders(16, 12), False)):
        write("o.jsonl", whole)
        main(["check", "--config.file", "shop.yaml", "--input", "o.jsonl", "--json"])
        answer = json.loads(capsys.readouterr().out)
        assert any("in the last window" in warning for warning in answer["warnings"]) == cut
        assert bool(answer["episodes"]) == (whole is not rows)


def test_few_hits_are_told_the_rate_that_they_allow(place, capsys):
    """Of sixty orders an hour three fail: the next false alarm rate below the promise is stated, of that series alone."""
    Path("shop.yaml").write_text(CONFIG.replace("    charts: {shewhart: {limit: 3}}\n", "").replace("{windows: 10}", "{windows: 30}"))
    write("o.jsonl", orders(40))
    main(["check", "--config.file", "shop.yaml", "--input", "o.jsonl", "--json"])
    [one] = json.loads(capsys.readouterr().out)["attainable"]
    assert (one["metric"], one["segment"]) == ("failed", "*")
    assert one["attainable"] > one["promised"] > 1000
    main(["check", "--config.file", "shop.yaml", "--input", "o.jsonl"])
    told = " ".join(capsys.readouterr().out.split())
    assert f"failed[*]: hits are whole numbers: of one false alarm in {one['promised']:,.0f} windows they allow one in" in told


def test_what_was_not_judged_is_said(place, capsys):
    """In control means little where every series still learns."""
    write("x.jsonl", orders(8))

    assert check("--input", "x.jsonl") == CheckCode.IN_CONTROL
    assert "warning: nothing was judged: every series still learns from its first 10 windows" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.jsonl", None, "none.jsonl: cannot be read: No such file or directory"),
        (".", None, ".: cannot be read: Is a directory"),
        ("x.jsonl.gz", b'{"at": 1}\n', "x.jsonl.gz: is not gzip, although its name says so"),
        ("x.jsonl.gz", gzip.compress(b'{"at": 1}\n' * 9)[:-9], "x.jsonl.gz: cannot be read after record 0: Compressed file ended"),
        ("x.jsonl", b"", "x.jsonl: no records"),
        ("x.jsonl", b"\n \n", "x.jsonl: no records"),
        ("x.jsonl", b"\x00\x01\n{\n", "x.jsonl: no record of 2 can be read"),
        ("x.csv", b"at,price\n1,2\n", "x.csv: no column shop, status, which the configuration uses"),
        ("x.csv", b"at,price,shop,status\n", "x.csv: no records"),
    ],
)
def test_data_that_cannot_be_read_are_exit_code_three(place, capsys, name, content, message):
    """The message says why, alone where nothing was read; JUnit has it as an error."""
    if content is not None:
        Path(name).write_bytes(content)

    assert check("--input", name, "--format", "csv" if ".csv" in name else "jsonl", "--junit", "junit.xml") == CheckCode.UNREADABLE
    said = capsys.readouterr()
    assert message in said.err
    assert "Traceback" not in said.err
    assert (
        said.out.startswith("stream orders: unreadable") if "no record of" in message else not said.out
    )  # nothing read, nothing summed up
    error = ET.parse("junit.xml").find(".//testcase[@name='input']/error")
    assert error is not None
    assert message in str(error.get("message"))


@pytest.mark.parametrize(("share", "code"), [([], 0), (["--max-bad", "0.01"], 3), (["--max-bad", "0.015"], 0), (["--max-bad", "0"], 3)])
def test_bad_records_are_counted_and_too_many_are_too_many(place, capsys, share, code):
    """A share beyond `--max-bad`; each reason is shown with the first record of it."""
    write("x.jsonl", orders(), *[b'{"at": "noon"}'] * 20)

    assert check("--input", "x.jsonl", *share) == code
    said = capsys.readouterr()
    assert "refused: wrong_type 20 (first: record 1441: Expected `int | float | null`, got `str` - at `$.at`)" in said.out
    assert ("20 of 1460 records are refused, more than --max-bad 0.0" in said.err) == (share == ["--max-bad", "0.01"])


def test_a_file_without_order_is_told_of_its_cure(place, capsys):
    """Its records are late, as they were for the daemon; where the order means nothing, one may say so."""
    rows = orders()
    random.Random(1).shuffle(rows)
    write("x.jsonl", rows)

    assert check("--input", "x.jsonl") == CheckCode.UNREADABLE
    assert "if that order means nothing, say --any-order" in capsys.readouterr().out
    assert check("--input", "x.jsonl", "--any-order", "--json") == CheckCode.IN_CONTROL
    assert json.loads(capsys.readouterr().out)["refused"] == {}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--input", "x.jsonl", "--stream", "order"], "--stream: there is no stream 'order'; did you mean 'orders'?"),
        (["--input", "x.txt"], "--input x.txt: expected a name that ends in .csv, .jsonl, .ndjson or .json (and .gz); else say --format"),
        (["--input", "x.jsonl", "--points", "p.txt"], "--points p.txt: expected a name that ends in .jsonl or .csv"),
        (["--input", "x.jsonl", "--points", "no/p.csv"], "--points no/p.csv: cannot be written: No such file or directory"),
        (["--input", "x.jsonl", "--junit", "no/j.xml"], "--junit no/j.xml: cannot be written: No such file or directory"),
        (["--input", "x.jsonl", "--max-bad", "2"], "argument --max-bad: '2' is no share from 0 to 1"),
        (["--input", "x.jsonl", "--timestamp", "a..b"], "field path 'a..b', character 3"),
        ([], "one of the arguments --input --from is required"),
        (["--input", "x.jsonl", "--from", "earliest"], "argument --from: not allowed with argument --input"),
        (["--input", "x.jsonl", "--to", "latest"], "--to: is the end of a topic's range; a file is read whole"),
        (["--from", "earliest", "--timestamp", "at"], "--timestamp: is for files; records of a topic are JSON and have Kafka timestamps"),
        (["--from", "earliest"], "environment variable SOME_BROKERS is not set"),
    ],
)
def test_wrong_usage_is_exit_code_two(place, capsys, words, message):
    """With a message that says what was expected."""
    write("x.jsonl", orders(2))

    assert check(*words) == CheckCode.USAGE
    assert message in capsys.readouterr().err


def test_what_needs_kafkas_timestamp_asks_for_a_field(place, capsys):
    """Event time from Kafka and lag: both are refused at once, and a field cures both."""
    lag = CONFIG.replace("event_time: {field: at, unit: ms}", "disorder: 0s").replace(
        "    signal_by", "      - {name: lag, kind: lag}\n    signal_by", 1
    )
    Path("shop.yaml").write_text(lag)
    write("x.jsonl", orders())

    assert check("--input", "x.jsonl") == CheckCode.USAGE
    assert [line.partition(";")[0] for line in capsys.readouterr().err.splitlines()] == [
        "stream orders, metric lag: lag needs the Kafka timestamp",
        "stream orders, event time is the Kafka timestamp",
    ]
    assert check("--input", "x.jsonl", "--timestamp", "at", "--json") == CheckCode.IN_CONTROL
    assert json.loads(capsys.readouterr().out)["windows"] == 24


def test_a_wrong_configuration_is_exit_code_two(place, capsys):
    """What changes an outcome is checked as for the daemon; addresses of this machine are not."""
    Path("shop.yaml").write_text(CONFIG.replace("kind: mean", "kind: meen"))

    assert check("--input", "x.jsonl") == CheckCode.USAGE
    assert capsys.readouterr().err.count("shop.yaml:") == 1


def test_every_exit_code_is_explained():
    """In the end of the help, where those of the other commands are theirs."""
    assert [line.split()[0] for line in EPILOG.splitlines()[1:] if line[2] != " "] == [str(int(code)) for code in CheckCode]
