"""The roles in processes of their own, two of a kind, drained and started again: the outcome is the same."""

from __future__ import annotations

import copy
import json

import pytest

from e2e.conftest import SOURCE
from e2e.orders import PARTITIONS, STREAM, orders
from e2e.outcome import judged, outcome, placed, said
from e2e.stage import Progress, command, foreign, free_address, make_topic, produce, scrape

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(240)]  # the runs that a module shares are in its first test

DRAIN = 25.0  # seconds, the program's default
LIVE = "e2e.live"


def test_a_process_a_role(reference, application):
    """Four processes, a role each, of which one is drained on the way and started again, do what one process does."""
    with application("e2e-apart") as app:
        file = app.write(batch_records=500)
        assert command("topics", "create", str(file)).returncode == 0
        flags = {
            role: ("--until-end", "--roles", role, "--web.listen-address", free_address())
            for role in ("observe", "chart", "gate", "notify")
        }
        running = {role: app.start(file, *each) for role, each in flags.items()}
        progress = Progress(app.address, f"{app.app}.orders.gate", SOURCE)
        running["gate"].until(lambda: progress.share() > 0.2, "a fifth of the records")
        took = running["gate"].drain()
        share = progress.share()
        progress.close()
        running["gate"] = app.start(file, *flags["gate"])

        assert took < DRAIN
        assert 0 < share < 1
        for daemon in running.values():
            assert daemon.wait() == 0, daemon.said()
        same(outcome(file), reference[1])


def test_two_processes_share_observe_and_chart(broker, reference, application, source, tmp_path):
    """Two processes divide partitions while records come in; one leaves, the other goes on, a third takes its share again."""
    made, ends = orders(), tmp_path / "ends.json"
    make_topic(broker.address, LIVE)
    with application("e2e-two", LIVE) as app:
        file = app.write(batch_records=500, fetch_wait="200ms", snapshot_every="1s")
        assert command("topics", "create", str(file)).returncode == 0
        flags = ("--until-end", str(ends), "--roles")
        rest = app.start(file, *flags, "gate,notify")
        first, second, third = (free_address() for _ in range(3))
        pair = {at: app.start(file, *flags, "observe,chart", "--web.listen-address", at) for at in (first, second)}
        for at, daemon in pair.items():
            daemon.until(lambda at=at: has_partitions(at), "partitions")
        produce(broker.address, LIVE, made[:12_000])
        for at, daemon in pair.items():
            daemon.until(lambda at=at: busy(at), "a share of the work")
        took = pair[first].drain()
        later = app.start(file, *flags, "observe,chart", "--web.listen-address", third)
        later.until(lambda: has_partitions(third), "partitions")  # else the other one has read all before
        produce(broker.address, LIVE, made[12_000:])
        later.until(lambda: busy(third), "a share of the work")
        found = foreign(broker.address, LIVE)
        ends.write_text(json.dumps({LIVE: [1 + max(one.offset for one in found if one.partition == p) for p in range(PARTITIONS)]}))

        assert took < DRAIN
        assert found == source
        for daemon in (pair[second], later, rest):
            assert daemon.wait() == 0, daemon.said()
        same(outcome(file), reference[1], LIVE)


def has_partitions(at):
    """Do observe and chart of this process own some? A role that owns none is ready, too, and shows no lag."""
    return {f"spc_consumer_lag_records/{role}" for role in ("observe", "chart")} <= scrape(at).keys()


def busy(at):
    """Do observe and chart of this process have a share of the work?"""
    found = scrape(at)
    return min(found.get(f"spc_txn_total/{role}", 0) for role in ("observe", "chart")) > 0


def same(out, expected, topic=SOURCE):
    """Everything read committed is equal, but for the name of the source topic in the headers."""
    assert said(out.points) == said(expected.points)
    assert out.signals == expected.signals
    assert judged(out.verdicts) == judged(expected.verdicts)
    assert placed(out.clean) == placed(expected.clean)
    names = {topic.encode(): SOURCE.encode()}
    renamed = [one._replace(headers=tuple((name, names.get(value or b"", value)) for name, value in one.headers)) for one in out.quarantine]
    assert placed(renamed) == placed(expected.quarantine)


def test_another_configuration_does_not_start(reference):
    """A process with one metric changed ends with exit code 4 and says what differs."""
    app, _ = reference
    stream = copy.deepcopy(STREAM)
    stream["metrics"][3]["min_effect"] = "7 pp"
    before = app.file
    other = app.write("other", stream)
    app.file = before
    daemon = app.start(other, "--until-end")

    assert daemon.wait() == 4
    assert "metrics[failed].min_effect" in daemon.said()
    assert "0.07" in daemon.said()
