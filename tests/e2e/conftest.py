"""One source topic, what the oracle makes of it, and one run without faults, shared by all end-to-end tests."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import pytest

from e2e.oracle import foresee
from e2e.orders import STREAM, orders
from e2e.outcome import outcome
from e2e.stage import Application, Receivers, command, foreign, make_topic, produce

SOURCE = "e2e.orders"


@pytest.fixture(scope="session")
def receivers():
    """Receivers on loopback."""
    server = Receivers()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def source(broker):
    """The source topic's records, as a foreign reader finds them."""
    make_topic(broker.address, SOURCE)
    produce(broker.address, SOURCE, orders())
    return foreign(broker.address, SOURCE)


@pytest.fixture(scope="session")
def foreseen(source):
    """What has to come out."""
    return foresee(source, STREAM)


@pytest.fixture(scope="session")
def application(broker, receivers, tmp_path_factory):
    """Opens an application by name, on the shared source topic or another one."""

    @contextmanager
    def opened(app, topic=SOURCE):
        one = Application(app, broker.address, topic, tmp_path_factory.mktemp(app), receivers)
        try:
            yield one
        finally:
            one.stop()

    return opened


@pytest.fixture(scope="session")
def reference(source, application):
    """The outcome of a run without faults, and its application."""
    with application("e2e-plain") as app:
        file = app.write()
        assert command("topics", "create", str(file)).returncode == 0
        daemon = app.start(file, "--until-end")
        assert daemon.wait() == 0, daemon.said()
        yield app, outcome(file)
