"""The chat room of the demo: an HTTP server on loopback that takes Slack messages and hands their text on."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_BODY = 1_048_576  # bytes


class Message(msgspec.Struct):
    """What the room reads of a Slack message."""

    text: str = ""


class ChatRoom:
    """Context manager. `said` is called with the text of each message, from the server's thread."""

    def __init__(self, said: Callable[[str], None]) -> None:
        """Bind a free port; serving begins with the context."""

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(min(MAX_BODY, int(self.headers.get("Content-Length") or 0)))
                said(msgspec.json.decode(body, type=Message).text)
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the parent's
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/chat"

    def __enter__(self) -> Self:
        """Serve."""
        threading.Thread(target=self._server.serve_forever, daemon=True, name="chat").start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
