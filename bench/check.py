"""Prints what `streamspc check` takes for a million records of JSON Lines and of CSV, three metrics, beside only decoding their JSON.

The three metrics are volume, the mean of a number and a proportion; windows are minutes, records come ten milliseconds apart.
"""

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

RECORDS = 1_000_000
CONFIG = """
app: bench
kafka: {bootstrap_servers: nowhere:9092}
streams:
  - name: requests
    topic: requests
    window: 1m
    event_time: {field: ts, unit: ms}
    metrics:
      - {name: volume, kind: count}
      - {name: latency, kind: mean, field: latency_ms}
      - {name: failed, kind: proportion, where: status >= 500}
"""


def write(folder: Path) -> None:
    random.seed(1)
    (folder / "bench.yaml").write_text(CONFIG)
    with (folder / "x.jsonl").open("w") as lines, (folder / "x.csv").open("w") as table:
        table.write("ts,host,latency_ms,status,path\n")
        for at in range(RECORDS):
            row = {
                "ts": 1_700_000_000_000 + 10 * at,
                "host": f"host-{random.randrange(50):02}",
                "latency_ms": round(random.lognormvariate(3, 1), 3),
                "status": 500 if random.random() < 0.02 else 200,
                "path": "/a/b/c/d",
            }
            lines.write(json.dumps(row, separators=(",", ":")) + "\n")
            table.write(",".join(map(str, row.values())) + "\n")


def decoding(folder: Path) -> float:
    """Seconds of CPU of the least that anything in Python has to do: each line to a dictionary."""
    began, decode = time.process_time(), msgspec.json.Decoder().decode
    with (folder / "x.jsonl").open("rb") as lines:
        for line in lines:
            decode(line)
    return time.process_time() - began


def check(folder: Path, *words: str) -> tuple[float, float]:
    """Wall seconds and CPU seconds of the command as its users start it."""
    command = [sys.executable, "-m", "streamspc", "check", "--config.file", str(folder / "bench.yaml"), *words]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode in {0, 1}, done.stderr
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder)
        print(f"{'on one core, ' + format(RECORDS, ',') + ' records':44}    wall     CPU")
        print(f"{'JSON Lines to dictionaries alone':44}         {decoding(folder):6.2f} s")
        points = str(folder / "points.jsonl")
        for words in (["x.jsonl"], ["x.jsonl", "--points", points], ["x.csv"]):
            wall, cpu = check(folder, "--input", str(folder / words[0]), *words[1:])
            print(f"{'check ' + ' '.join(Path(word).name for word in words):44}{wall:6.2f} s {cpu:6.2f} s")


if __name__ == "__main__":
    main()
