"""The HTTP server: a thread a connection, at most so many, each ended at its deadline whatever the other side does."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import structlog

from streamspc.errors import ConfigError
from streamspc.serve.answers import PLAIN, Reply

if TYPE_CHECKING:
    from streamspc.serve.answers import Answers

log = structlog.get_logger()

CONNECTIONS = 32  # at a time; more are closed at once
QUIET = 10.0  # seconds without a byte
DEADLINE = 30.0  # seconds of a connection in all
TICK = 0.1  # seconds between looks at what has to end
WORTH_PACKING = 1_400  # bytes


class Server:
    """Serves `answers` on `listen` ("host:port", "[::1]:port", ":port" for all addresses; port 0 lets the machine choose)."""

    def __init__(self, listen: str, answers: Answers) -> None:
        """Bind. Raises ConfigError when the address is wrong or taken."""
        self._http = _Http(_parse(listen), listen, answers)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(TICK,), name="serve", daemon=True)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._http.server_address[1])

    def start(self) -> None:
        """Answer from now on, in threads of its own."""
        self._thread.start()

    def close(self) -> None:
        """Stop listening; connections end with their answer, at the latest at their deadline."""
        if self._thread.is_alive():
            self._http.shutdown()
            self._thread.join()
        self._http.server_close()


def _parse(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65_535:
        raise ConfigError(f"listen: {listen!r}: expected host:port, as 127.0.0.1:9404, [::1]:9404 or :9404")
    return host.removeprefix("[").removesuffix("]"), int(port)


class _Http(ThreadingHTTPServer):
    """The socket, and what is open on it."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], listen: str, answers: Answers) -> None:
        self.answers = answers
        self._open: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        host, port = address
        try:
            if not host and socket.has_dualstack_ipv6():
                self.address_family, host = socket.AF_INET6, "::"
            else:
                self.address_family = socket.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_STREAM)[0][0]  # noqa: S104 - as told
            super().__init__((host, port), _Handler)
        except OSError as error:
            raise ConfigError(f"listen: {listen!r}: {error.strerror or error}; another address or port may be free") from None

    def server_bind(self) -> None:
        """Bind, without the look-up of the host's own name that could wait for a resolver."""
        if self.address_family == socket.AF_INET6:
            with suppress(OSError):
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "streamspc", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for the connection, or close it when there are too many."""
        with self._lock:
            full = len(self._open) >= CONNECTIONS
            if not full:
                self._open[request] = time.monotonic() + DEADLINE
        if full:
            log.debug("connection refused", reason="too many")
            self.shutdown_request(request)
        else:
            super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close the connection."""
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Every tick: end connections that are past their deadline."""
        now = time.monotonic()
        with self._lock:
            for request in [request for request, deadline in self._open.items() if deadline < now]:
                with suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the parent's signature
        """A connection that broke is the other side's business."""
        log.debug("connection broke", client=client_address[0])


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    server: _Http
    timeout = QUIET
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "streamspc", ""

    def do_GET(self) -> None:
        """Answer with a body."""
        self._send(self._reply(), with_body=True)

    def do_HEAD(self) -> None:
        """Answer with the headers of a GET."""
        self._send(self._reply(), with_body=False)

    def __getattr__(self, name: str) -> Any:
        """Every other method is refused."""
        if name.startswith("do_"):
            return lambda: self._send(Reply(405, PLAIN, b"only GET and HEAD\n"), with_body=True, also={"Allow": "GET, HEAD"})
        raise AttributeError(name)

    def _reply(self) -> Reply:
        try:
            return self.server.answers.answer(self.path.partition("?")[0], self.headers.get("Accept", ""))
        except Exception:  # a scrape must not end without an answer
            log.exception("no answer", path=self.path)
            return Reply(500, PLAIN, b"internal error; see the log\n")

    def _send(self, reply: Reply, *, with_body: bool, also: dict[str, str] | None = None) -> None:
        body, headers = reply.body, {"Content-Type": reply.content_type, "Vary": "Accept, Accept-Encoding", **(also or {})}
        if len(body) > WORTH_PACKING and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, 1)
            headers["Content-Encoding"] = "gzip"
        headers |= {
            "Content-Length": str(len(body)),
            "Connection": "close",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
        headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
        self.send_response(reply.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name
        """The access log, at debug."""
        log.debug("request", client=self.client_address[0], line=format % args)
