"""One guarded POST. Every foreign error becomes an `Answer` with status 0; an answer names the host and nothing else of the URL."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import TYPE_CHECKING, Any, NamedTuple

from streamspc.effect.address import Target, resolve
from streamspc.model import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CONNECT = 5.0  # seconds for a connection and its handshake, at most
BODY = 65_536  # bytes of an answer that are read
DETAIL = 120  # characters of an answer that are kept


class Door(NamedTuple):
    """How one receiver is reached. `timeout` bounds a whole POST, whatever the other side does; the resolver has its own."""

    target: Target
    tls: ssl.SSLContext | None
    timeout: float
    allow_private: bool

    @classmethod
    def of(cls, target: Target, timeout: float, *, allow_private: bool) -> Door:
        """A door with certificates verified against the machine's authorities (SSL_CERT_FILE adds others)."""
        return cls(target, ssl.create_default_context() if target.tls else None, timeout, allow_private)


def post(door: Door, headers: Mapping[str, str], body: bytes) -> Answer:
    """POST the body once. Never raises for what the world does: status 0 says that there was no answer."""
    host = door.target.host
    try:
        addresses = resolve(door.target, allow_private=door.allow_private)
    except (OSError, UnicodeError):
        return Answer(0, detail=f"{host}: name not found")
    if not addresses:
        return Answer(0, detail=f"{host}: private address, allowed only with allow_private")
    until = time.monotonic() + door.timeout
    try:
        with _connected(door, addresses, until) as connection, _deadline(connection.sock, until):
            if isinstance(connection.sock, ssl.SSLSocket):
                connection.sock.do_handshake()
            connection.request("POST", door.target.path, body, {"Host": door.target.authority, "Connection": "close", **headers})
            return _answer(connection.getresponse(), door)
    except TimeoutError:
        return Answer(0, detail=f"{host}: no answer in {door.timeout:g} s")
    except ssl.SSLCertVerificationError as error:
        return Answer(0, detail=f"{host}: certificate: {error.verify_message}")
    except (OSError, HTTPException) as error:
        late = time.monotonic() >= until
        return Answer(0, detail=f"{host}: no answer in {door.timeout:g} s" if late else f"{host}: {type(error).__name__}")


@contextmanager
def _connected(door: Door, addresses: list[tuple[int, Any]], until: float) -> Iterator[HTTPConnection]:
    """A connection to the first of these very addresses that accepts one. No name is resolved here."""
    connection = HTTPConnection(door.target.host, door.target.port)
    sock = _socket(addresses, until)
    try:
        sock.settimeout(max(0.001, until - time.monotonic()))
        connection.sock = sock
        if door.tls:
            connection.sock = door.tls.wrap_socket(sock, server_hostname=door.target.host, do_handshake_on_connect=False)
        yield connection
    finally:
        connection.close()
        sock.close()


def _socket(addresses: list[tuple[int, Any]], until: float) -> socket.socket:
    failure: OSError = TimeoutError()
    for family, address in addresses:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(max(0.001, min(CONNECT, until - time.monotonic())))
            sock.connect(address)
        except OSError as error:
            failure = error
            sock.close()
        else:
            return sock
    raise failure


@contextmanager
def _deadline(sock: socket.socket, until: float) -> Iterator[None]:
    """End the connection at `until`: a timeout of the socket alone starts again with each byte that trickles in."""

    def end() -> None:
        with suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)  # of the plain socket: no goodbye of TLS that could wait

    timer = threading.Timer(max(0.0, until - time.monotonic()), end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _answer(response: HTTPResponse, door: Door) -> Answer:
    """Status, Retry-After and the first words of a refusal; a redirect is an answer like any other."""
    status, retry_after = response.status, response.getheader("Retry-After")
    words = response.read(BODY).decode("utf-8", "replace") if 400 <= status < 500 else ""
    told = " ".join("".join(c if c.isprintable() else " " for c in words).split())
    secret = door.target.path
    return Answer(status, retry_after, told[:DETAIL] if len(secret) < 2 or secret not in told else "")
