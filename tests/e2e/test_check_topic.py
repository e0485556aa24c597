"""`streamspc check --from` on Apache Kafka: a range of a topic has the points of the daemon, and is only read."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from e2e.conftest import SOURCE
from e2e.stage import command
from streamspc.check.rows import PHASES
from streamspc.model import Rejection

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(240)]


def rows(path: Path):
    """The points that were written, by window and series."""
    return {(row["start_us"], row["metric"], row["segment"]): row for row in map(json.loads, path.read_text().splitlines())}


def bits(number):
    """As JSON has it: nothing where there is no number."""
    return number if math.isfinite(number) else None


def groups(address):
    """Consumer groups of the cluster."""
    return {one.group_id for one in AdminClient({"bootstrap.servers": address}).list_consumer_groups().result(30).valid}


def test_a_topic_has_the_points_of_the_daemon(reference, tmp_path):
    """Value, limits, statistics and episodes of every series and window are the same bits, from all partitions."""
    app, out = reference
    before = groups(app.address)
    points = tmp_path / "points.jsonl"
    words = ("check", "--config.file", str(app.file), "--from", "earliest", "--points", str(points), "--json", "--max-bad", "1")

    done = command(*words)

    assert done.returncode == 1, done.stderr
    assert groups(app.address) == before
    found = rows(points)
    names = ("value", "centre", "sigma", "lcl", "ucl", "z", "cusum_up", "cusum_down", "ewma", "ewma_limit")
    expected = {}
    for of_window in (one for several in out.points.values() for one in several):
        for m, metric in enumerate(of_window.metrics):
            for s, segment in enumerate(of_window.segments):
                if of_window.phase[m, s] < len(PHASES):
                    told = {name: bits(getattr(of_window, name)[m, s].item()) for name in names}
                    expected[of_window.start, metric, segment] = told | {"n": int(of_window.n[m, s])}
    assert {key: {name: row[name] for name in (*names, "n")} for key, row in found.items()} == expected
    told = json.loads(done.stdout)
    opened = {(s.metric, s.segment, s.opened) for several in out.signals.values() for s in several if s.kind == "open"}
    assert len(told["episodes"]) == len(opened) > 0
    assert told["rejected"] == sum(isinstance(v, Rejection) for several in out.verdicts.values() for v in several)
    assert told["input"] == f"topic {SOURCE}"
    again = command(*words)
    assert again.stdout == done.stdout


def test_a_range_may_be_said_by_time_or_by_offsets(reference, source, tmp_path):
    """Both find the same records; `--to` is not in the range."""
    app, _ = reference
    stamps = sorted(record.timestamp for record in source)
    begin, end = stamps[len(stamps) // 4], stamps[len(stamps) // 2]
    config = ("check", "--config.file", str(app.file), "--json", "--max-bad", "1")

    by_time = json.loads(command(*config, "--from", iso(begin), "--to", iso(end)).stdout)

    spans = [by_time["offsets"][str(partition)] for partition in range(len(by_time["offsets"]))]
    inside = [record for record in source if spans[record.partition][0] <= record.offset < spans[record.partition][1]]
    assert by_time["records"] == len(inside)
    assert {r.offset for r in inside if r.timestamp < begin}.isdisjoint({a for a, _ in spans})
    for partition, (first, last) in enumerate(spans):
        mine = [record for record in source if record.partition == partition]
        assert all(record.timestamp < begin for record in mine if record.offset < first)
        assert all(record.timestamp < end for record in mine if record.offset < last)
    text = [",".join(str(span[side]) for span in spans) for side in (0, 1)]
    by_offsets = json.loads(command(*config, "--from", text[0], "--to", text[1]).stdout)
    assert by_offsets == by_time


def iso(millis: int) -> str:
    """An instant for the command line."""
    return datetime.fromtimestamp(millis / 1000, UTC).isoformat(timespec="milliseconds")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--from", "latest"], f"topic {SOURCE}: no records"),
        (["--from", "0,0"], f"topic {SOURCE}: 2 offsets for {SOURCE}, which has"),
        (["--from", "2999-01-01T00:00:00Z"], f"topic {SOURCE}: no records"),
    ],
)
def test_a_range_without_records_is_exit_code_three(reference, words, message):
    """As a file without records is."""
    done = command("check", "--config.file", str(reference[0].file), *words)

    assert done.returncode == 3
    assert message in done.stderr


def test_a_topic_or_a_broker_that_is_not_there_is_exit_code_three(reference, tmp_path):
    """The message names it."""
    text = reference[0].file.read_text()
    (tmp_path / "no-topic.yaml").write_text(text.replace(f"topic: {SOURCE}", "topic: e2e.nowhere"))
    (tmp_path / "no-broker.yaml").write_text(text.replace(reference[0].address, "127.0.0.1:9"))

    for name, message in (("no-topic", "topic e2e.nowhere does not exist"), ("no-broker", "127.0.0.1:9")):
        done = command("check", "--config.file", str(tmp_path / f"{name}.yaml"), "--from", "earliest")
        assert (done.returncode, message in done.stderr, "Traceback" in done.stderr) == (3, True, False), done.stderr
