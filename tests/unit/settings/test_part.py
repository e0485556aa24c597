"""Durations, numbers, and secrets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from streamspc.model import Secret
from streamspc.settings.document import Substituted
from streamspc.settings.part import Duration, Integer, Number, SecretFile, SecretText, Switch, microseconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5us", 5),
        ("1ms", 1_000),
        ("90s", 90_000_000),
        ("5m", 300_000_000),
        ("2h", 7_200_000_000),
        ("1d", 86_400_000_000),
        ("1w", 604_800_000_000),
    ],
)
def test_a_duration_has_a_unit(text, expected):
    """Microseconds of each unit."""
    assert microseconds(text) == expected


@pytest.mark.parametrize("text", ["", "5", "s", "-5s", "1.5s", "5 s", "5 minutes", "1h30m", "5S", "\uff19s", "5s\n"])
def test_what_is_not_a_duration_is_refused(text):
    """No sign, no fraction, no space, nothing compound: one way to write each."""
    with pytest.raises(PydanticCustomError, match="expected a duration"):
        microseconds(text)


@pytest.mark.parametrize("text", ["3661d", "9" * 30 + "us", "9" * 10_000 + "d"])
def test_durations_end_at_ten_years(text):
    """So that microseconds never overflow."""
    with pytest.raises(PydanticCustomError, match="at most 3660d"):
        microseconds(text)


def test_text_stands_for_a_number_only_when_it_comes_from_the_environment():
    """`"4"` in the file is a mistake; `${N}` has no other way to be 4."""
    assert TypeAdapter(Integer).validate_python(Substituted("4")) == 4
    assert TypeAdapter(Number).validate_python(Substituted("4.5")) == 4.5
    assert TypeAdapter(Switch).validate_python(Substituted("true")) is True
    for kind, value in (
        (Integer, "4"),
        (Number, "4"),
        (Switch, "true"),
        (Switch, 1),
        (Integer, True),
        (Integer, 4.0),
        (Integer, Substituted("x")),
    ):
        with pytest.raises(ValidationError):
            TypeAdapter(kind).validate_python(value)


def test_a_duration_is_kept_as_plain_text():
    """Whatever class of text it came as."""
    assert type(TypeAdapter(Duration).validate_python(Substituted("5m"))) is str


def test_secrets_do_not_show():
    """Neither in the representation of what holds them nor as text."""
    secret = TypeAdapter(SecretText).validate_python(Substituted("hunter2"))

    assert secret.reveal() == "hunter2"
    assert "hunter2" not in f"{secret!r} {secret}"


def test_a_secret_file_is_read_beside_the_configuration(tmp_path: Path):
    """Its last line end is not part of the secret; the path may be relative to the configuration's folder, or absolute."""
    (tmp_path / "password").write_text("hunter2 \r\n")
    adapter = TypeAdapter(SecretFile)

    for path in ("password", str(tmp_path / "password")):
        assert adapter.validate_python(path, context={"folder": tmp_path}) == Secret("hunter2 ")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "cannot read 'it': No such file or directory"),
        (b"\n", "has to hold 1 to 65536 bytes"),
        (b"x" * 65_537, "1 to 65536 bytes"),
        (b"\xff", "not a text in UTF-8"),
    ],
)
def test_a_secret_file_that_holds_no_secret_is_a_fault(tmp_path: Path, content, fault):
    """Missing, empty, huge or binary."""
    if content is not None:
        (tmp_path / "it").write_bytes(content)

    with pytest.raises(ValidationError, match=re.escape(fault)):
        TypeAdapter(SecretFile).validate_python("it", context={"folder": tmp_path})
