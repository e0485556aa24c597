"""`streamspc check-config`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streamspc.cli import main
from streamspc.cli.codes import ExitCode
from streamspc.settings import load

MINIMAL = Path(__file__).parents[3] / "config" / "minimal.yaml"


def test_a_good_file_is_summed_up(capsys):
    """With the hash that travels in the logs."""
    assert main(["check-config", str(MINIMAL)]) == ExitCode.OK
    out, err = capsys.readouterr()

    assert out.startswith(f"{MINIMAL}: OK\n  app: shop\n  configuration: {load(MINIMAL, {}).semantics.hash()}\n")
    assert err == ""


def test_a_good_file_is_summed_up_in_json(capsys):
    """For scripts."""
    assert main(["check-config", "--json", str(MINIMAL)]) == ExitCode.OK
    answer = json.loads(capsys.readouterr().out)

    assert (answer["ok"], answer["app"], answer["configuration"]) == (True, "shop", load(MINIMAL, {}).semantics.hash())


@pytest.mark.parametrize("how", [[], ["--json"]])
def test_problems_are_listed(how, tmp_path, capsys):
    """On stderr one a line, or in JSON on stdout; exit code 2 both times."""
    path = tmp_path / "x.yaml"
    path.write_text("app: shop\nkafka: {}\nstreams: []\n")
    problems = [f"{path}:2:1: kafka.bootstrap_servers: missing", f"{path}:3:10: streams: expected at least one"]

    assert main(["check-config", str(path), *how]) == ExitCode.USAGE
    out, err = capsys.readouterr()
    if how:
        assert json.loads(out) == {"file": str(path), "ok": False, "problems": problems}
    else:
        assert (out, err.splitlines()) == ("", problems)


def test_the_schema_is_printed(capsys):
    """As it is published."""
    assert main(["check-config", "--schema"]) == ExitCode.OK
    assert capsys.readouterr().out == MINIMAL.with_name("schema.json").read_text()
