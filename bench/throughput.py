"""Throughput of observe and gate: each figure beside its reference, as a ratio of records per CPU second within the same round.

    make bench [ARGS="--records 1000000 --rounds 5"]

Rounds are interleaved, each loop is a process of its own (`ways.py`), CPU is user and system time of all its threads. The table is
printed, and written with every round to `bench/results.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from bench.stage import fill

from streamspc.demo.broker import Broker

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).with_name("results.json")
TOPICS = {"fifty": 50, "thousand": 1_000, "many": 100_000}  # by segments


class Run(NamedTuple):
    """A loop on a topic; of the slow ones a part of the records is enough."""

    way: str
    topic: str = "fifty"
    share: float = 1.0

    def __str__(self) -> str:
        return self.way if self.topic == "fifty" else f"{self.way}, {TOPICS[self.topic]:,} segments"


class Figure(NamedTuple):
    """`run` per CPU second over `beside`; the cost of a record is the inverse. `needed` is a least value, or a greatest where `cost`."""

    name: str
    run: Run
    beside: Run
    needed: float
    cost: bool = False


BARE, COPY, FETCH, GATE = Run("bare"), Run("copy", share=0.2), Run("fetch"), Run("gate")
OBSERVE, WHOLE = Run("observe"), Run("unsegmented")
FIGURES = [
    Figure("observe, 50 segments / a bare poll loop", OBSERVE, BARE, 2.4),
    Figure("fetch alone / a bare poll loop", FETCH, BARE, 2.4),
    Figure("gate, all accepted / a consume-send loop", GATE, COPY, 4.0),
    Figure("gate, 2 of 50 segments rejected / a consume-send loop", Run("gate_some"), COPY, 4.0),
    Figure("gate that copies rejects only / observe", Run("rejects"), OBSERVE, 0.9),
    Figure("cost: 50 segments / none", OBSERVE, WHOLE, 1.2, cost=True),
    Figure("cost: 1,000 segments / 50", Run("observe", "thousand"), OBSERVE, 1.5, cost=True),
    Figure("cost: 100,000 segments / 50", Run("observe", "many"), OBSERVE, 1.5, cost=True),
]
TALLIES = {"fifty": 0.5, "thousand": 1.5, "many": 1.5}  # bytes over those of the source, at most


def once(run: Run, address: str, topic: str, records: int) -> dict[str, Any]:
    """One measurement in a process of its own."""
    command = [sys.executable, "-m", "bench.ways", run.way, address, topic, str(int(records * run.share))]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT / "src"), os.environ.get("PYTHONPATH"))))}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=900, cwd=ROOT, env=environment)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def ratios(figure: Figure, speeds: dict[str, list[float]]) -> list[float]:
    """Of each round."""
    pairs = zip(speeds[str(figure.run)], speeds[str(figure.beside)], strict=True)
    return [theirs / ours if figure.cost else ours / theirs for ours, theirs in pairs]


def stored(folder: Path, topic: str) -> int:
    """Bytes of a topic's segments on disk."""
    return sum(path.stat().st_size for path in folder.rglob(f"{topic}-*/*.log"))


def row(name: str, values: list[float], needed: float, most: bool) -> dict[str, Any]:
    """A figure as it is written: median and spread."""
    value = statistics.median(values)
    spread = {"median": round(value, 3), "min": round(min(values), 3), "max": round(max(values), 3)}
    return {"name": name, **spread, "needed": needed, "at_most": most, "met": value <= needed if most else value >= needed}


def measure(records: int, rounds: int) -> dict[str, Any]:
    """All figures on a broker of our own."""
    runs = list(dict.fromkeys(run for figure in FIGURES for run in (figure.run, figure.beside)))
    speeds: dict[str, list[float]] = {str(run): [] for run in runs}
    walls: dict[str, list[float]] = {str(run): [] for run in runs}
    shares: dict[str, list[float]] = {topic: [] for topic in TOPICS}
    with Broker() as broker:
        size = [fill(broker.address, f"bench.{topic}", records, segments) for topic, segments in TOPICS.items()]
        for _ in range(rounds):
            for run in runs:
                found = once(run, broker.address, f"bench.{run.topic}", records)
                speeds[str(run)].append(found["records"] / found["cpu"])
                walls[str(run)].append(found["records"] / found["wall"])
                if run.way == "observe":
                    shares[run.topic].append(stored(broker.folder, found["tallies"]) / stored(broker.folder, f"bench.{run.topic}"))
    rows = [row(figure.name, ratios(figure, speeds), figure.needed, figure.cost) for figure in FIGURES]
    rows += [row(f"bytes of tallies / source, {TOPICS[topic]:,} segments", shares[topic], most, True) for topic, most in TALLIES.items()]
    about = {"records": records, "record_bytes": round(statistics.mean(size)), "rounds": rounds, "kafka": Broker.version}
    machine = {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
    speed = {run: {"per_cpu_second": _middle(speeds[run]), "per_second": _middle(walls[run])} for run in speeds}
    return {**about, **machine, "figures": rows, "speeds": speed}


def _middle(values: list[float]) -> int:
    return round(statistics.median(values))


def table(results: dict[str, Any]) -> str:
    """Figures with a bar to what is needed, then the speeds."""
    lines = []
    for it in results["figures"]:
        reached = min(it["needed"] / it["median"] if it["at_most"] else it["median"] / it["needed"], 3.0)
        bar = "#" * round(10 * reached)
        how = f"{'at most' if it['at_most'] else 'at least'} {it['needed']:g}"
        spread = f"({it['min']:.2f} to {it['max']:.2f})"
        lines.append(f"{it['name']:54} {it['median']:6.2f}  {spread:16} {how:13} {bar:<30} {'' if it['met'] else 'MISSED'}")
    lines.append(f"\n{'':40} {'a CPU second':>14} {'a second':>12}")
    lines += [f"{run:40} {speed['per_cpu_second']:>14,} {speed['per_second']:>12,}" for run, speed in results["speeds"].items()]
    return "\n".join(lines)


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    results = measure(args.records, args.rounds)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(table(results))
    return 0 if all(it["met"] for it in results["figures"]) else 1


if __name__ == "__main__":
    sys.exit(main())
