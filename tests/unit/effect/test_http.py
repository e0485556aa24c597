"""One guarded POST, against servers that behave and servers that do not."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from streamspc.effect import alertmanager, http, signature
from streamspc.effect import sender as sender_module
from streamspc.effect.address import Target, public, resolve
from streamspc.effect.sender import build
from streamspc.errors import ConfigError
from streamspc.model import Labels, Notice, ReceiverLocal, Secret, Semantics, Signal, Told

CERTIFICATE = Path(__file__).with_name("self_signed.pem")  # of 127.0.0.1, for a hundred years, with its key
KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD, OTHER = "whsec_AAKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_BBKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Listener(ThreadingHTTPServer):
    """Remembers what it got, and how much it sent."""

    def __init__(self, handler):
        super().__init__(("127.0.0.1", 0), handler)
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.sent = 0


class Receiver(BaseHTTPRequestHandler):
    """Does what the path says, and remembers what it got."""

    protocol_version = "HTTP/1.1"
    server: Listener

    def do_POST(self):
        """Remember the message, answer as the path says."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers), body))
        with contextlib.suppress(OSError):
            getattr(self, "_" + self.path.strip("/").partition("?")[0])()

    def _reply(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _ok(self):
        self._reply(200, b"ok")

    def _limited(self):
        self._reply(429, b"slow down", Retry_After="7")

    def _broken(self):
        self._reply(500, b"oops")

    def _refuses(self):
        self._reply(400, b"invalid\x00_blocks " + b"x" * 500)

    def _tells(self):
        self._reply(404, f"no such path: {self.path}".encode())

    def _redirect(self):
        self._reply(307, Location=f"http://127.0.0.1:{self.server.server_port}/ok")

    def _slow(self):
        time.sleep(1.0)
        self._reply(200)

    def _drips(self):
        for byte in b"HTTP/1.1 200 OK" * 10:
            self.wfile.write(bytes([byte]))
            time.sleep(0.05)

    def _trickles(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for _ in range(100):
            self.wfile.write(b"x: y\r\n")
            time.sleep(0.05)

    def _huge(self):
        self.send_response(400)
        self.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(2_000):
                self.wfile.write(b"x" * 65_536)
                self.server.sent += 65_536
        self.close_connection = True

    def _nonsense(self):
        self.wfile.write(b"I am not HTTP\r\n\r\n")
        self.close_connection = True

    def _hangs_up(self):
        self.close_connection = True

    def log_message(self, *args):
        """Say nothing."""


@pytest.fixture
def server():
    """A receiver on loopback."""
    httpd = Listener(Receiver)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield httpd
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def door(server, path="/ok", timeout=5.0, *, allow_private=True, host="127.0.0.1"):
    """A door to a path of the server."""
    return http.Door.of(Target.parse("r", f"http://{host}:{server.server_port}{path}"), timeout, allow_private=allow_private)


def post(server, path, **how):
    """The answer of a path."""
    return http.post(door(server, path, **how), {"Content-Type": "application/json"}, b"{}")


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/ok", (200, None, "")),
        ("/limited", (429, "7", "slow down")),
        ("/broken", (500, None, "")),
        ("/redirect", (307, None, "")),
        ("/refuses", (400, None, ("invalid _blocks " + "x" * 500)[:120])),
        ("/tells?token=secret", (404, None, "")),
        ("/nonsense", (0, None, "127.0.0.1: BadStatusLine")),
        ("/hangs_up", (0, None, "127.0.0.1: RemoteDisconnected")),
    ],
)
def test_answers(server, path, answer):
    """An answer is its status, Retry-After and the words of a refusal; what is no HTTP is no answer. Redirects are not followed."""
    assert post(server, path) == answer
    assert len(server.got) == 1


@pytest.mark.parametrize("path", ["/slow", "/drips"])
def test_a_post_takes_no_longer_than_its_time(server, path):
    """A receiver that is silent, or sends a byte now and then, is left when the time is over."""
    begun = time.monotonic()

    assert post(server, path, timeout=0.3) == (0, None, "127.0.0.1: no answer in 0.3 s")
    assert time.monotonic() - begun < 0.9


def test_a_status_is_enough(server):
    """A receiver that says 200 and then takes for ever over its headers has said 200, and is left when the time is over."""
    begun = time.monotonic()

    assert post(server, "/trickles", timeout=2.0).status == 200
    assert time.monotonic() - begun < 4


def test_a_huge_answer_is_not_read(server):
    """Of an answer of 130 MB some kilobytes are read."""
    assert post(server, "/huge").status == 400
    time.sleep(0.1)
    assert server.sent < 16_000_000


def test_nobody_listens():
    """A refused connection and an unknown name are no answers, and their errors name the host only."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    refused = http.post(http.Door.of(Target.parse("r", f"http://127.0.0.1:{port}/token"), 1.0, allow_private=True), {}, b"")
    unknown = http.post(http.Door.of(Target.parse("r", "http://nowhere.invalid/token"), 1.0, allow_private=True), {}, b"")
    strange = http.post(http.Door.of(Target.parse("r", f"http://{'a' * 70}.example/token"), 1.0, allow_private=True), {}, b"")

    assert refused == (0, None, "127.0.0.1: ConnectionRefusedError")
    assert unknown == (0, None, "nowhere.invalid: name not found")
    assert strange == (0, None, f"{'a' * 70}.example: name not found")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_private_addresses_are_denied(server, host):
    """Without leave nothing is sent to this machine, however it is called."""
    answer = post(server, "/ok", allow_private=False, host=host)

    assert answer == (0, None, f"{host}: private address, allowed only with allow_private")
    assert server.got == []


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("2002:7f00:1::", False),
        ("64:ff9b::7f00:1", False),
        ("ff02::1", False),
    ],
)
def test_public_addresses(address, allowed):
    """Private, shared, local and group addresses are not public, nor are IPv6 addresses that stand for one."""
    assert public(address) is allowed


def test_the_checked_address_is_the_one_connected_to(server, monkeypatch):
    """A name that changes its address after the check changes nothing: it is resolved once."""
    asked = []

    def rebinding(host, port, **how):
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "127.0.0.2"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)

    assert post(server, "/ok", host="hooks.example").status == 200
    assert asked == ["hooks.example"]
    assert server.got[0][0]["Host"] == f"hooks.example:{server.server_port}"


def test_the_next_address_is_tried(server, monkeypatch):
    """Where the first address does not answer, the next one is tried; denied ones are left out."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, server.server_port)) for address in ("127.0.0.9", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, port, **how: found)

    assert post(server, "/ok", host="hooks.example").status == 200
    assert resolve(Target.parse("r", "http://hooks.example"), allow_private=False) == []


@pytest.mark.parametrize(
    ("known", "host", "answer"),
    [
        (True, "127.0.0.1", (200, None, "")),
        (False, "127.0.0.1", (0, None, "127.0.0.1: certificate: self-signed certificate")),
        (True, "localhost", (0, None, "localhost: certificate: Hostname mismatch, certificate is not valid for 'localhost'.")),
    ],
)
def test_a_certificate_must_be_valid(server, known, host, answer):
    """A server gets a message when somebody known vouches for it under the name that was asked for, and only then."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    through = http.Door.of(Target.parse("r", f"https://{host}:{server.server_port}/ok"), 5.0, allow_private=True)
    if known:
        through = through._replace(tls=ssl.create_default_context(cafile=str(CERTIFICATE)))

    assert http.post(through, {}, b"secret") == answer
    assert [body for _, body in server.got] == ([b"secret"] if answer[0] else [])


@pytest.mark.parametrize(
    "url", ["ftp://x/y", "https://", "nonsense", "http://[::1", "https://x:99999/", "https://user:pass@x/", "https://x y/"]
)
def test_wrong_urls_are_refused_at_start(url):
    """A URL that cannot work is refused, and is not repeated."""
    with pytest.raises(ConfigError) as caught:
        Target.parse("chat", url)

    assert "receiver chat: url" in str(caught.value)
    assert url == "https://" or url not in str(caught.value)


@pytest.mark.parametrize("secret", ["plain", "whsec_", "whsec_!!!!"])
def test_wrong_secrets_are_refused_at_start(secret):
    """A secret that is no key is refused, and is not repeated."""
    with pytest.raises(ConfigError, match="receiver chat: secret: expected whsec_") as caught:
        signature.key("chat", Secret(secret))

    assert secret == "whsec_" or secret not in str(caught.value)


NONE = Semantics(app="a", chart_partitions=1, streams=())
SIGNAL = Signal(kind="open", stream="s", config="c", segment="ü")
TOLD = Told(SIGNAL, Labels("s", "", "ü", "warning", "", "0", "e"))
NOTICE = Notice("abc123", "g", "firing", (TOLD,))


def sent(sender, notice=NOTICE):
    """The status of a notice that is rendered and posted."""
    body, content_type = sender.render(notice)
    return sender.post(notice.id, body, content_type, time.time_ns() // 1000).status


def test_a_message_is_signed_as_the_standard_says(server):
    """The reference implementation accepts a sent message by either key, and its id is the idempotency key."""
    url = Secret(f"http://127.0.0.1:{server.server_port}/ok?token=1&x=ü")
    keys = Secret(KEY), Secret(OLD)

    assert sent(build(ReceiverLocal("hook", "webhook", (url,), keys, allow_private=True), NONE)) == 200

    headers, content = server.got[0]
    lower = {name.lower(): value for name, value in headers.items()}
    for key in (KEY, OLD):
        Webhook(key).verify(content, lower)
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(content, lower)
    assert json.loads(content)["episodes"][0]["segment"] == "ü"
    assert headers["Idempotency-Key"] == headers["webhook-id"] == "abc123"
    assert headers["Content-Type"] == "application/json"


def test_a_message_without_a_secret_is_not_signed():
    """Without a key there is an id and a time, and no signature."""
    assert signature.headers([], "id", 5, b"") == {"webhook-id": "id", "webhook-timestamp": "5"}


def test_an_envelope_is_a_cloudevent(server):
    """The type of the content says that it is one, and the attributes that CloudEvents 1.0 requires are there."""
    url = Secret(f"http://127.0.0.1:{server.server_port}/ok")

    assert sent(build(ReceiverLocal("hook", "webhook", (url,), cloudevents=True, allow_private=True), NONE)) == 200

    headers, content = server.got[0]
    event = json.loads(content)
    assert headers["Content-Type"] == "application/cloudevents+json"
    assert (event["specversion"], event["id"], event["source"], event["type"]) == (
        "1.0",
        "abc123",
        "/streamspc/a",
        "io.streamspc.episodes.v1",
    )
    assert event["data"]["id"] == "abc123"


def test_a_record_is_a_cloudevent_in_binary_mode():
    """Attributes are headers, the value is the body alone, and the key keeps the messages of a group in their order."""
    record = build(ReceiverLocal("topic", "kafka", topic="t"), NONE).record(NOTICE)

    assert record.key == b"g"
    assert json.loads(record.value)["id"] == "abc123"
    assert dict(record.headers) == {
        "content-type": b"application/json",
        "ce_specversion": b"1.0",
        "ce_id": b"abc123",
        "ce_source": b"/streamspc/a",
        "ce_type": b"io.streamspc.episodes.v1",
        "ce_subject": b"g",
        "ce_time": b"1970-01-01T00:00:00+00:00",
    }


def test_the_routing_key_is_in_what_is_sent_and_nowhere_else(server):
    """What is rendered, and so stored, has no key; what arrives has; nothing is signed with it."""
    url = Secret(f"http://127.0.0.1:{server.server_port}/ok")
    sender = build(ReceiverLocal("pager", "pagerduty", (url,), (Secret("R0UT1NG"),), allow_private=True), NONE)

    assert sent(sender) == 200
    assert "R0UT1NG" not in sender.render(NOTICE).body

    headers, content = server.got[0]
    assert json.loads(content)["routing_key"] == "R0UT1NG"
    assert "webhook-signature" not in {name.lower() for name in headers}


def test_a_chat_of_google_threads(server):
    """The address asks for threads, beside what it had."""
    url = Secret(f"http://127.0.0.1:{server.server_port}/ok?key=1&token=2")
    target = sender_module._door(ReceiverLocal("g", "google_chat", (url,)), url.reveal()).target

    assert target.path == "/ok?key=1&token=2&messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"


@pytest.mark.parametrize(
    ("paths", "status"),
    [
        (("/broken", "/ok"), 200),
        (("/refuses", "/broken"), 500),
        (("/refuses", "/limited"), 429),
        (("/refuses", "/refuses"), 400),
    ],
)
def test_every_peer_hears_and_the_best_answer_counts(server, paths, status, monkeypatch):
    """One peer that took it is enough; one that may take it later is reason to try again."""
    monkeypatch.setattr(alertmanager, "PATH", "")
    urls = tuple(Secret(f"http://127.0.0.1:{server.server_port}{path}") for path in paths)
    sender = build(ReceiverLocal("alerts", "alertmanager", urls, allow_private=True), NONE)
    (body, content_type) = sender.alerts([TOLD], 0)[0]

    assert sender.post("id", body, content_type, 0).status == status
    assert [content for _, content in server.got] == [body.encode()] * 2
