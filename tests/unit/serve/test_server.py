"""The HTTP server: what each address says, to whom, and for how long."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import time

import pytest

from streamspc.errors import ConfigError
from streamspc.model import Family, View
from streamspc.serve import server as server_module
from streamspc.serve.answers import Answers
from streamspc.serve.health import healthy, ready
from streamspc.serve.server import Server

READY = View("chart", ready=True, turned=1000.0)


class Process:
    """Views that a test changes, on a clock that it sets."""

    def __init__(self):
        self.views, self.now = [READY], 1000.0
        self.server = Server("127.0.0.1:0", Answers(lambda: self.views, "0123abcd", 300.0, lambda: self.now, since=900.0))
        self.server.start()

    def ask(self, path, method="GET", **headers):
        """Status, headers and body of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=5)
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response.status, dict(response.getheaders()), body


@pytest.fixture
def process():
    """A process that serves."""
    found = Process()
    yield found
    found.server.close()


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/-/healthy", 200, b"healthy\n"),
        ("/healthz", 200, b"healthy\n"),
        ("/livez", 200, b"healthy\n"),
        ("/-/ready", 200, b"ready\n"),
        ("/readyz", 200, b"ready\n"),
        ("/-/ready?verbose", 200, b"ready\n"),
        ("/nowhere", 404, b"not found\n"),
        ("/metrics/", 404, b"not found\n"),
    ],
)
def test_addresses(process, path, status, body):
    """Each address has its answer, under each of its names."""
    assert process.ask(path)[::2] == (status, body)


def test_not_ready_says_why(process):
    """A process with a role that waits is not ready, and says in JSON which role waits for what; it is healthy all the same."""
    process.views = [READY, View("gate.s", not_ready_because=("waiting for partitions", "no verdicts yet"), turned=1000.0), View("x")]
    status, headers, body = process.ask("/-/ready")

    assert (status, headers["Content-Type"]) == (503, "application/jsonl; charset=utf-8")
    assert [json.loads(line) for line in body.splitlines()] == [
        {"role": "gate.s", "reason": "waiting for partitions"},
        {"role": "gate.s", "reason": "no verdicts yet"},
        {"role": "x", "reason": "not ready"},
    ]
    assert process.ask("/-/healthy")[0] == 200


def test_stuck_loop_is_unhealthy(process):
    """A loop that has not turned for longer than the poll interval makes the process unhealthy."""
    process.now = 1300.0
    assert process.ask("/-/healthy")[0] == 200

    process.now = 1301.0
    status, _, body = process.ask("/livez")

    assert (status, json.loads(body)) == (503, {"role": "chart", "reason": "has not turned for 301 s"})


def test_loop_that_never_turned_counts_from_the_start():
    """A role in its first connect is healthy for one poll interval, and none is no reason to be unhealthy."""
    assert healthy([View("chart")], 900.0, 1200.0, 300.0).good
    assert not healthy([View("chart")], 900.0, 1201.0, 300.0).good
    assert healthy([], 900.0, 9000.0, 300.0).good
    assert ready([]).reasons == ({"role": "", "reason": "no role has started"},)


def test_page_links_and_shows_roles(process):
    """The page names the version, the addresses and each role's state, and shows text as text."""
    process.views = [READY, View("notify.<b>", not_ready_because=("<script>",))]
    status, headers, body = process.ask("/")

    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert all(part in body for part in (b'href="/metrics"', b'href="/-/ready"', b"0123abcd", b"notify.&lt;b&gt;", b"turned 0 s ago"))
    assert b"<script>" not in body


def test_metrics_in_the_format_that_is_asked_for(process):
    """Text by default, OpenMetrics by Accept, packed by Accept-Encoding; all say the same of a series."""
    process.views = [View("r", (Family("spc_windows_total", [(f"s{i}",) for i in range(100)], [7] * 100),))]
    _, headers, plain = process.ask("/metrics")
    _, open_headers, open_body = process.ask("/metrics", Accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    _, packed_headers, packed = process.ask("/metrics", Accept_Encoding="gzip")

    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert open_headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert open_body.endswith(b"# EOF\n")
    assert b"# TYPE spc_windows counter" in open_body
    assert packed_headers["Content-Encoding"] == "gzip"
    assert all(b'spc_windows_total{stream="s42"} 7.0\n' in body for body in (plain, open_body, gzip.decompress(packed)))


def test_head_is_a_get_without_a_body(process):
    """HEAD has the headers of GET."""
    status, headers, body = process.ask("/-/healthy", "HEAD")

    assert (status, headers["Content-Length"], body) == (200, "8", b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "NONSENSE"])
def test_nothing_can_be_changed(process, method):
    """Every other method is refused, and the answer says which are not."""
    status, headers, _ = process.ask("/metrics", method)

    assert (status, headers["Allow"]) == (405, "GET, HEAD")


def test_wrong_family_is_an_error_that_is_answered(process):
    """A view that does not fit the table is a 500 and not a broken connection, and the next answer is well."""
    process.views = [View("r", (Family("spc_nonsense", [], []),))]
    assert process.ask("/metrics")[0] == 500

    process.views = [READY]
    assert process.ask("/metrics")[0] == 200


def test_slow_clients_do_not_shut_out_others(process, monkeypatch):
    """Connections are bounded in number and each in time: those that say nothing are ended, and the server answers again."""
    monkeypatch.setattr(server_module, "CONNECTIONS", 4)
    monkeypatch.setattr(server_module, "DEADLINE", 0.2)
    idle = [socket.create_connection(("127.0.0.1", process.server.port)) for _ in range(8)]
    end = time.monotonic() + 10.0
    while time.monotonic() < end:
        try:
            answered = process.ask("/-/healthy")[0]
        except (http.client.HTTPException, OSError):
            time.sleep(0.05)
        else:
            break
    closed = [client.recv(1) for client in idle]
    for client in idle:
        client.close()

    assert answered == 200
    assert closed == [b""] * 8


@pytest.mark.parametrize("listen", ["localhost", "9404", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000", "no.such.host.invalid:0"])
def test_wrong_addresses_are_refused(listen):
    """An address that cannot be listened on is an error of the configuration, which names it."""
    with pytest.raises(ConfigError, match=listen):
        Server(listen, Answers(list, "h"))


def test_taken_port_is_refused(process):
    """A port that another process has is an error of the configuration."""
    with pytest.raises(ConfigError, match="in use"):
        Server(f"127.0.0.1:{process.server.port}", Answers(list, "h"))


@pytest.mark.parametrize("listen", [":0", "localhost:0", "127.0.0.1:0"])
def test_ways_to_name_an_address(listen):
    """All addresses, a name, or a number: the port is reported, and free again after close."""
    server = Server(listen, Answers(list, "h"))
    server.start()
    port = server.port
    with socket.create_connection(("localhost", port)):
        server.close()

    assert port > 0
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port))
