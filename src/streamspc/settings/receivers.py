"""`receivers:` whom to tell, each in its own way."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

from streamspc.model import Secret
from streamspc.settings.part import Name, Part, Positive, Seconds, SecretFile, SecretText, Switch, fault


def _address(secret: Secret) -> Secret:
    """An address that can be posted to. What it is stays out of the message: addresses of chats are passwords."""
    try:
        parts = urlsplit(secret.reveal())
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good or any(letter.isspace() for letter in secret.reveal()):
        raise fault("expected an address that begins with https:// or http://")
    return secret


def _signing(secret: Secret) -> Secret:
    """A key of the Standard Webhooks signature: `whsec_` and 24 to 64 bytes in base64."""
    text = secret.reveal()
    try:
        key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith("whsec_") or not 24 <= len(key) <= 64:
        raise fault("expected whsec_ followed by 24 to 64 bytes in base64; `openssl rand -base64 32` makes some")
    return secret


class Slack(Part):
    """A chat with incoming webhooks as Slack has them."""

    url: Annotated[SecretText, AfterValidator(_address)] | None = None
    """Address of the incoming webhook; better from ${ENV}."""
    url_file: Annotated[SecretFile, AfterValidator(_address)] | None = None
    """The file that holds the address, instead of `url`."""

    def faults(self) -> Iterator[tuple[str, str]]:
        """One address."""
        if len(self.written("url", "url_file")) != 1:
            yield "url", "write either url or url_file"


class Webhook(Slack):
    """A service that takes the signals as JSON, signed as Standard Webhooks has it."""

    secret: Annotated[SecretText, AfterValidator(_signing)] | None = None
    """Key of the signature (`whsec_...`); better from ${ENV}. Without one, messages are not signed."""
    secret_file: Annotated[SecretFile, AfterValidator(_signing)] | None = None
    """The file that holds the key, instead of `secret`."""

    def faults(self) -> Iterator[tuple[str, str]]:
        """One address, at most one key."""
        yield from super().faults()
        if len(self.written("secret", "secret_file")) == 2:
            yield "secret_file", "write either secret or secret_file"


class Receiver(Part):
    """One place to notify: `slack` or `webhook`."""

    name: Name
    """Name of the receiver; its consumer group and labels carry it."""
    slack: Slack | None = None
    """A chat with incoming webhooks as Slack has them."""
    webhook: Webhook | None = None
    """A service that takes the signals as JSON, signed as Standard Webhooks has it."""
    streams: tuple[Name, ...] = ()
    """Streams to tell about; none: all."""
    send_resolved: Switch = True
    """Whether to tell when an episode ends, too."""
    allow_private: Switch = False
    """Whether the address may be on a private network or this machine."""
    timeout: Positive = "10s"
    """How long one attempt may take."""
    max_age: Seconds = "1d"
    """A message older than this is given up and counted."""
    max_attempts_interval: Positive = "5m"
    """The longest wait between two attempts."""

    def faults(self) -> Iterator[tuple[str, str]]:
        """One kind."""
        if len(self.written("slack", "webhook")) != 1:
            yield "slack", "write either slack or webhook"
