"""Logs: each renderer, other people's loggers, and that secrets stay out."""

from __future__ import annotations

import io
import json
import logging
import re
import warnings

import pytest
import structlog

from streamspc import log
from streamspc.model import Secret

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z"
SECRET = 'https://hooks.example.org/T0/"x"\\y'


@pytest.fixture(autouse=True)
def _restored():
    """The logs of the test run are left as they were."""
    root, ours = logging.getLogger(), logging.getLogger("streamspc")
    kept = root.handlers, root.level, ours.level
    yield
    root.handlers, root.level, ours.level = kept[0], kept[1], kept[2]
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


@pytest.fixture
def written():
    """Configures logs and gives the text that was written."""

    def make(level: str = "info", form: log.Format = "logfmt", secrets=(), terminal: bool = False) -> io.StringIO:
        stream = io.StringIO()
        stream.isatty = lambda: terminal  # type: ignore[method-assign]
        log.configure(level, form, secrets, stream)
        return stream

    return make


def ours() -> structlog.stdlib.BoundLogger:
    """A logger as modules of the package have it."""
    return structlog.stdlib.get_logger("streamspc.test")


def test_logfmt_has_time_level_logger_event_and_keys(written):
    """One line, in UTC."""
    out = written()
    ours().info("restored state", partition=3, fast=True, nothing=None)

    assert re.fullmatch(
        rf'timestamp={TIME} level=info logger=streamspc.test event="restored state" partition=3 fast=true nothing=\n', out.getvalue()
    )


def test_json_has_the_same(written):
    """One object a line, whatever the values are."""
    out = written(form="json")
    ours().warning("restored state", partition=3, path={1})
    event = json.loads(out.getvalue())

    assert re.fullmatch(TIME, event.pop("timestamp"))
    assert event == {"level": "warning", "logger": "streamspc.test", "event": "restored state", "partition": 3, "path": [1]}


def test_auto_is_console_on_a_terminal_only(written):
    """Colours are for people."""
    for terminal in (True, False):
        out = written(form="auto", terminal=terminal)
        ours().info("restored", partition=3)

        assert ("\x1b[" in out.getvalue()) is terminal
        assert out.getvalue().startswith("timestamp=") is not terminal
        assert "restored" in out.getvalue()


def test_console_without_a_terminal_has_no_colours(written):
    """For a file that people read."""
    out = written(form="console")
    ours().info("restored", partition=3)

    assert re.match(TIME, out.getvalue())
    assert "\x1b[" not in out.getvalue()


def test_the_level_is_of_our_loggers(written):
    """Others speak from warnings on, even when ours debug; configuring again replaces, and does not add."""
    written(level="debug")
    out = written(level="debug")
    ours().debug("fine")
    logging.getLogger("kafka.conn").info("chatter")
    logging.getLogger("kafka.conn").warning("broker %s gone", 3, extra={"node": 7})
    lines = out.getvalue().splitlines()

    assert len(lines) == 2
    assert re.fullmatch(rf'timestamp={TIME} level=warning logger=kafka.conn event="broker 3 gone" node=7', lines[1])
    assert "fine" in lines[0]


def test_what_is_below_the_level_is_not_written(written):
    """Information is silent at `warning`."""
    out = written(level="warning")
    ours().info("fine")

    assert out.getvalue() == ""


def test_warnings_of_python_take_the_same_way(written):
    """They are one line, too."""
    out = written()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old", UserWarning, stacklevel=1)

    assert "logger=py.warnings" in out.getvalue()


@pytest.mark.parametrize("form", ["console", "logfmt", "json"])
def test_secrets_are_masked_by_type_by_key_and_by_text(written, form):
    """In values, in nested values, in messages, in tracebacks and in what other libraries say."""
    out = written(form=form, secrets=[Secret(SECRET), Secret("")])
    ours().info("typed", holder=Secret("hunter2"), nested={"list": [Secret("hunter2")]}, tuple=(Secret("hunter2"),))
    ours().info(
        "keyed", sasl_plain_password="hunter2", url="hunter2", token="hunter2", options={"ssl_password": "hunter2"}, webhook_url="hunter2"
    )
    ours().info(f"posting to {SECRET}", to=SECRET)
    logging.getLogger("kafka").error("config %s", {"x": SECRET})
    try:
        int(SECRET)
    except ValueError:
        ours().exception("failed")
        logging.getLogger("kafka").exception("failed, too")
    text = out.getvalue()

    assert "hunter2" not in text
    assert "hooks.example.org" not in text
    assert text.count(log.MASK) >= 12
    assert text.count("Traceback") == 2


def test_addresses_that_are_meant_to_be_known_are_shown(written):
    """The page's own address is in messages anyway; keys that only look alike are no secrets."""
    out = written()
    ours().info("listening", external_url="http://page", curl="x", urls=2)

    assert "external_url=http://page curl=x urls=2" in out.getvalue()
