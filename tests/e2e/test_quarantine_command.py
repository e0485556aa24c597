"""`streamspc quarantine` on the records of a run, read by librdkafka."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from e2e.stage import command, foreign, make_topic

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(240)]  # the runs that a module shares are in its first test


def test_an_episode_is_listed_shown_and_released_once(reference, foreseen):
    """To another topic, byte for byte as the source had it; a second command finds nothing left."""
    app, _ = reference
    file = str(app.write())
    listed = [json.loads(line) for line in command("quarantine", "list", file, "--json").stdout.splitlines()]
    rejected = [row for row in listed if row["reason"] == "rejected"]
    assert sum(row["records"] for row in listed) == sum(bool(way.reason) for way in foreseen.ways)
    one = max(rejected, key=lambda row: row["records"])
    assert one["episode"]

    shown = command("quarantine", "show", file, "--window", one["window"], "--segment", one["segment"], "--limit", "2", "--json")
    assert {json.loads(line)["episode"] for line in shown.stdout.splitlines()} == {one["episode"]}
    target = f"{app.app}.released"
    make_topic(app.address, target)
    words = ("quarantine", "release", file, "--episode", one["episode"], "--to", target, "--why", "a test", "--json")
    dry, first, second = (json.loads(command(*words, *more).stdout) for more in (("--dry-run",), (), ()))

    episode = [row for row in rejected if row["episode"] == one["episode"]]
    assert dry["records"] == first["records"] == sum(row["records"] for row in episode)
    assert (second["records"], second["handled_before"]) == (0, first["records"])
    found = foreign(app.address, target)
    ways = [way.record for way in foreseen.ways if way.reason]
    originals = Counter((r.partition, r.key, r.value, tuple(r.headers)) for r in ways)
    again = Counter((r.partition, r.key, r.value, tuple(r.headers[:-1])) for r in found)
    assert len(found) == first["records"]
    assert not again - originals
    assert {r.headers[-1] for r in found} == {("streamspc.released", first["id"].encode())}
    marks = [json.loads(line) for line in command("quarantine", "list", file, "--json").stdout.splitlines()]
    assert {row["done"] for row in marks if row["episode"] == one["episode"]} == {"released"}


def test_what_is_not_said_is_asked(reference):
    """Nothing is released by accident, and an unknown stream is named."""
    app, _ = reference
    file = str(app.write())
    for words, problem in (
        (("release", file), "release what? Say --episode"),
        (("list", file, "--stream", "other"), "streams with a gate are: orders"),
    ):
        ended = command("quarantine", *words)
        assert ended.returncode == 2
        assert problem in ended.stderr
