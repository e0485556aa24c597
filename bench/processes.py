"""Roles as threads of one process beside roles in a process each: wall and CPU time for the flights of a year, in the same run.

    .venv/bin/python bench/processes.py [--rounds 3]

Each round is a new application over the same topic, from the start of the processes to the end of the last one.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from streamspc.demo import flights
from streamspc.demo.broker import Broker
from streamspc.demo.chat import ChatRoom
from streamspc.demo.play import prepare
from streamspc.settings import load

CONFIG = Path(__file__).parents[1] / "config" / "flights.yaml"
WAYS = {"threads": ["observe,chart,gate,notify"], "processes": ["observe", "chart", "gate", "notify"]}


def run(folder: Path, app: str, groups: list[str]) -> tuple[float, float]:
    """Wall and CPU seconds until all processes have read to the end."""
    config = folder / f"{app}.yaml"
    text = CONFIG.read_text().replace("app: flights", f"app: {app}")
    config.write_text(text.replace("flights.clean", f"{app}.clean").replace("flights.quarantine", f"{app}.quarantine"))
    prepare(load(config))
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "streamspc", "run", "--config.file", str(config), "--until-end", "--log.level", "error"]
    started = [subprocess.Popen([*command, "--roles", roles, "--web.listen-address", "127.0.0.1:0"]) for roles in groups]
    assert [process.wait(300) for process in started] == [0] * len(started)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - begun, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    """Interleaved rounds; medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    taken: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder, Broker() as broker, ChatRoom(lambda _text: None) as room:
        os.environ |= {"KAFKA_BOOTSTRAP_SERVERS": broker.address, "CHAT_URL": room.url}
        prepare(load(CONFIG))
        flights.produce(broker.address, Path(folder) / "ends.json")
        for round_ in range(rounds):
            for way, groups in WAYS.items():
                taken[way].append(run(Path(folder), f"{way}{round_}", groups))
    for way, runs in taken.items():
        wall, cpu = (statistics.median(column) for column in zip(*runs, strict=True))
        print(f"{way:>10}  {wall:5.1f} s wall  {cpu:5.1f} s CPU")
    ratios = [t[0] / p[0] for t, p in zip(taken["threads"], taken["processes"], strict=True)]
    print(f"wall time, threads / processes: {statistics.median(ratios):.2f} (rounds {min(ratios):.2f} to {max(ratios):.2f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
