"""`receivers:` whom to tell, each in its own way."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, JsonValue

from streamspc.model import Secret
from streamspc.settings.part import Name, NotEmpty, Part, Positive, Seconds, SecretFile, SecretText, Switch, Topic, fault

_SOME: dict[str, JsonValue] = {"minItems": 1}


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


Address = Annotated[SecretText, AfterValidator(_address)]
AddressFile = Annotated[SecretFile, AfterValidator(_address)]


class Chat(Part):
    """A chat, by the address of an incoming webhook (in Teams: of a workflow)."""

    url: Address | None = None
    """Address of the incoming webhook; better from ${ENV}."""
    url_file: AddressFile | None = None
    """The file that holds the address, instead of `url`."""

    def faults(self) -> Iterator[tuple[str, str]]:
        """One address."""
        if len(self.written("url", "url_file")) != 1:
            yield "url", "write either url or url_file"

    def addresses(self) -> tuple[Secret, ...]:
        """The address."""
        return tuple(found for found in (self.url, self.url_file) if found)


class Webhook(Chat):
    """A service that takes messages as JSON, signed as Standard Webhooks has it."""

    secret: Annotated[SecretText, AfterValidator(_signing)] | None = None
    """Key of the signature (`whsec_...`); better from ${ENV}. Without one, messages are not signed."""
    secret_file: Annotated[SecretFile, AfterValidator(_signing)] | None = None
    """The file that holds the key, instead of `secret`."""
    previous_secret: Annotated[SecretText, AfterValidator(_signing)] | None = None
    """The key before: while the receiver learns the new one, messages are signed by both."""
    previous_secret_file: Annotated[SecretFile, AfterValidator(_signing)] | None = None
    """The file that holds the key before, instead of `previous_secret`."""
    cloudevents: Switch = False
    """Whether messages are in a CloudEvents envelope (structured mode)."""

    def faults(self) -> Iterator[tuple[str, str]]:
        """One address, at most one key and one key before it."""
        yield from super().faults()
        for key in ("secret", "previous_secret"):
            if len(self.written(key, f"{key}_file")) == 2:
                yield f"{key}_file", f"write either {key} or {key}_file"
        if self.written("previous_secret", "previous_secret_file") and not self.written("secret", "secret_file"):
            yield "secret", "missing; previous_secret is for the time of a change"

    def keys(self) -> tuple[Secret, ...]:
        """The keys, the newest first."""
        found = (self.secret or self.secret_file, self.previous_secret or self.previous_secret_file)
        return tuple(key for key in found if key)


class PagerDuty(Part):
    """PagerDuty, Events API v2. The messages of a group are one incident."""

    routing_key: SecretText | None = None
    """Integration key of the service; better from ${ENV}."""
    routing_key_file: SecretFile | None = None
    """The file that holds the key, instead of `routing_key`."""
    url: Address = Secret("https://events.pagerduty.com/v2/enqueue")
    """Where events go; `https://events.eu.pagerduty.com/v2/enqueue` in the EU."""

    def faults(self) -> Iterator[tuple[str, str]]:
        """One key."""
        if len(self.written("routing_key", "routing_key_file")) != 1:
            yield "routing_key", "write either routing_key or routing_key_file"

    def keys(self) -> tuple[Secret, ...]:
        """The routing key."""
        return tuple(key for key in (self.routing_key, self.routing_key_file) if key)


class Alertmanager(Part):
    """Prometheus Alertmanager, API v2. Each open episode is an alert, said again each minute to all peers."""

    urls: Annotated[tuple[Address, ...], NotEmpty] = Field(json_schema_extra=_SOME)
    """Addresses of all peers, without `/api`."""


class Kafka(Part):
    """A topic of the same cluster: messages as JSON with CloudEvents headers, each exactly once."""

    topic: Topic
    """The topic; it has to exist."""


class Receiver(Part):
    """One place to notify, of one kind."""

    KINDS: ClassVar = ("slack", "teams", "discord", "google_chat", "mattermost", "pagerduty", "alertmanager", "webhook", "kafka")

    name: Name
    """Name of the receiver; its consumer group and labels carry it."""
    slack: Chat | None = None
    """Slack."""
    teams: Chat | None = None
    """Microsoft Teams, by a workflow that posts cards."""
    discord: Chat | None = None
    """Discord."""
    google_chat: Chat | None = None
    """Google Chat."""
    mattermost: Chat | None = None
    """Mattermost."""
    pagerduty: PagerDuty | None = None
    """PagerDuty, Events API v2."""
    alertmanager: Alertmanager | None = None
    """Prometheus Alertmanager, API v2; what it groups and silences is its own, so `group_*`, `repeat_interval` and `mute` do not count."""
    webhook: Webhook | None = None
    """A service that takes messages as JSON, signed as Standard Webhooks has it."""
    kafka: Kafka | None = None
    """A topic of the same cluster."""
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
        written = self.written(*self.KINDS)
        if len(written) != 1:
            yield (written or ["name"])[0], f"write one of {', '.join(self.KINDS)}"
        if self.alertmanager and not self.send_resolved:
            yield "send_resolved", "an Alertmanager has to know which alerts are over; let it tell no one (send_resolved of its receivers)"
