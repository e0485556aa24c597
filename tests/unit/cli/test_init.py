"""`streamspc init`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streamspc.cli import main
from streamspc.kafka_io import client
from streamspc.kafka_io.memory import MemoryKafka
from streamspc.kafka_io.port import Place, Send, TopicPlan
from streamspc.settings import load

BEGIN = 1_767_225_600_000


@pytest.fixture
def kafka(monkeypatch, tmp_path):
    """A cluster with a topic of two partitions, of which one record is no JSON."""
    made = MemoryKafka()
    made.admin().create([TopicPlan("shop.orders", 2, {}), TopicPlan("empty", 1, {})], 1)
    for partition in (0, 1):
        values = [json.dumps({"at": BEGIN + 1000 * i, "amount": i % 7 + 0.5, "country": "DF"[i % 2]}).encode() for i in range(300)]
        send = Send(
            Place("shop.orders", partition), [None] * 301, [*values, b'{"a": "\xff"}'], None, [BEGIN + 1000 * i for i in range(301)]
        )
        made.producer("source").transact([send], {}, None, None, 5.0)
    monkeypatch.setattr(client, "KafkaPython", lambda *_: made)
    monkeypatch.chdir(tmp_path)
    return made


def test_a_topic_becomes_a_file_that_loads(kafka, capsys):
    """With what was seen beside each choice, and what to do next."""
    assert main(["init", "--topic", "shop.orders", "--bootstrap", "localhost:9092", "--out", "c.yaml"]) == 0
    said = capsys.readouterr().err
    assert "600 records read" in said
    assert "2 records are no JSON objects" in said
    assert "next: streamspc topics create c.yaml" in said
    semantics = load("c.yaml", {}).semantics
    assert semantics.app == "shop-orders"
    [stream] = semantics.streams
    assert (stream.topic, stream.event_time.field, stream.segment_by) == ("shop.orders", "at", ("country",))


def test_no_more_than_the_sample_is_read(kafka, capsys):
    """The newest, evenly over partitions."""
    assert main(["init", "--topic", "shop.orders", "--bootstrap", "localhost:9092", "--sample", "100"]) == 0
    out, said = capsys.readouterr()
    assert "96 records read" in said
    assert "app: shop-orders" in out


def test_what_is_wrong_is_said(kafka, capsys):
    """A file that is there, a topic that is not, and one without records."""
    Path("c.yaml").write_text("precious")
    assert main(["init", "--topic", "shop.orders", "--bootstrap", "h:1", "--out", "c.yaml"]) == 2
    assert "is there already" in capsys.readouterr().err
    assert Path("c.yaml").read_text() == "precious"
    assert main(["init", "--topic", "nowhere", "--bootstrap", "h:1"]) == 4
    assert "there is no topic nowhere" in capsys.readouterr().err
    assert main(["init", "--topic", "empty", "--bootstrap", "h:1"]) == 4
    assert "has no record to look at" in capsys.readouterr().err
