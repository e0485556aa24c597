"""`streamspc topics`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streamspc.cli import main
from streamspc.cli.codes import ExitCode
from streamspc.errors import Transient
from streamspc.kafka_io import client
from streamspc.kafka_io.port import TopicPlan
from streamspc.settings import load

MINIMAL = Path(__file__).parents[3] / "config" / "minimal.yaml"
MADE = {
    "orders.clean",
    "orders.quarantine",
    *(f"shop.{role}" for role in ("tallies", "points", "signals", "verdicts", "snapshots", "outbox", "control")),
}


class Cluster:
    """Topics in a dictionary, behind what `topics` asks of Kafka."""

    def __init__(self) -> None:
        self.topics = {"orders": TopicPlan("orders", 6)}
        self.replication: set[int] = set()
        self.open = 0

    def __call__(self, local: object) -> Cluster:
        """Stands for `KafkaPython(local)`."""
        return self

    def admin(self) -> Cluster:
        """Connect."""
        self.open += 1
        return self

    def close(self) -> None:
        """Disconnect."""
        self.open -= 1

    def describe(self, names):
        """Those that exist."""
        return {name: self.topics[name] for name in names if name in self.topics}

    def create(self, plans, replication):
        """Make them."""
        self.replication.add(replication)
        self.topics |= {plan.name: plan for plan in plans}


@pytest.fixture
def cluster(monkeypatch):
    """A cluster that holds the source topic only."""
    made = Cluster()
    monkeypatch.setattr(client, "KafkaPython", made)
    return made


def test_create_makes_what_is_missing_and_says_so(cluster, capsys):
    """Outputs get the partitions of their source; a second time there is nothing to do."""
    assert main(["topics", "create", str(MINIMAL)]) == ExitCode.OK
    assert {line.removeprefix("created ") for line in capsys.readouterr().out.splitlines()[:-1]} == MADE
    assert cluster.topics.keys() - {"orders"} == MADE
    assert cluster.topics["orders.clean"].partitions == 6
    assert cluster.replication == {1}

    assert main(["topics", "create", str(MINIMAL)]) == ExitCode.OK
    assert capsys.readouterr().out == "OK: the topics of shop are as they have to be\n"
    assert cluster.open == 0


def test_check_tells_what_is_wrong_and_changes_nothing(cluster, capsys):
    """Missing topics and wrong settings are findings: exit code 1."""
    assert main(["topics", "check", str(MINIMAL), "--json"]) == ExitCode.FINDINGS
    answer = json.loads(capsys.readouterr().out)

    assert (answer["ok"], answer["created"]) == (False, [])
    assert {line.partition(":")[0] for line in answer["findings"]} == MADE
    assert cluster.topics.keys() == {"orders"}


def test_create_leaves_what_exists_and_tells_what_is_wrong_with_it(cluster, capsys):
    """A topic with too few partitions is its owner's to mend."""
    cluster.topics["shop.tallies"] = TopicPlan("shop.tallies", 1)

    assert main(["topics", "create", str(MINIMAL)]) == ExitCode.FINDINGS
    assert "shop.tallies: has 1 partitions, needs 4" in capsys.readouterr().out
    assert cluster.topics["shop.tallies"].partitions == 1


def test_a_source_topic_is_never_created(cluster, capsys):
    """Its partitions are its owner's choice, so nothing else can be planned without it."""
    del cluster.topics["orders"]

    assert main(["topics", "create", str(MINIMAL)]) == ExitCode.FINDINGS
    assert capsys.readouterr().out == "orders: the source topic does not exist; create it first\n"
    assert cluster.topics == {}


def test_the_connection_is_closed_when_kafka_fails(cluster, monkeypatch, capsys):
    """And the exit code says who did not answer."""

    def fail(names):
        raise Transient("timed out")

    monkeypatch.setattr(cluster, "describe", fail)

    assert main(["topics", "check", str(MINIMAL)]) == ExitCode.UNREACHABLE
    assert capsys.readouterr().err == "streamspc: Kafka does not answer: timed out\n"
    assert cluster.open == 0


@pytest.mark.kafka
def test_topics_are_made_on_kafka(broker, tmp_path, capsys):
    """What `create` makes is what `check` wants, and what the source lacks is told."""
    path = tmp_path / "x.yaml"
    path.write_text(
        MINIMAL.read_text()
        .replace("app: shop", "app: shop-on-kafka")
        .replace("localhost:9092", broker.address)
        .replace("orders", "orders-on-kafka")
    )
    assert main(["topics", "create", str(path)]) == ExitCode.FINDINGS
    assert capsys.readouterr().out == "orders-on-kafka: the source topic does not exist; create it first\n"
    admin = client.KafkaPython(load(path, {}).local.kafka).admin()
    admin.create([TopicPlan("orders-on-kafka", 3)], 1)
    admin.close()

    assert main(["topics", "check", str(path)]) == ExitCode.FINDINGS
    assert capsys.readouterr().out.count("does not exist") == len(MADE)
    assert main(["topics", "create", str(path)]) == ExitCode.OK
    assert main(["topics", "check", str(path)]) == ExitCode.OK
    assert capsys.readouterr().out.count("OK: the topics of shop-on-kafka are as they have to be\n") == 2
