"""The published JSON Schema and the published examples."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from streamspc.cli.check_config import schema_text
from streamspc.settings import load

CONFIG = Path(__file__).parents[3] / "config"
EXAMPLES = sorted(CONFIG.glob("*.yaml"))
VALIDATOR = jsonschema.Draft202012Validator(json.loads((CONFIG / "schema.json").read_text()))
MINIMAL: dict[str, Any] = {
    "app": "shop",
    "kafka": {"bootstrap_servers": "localhost:9092"},
    "streams": [{"name": "orders", "topic": "orders", "metrics": [{"name": "volume", "kind": "count"}]}],
}


@pytest.fixture
def environment(tmp_path):
    """What the examples want to be set."""
    (tmp_path / "slack-url").write_text("https://example.org/chat")
    (tmp_path / "pagerduty-key").write_text("R0UT1NGK3Y")
    return {
        "KAFKA_BOOTSTRAP_SERVERS": "localhost:9092",
        "CHAT_URL": "http://127.0.0.1:8080/chat",
        "SLACK_URL_FILE": str(tmp_path / "slack-url"),
        "PAGERDUTY_KEY_FILE": str(tmp_path / "pagerduty-key"),
    }


def test_the_schema_in_the_repository_is_current():
    """`UPDATE_GOLDENS=1` writes it anew, as `streamspc check-config --schema > config/schema.json` does."""
    path = CONFIG / "schema.json"
    if os.environ.get("UPDATE_GOLDENS"):
        path.write_text(schema_text())

    assert path.read_text() == schema_text()


def test_the_schema_is_a_schema():
    """By the rules of its own draft."""
    jsonschema.Draft202012Validator.check_schema(VALIDATOR.schema)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_load(path, environment):
    """Each of them may start."""
    assert load(path, environment).semantics.streams


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_right_in_an_editor(path):
    """Before variables are replaced; and they tell the editor where the schema is."""
    assert path.read_text().startswith("# yaml-language-server: $schema=./schema.json\n")
    assert [error.message for error in VALIDATOR.iter_errors(yaml.safe_load(path.read_text()))] == []


def test_every_key_is_explained_in_the_schema():
    """An editor shows what a key means."""
    parts = [VALIDATOR.schema, *VALIDATOR.schema["$defs"].values()]
    keys = [item for part in parts for item in part.get("properties", {}).items()]
    silent = [name for name, key in keys if not key.get("description") and not VALIDATOR.schema["$defs"][key["$ref"][8:]]["description"]]

    assert len(keys) > 80
    assert silent == []


@pytest.mark.parametrize(
    "change",
    [
        {"ap": 1},
        {"app": "a b"},
        {"charts": {"partitions": 257}},
        {"charts": {"partitions": "4"}},
        {"drain": 25},
        {"drain": "25"},
        {"log": {"level": "loud"}},
        {"streams": []},
        {"streams": [MINIMAL["streams"][0] | {"metrics": [{"name": "m", "kind": "mean"}]}]},
        {"streams": [MINIMAL["streams"][0] | {"metrics": [{"name": "m", "kind": "count", "field": "x"}]}]},
        {"streams": [MINIMAL["streams"][0] | {"event_time": "Kafka"}]},
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(tmp_path, change):
    """An editor marks what would not start."""
    path = tmp_path / "x.yaml"
    path.write_text(json.dumps(MINIMAL | change))

    assert VALIDATOR.is_valid(MINIMAL)
    assert not VALIDATOR.is_valid(MINIMAL | change)
    with pytest.raises(Exception, match=r"x\.yaml:1:"):
        load(path, {})
