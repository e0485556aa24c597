"""Files with faults: each carries its problems in comments, `# wants: line:column: text` (a text that ends in `...` is a beginning)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from streamspc.errors import ConfigError
from streamspc.settings import load

FAULTY = sorted((Path(__file__).parents[2] / "fixtures" / "config").glob("*.yaml"))
SECRETS = ("hunter2", "xyzzy")


@pytest.mark.parametrize("path", FAULTY, ids=lambda path: path.stem)
def test_all_problems_are_reported_at_once_with_their_place_and_cure(path):
    """Every fault of a file is one line of one error, in the order of the file, and nothing else is."""
    wanted = re.findall(r"^# wants: (.*)$", path.read_text(), re.MULTILINE)

    with pytest.raises(ConfigError) as caught:
        load(path, {"A_SECRET": "xyzzy"})

    found = [line.removeprefix(f"{path}:") for line in caught.value.problems]
    assert wanted
    assert sorted(_cut(line, wanted) for line in found) == sorted(wanted)
    assert found == sorted(found, key=lambda line: [int(number) for number in line.split(":")[:2]])


@pytest.mark.parametrize("path", FAULTY, ids=lambda path: path.stem)
def test_no_problem_shows_a_secret(path):
    """Neither a secret that was written in place nor one from the environment is in any message."""
    with pytest.raises(ConfigError) as caught:
        load(path, {"A_SECRET": "xyzzy"})

    assert not [secret for secret in SECRETS if secret in repr(caught.value)]


def _cut(line: str, wanted: list[str]) -> str:
    """The line, or the beginning of it that is wanted."""
    return next((want for want in wanted if want.endswith("...") and line.startswith(want[:-3])), line)
