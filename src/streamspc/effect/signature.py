"""Standard Webhooks: the receiver can tell that a message is ours, and that nobody changed it.

The signature is the base64 of HMAC-SHA256 over `id.timestamp.body`, with the key that is the base64 after `whsec_`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING

from streamspc.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamspc.model import Secret

PREFIX = "whsec_"


def key(receiver: str, secret: Secret) -> bytes:
    """The key of a receiver's secret. Raises ConfigError where it is not `whsec_` and base64."""
    text = secret.reveal()
    try:
        found = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if not text.startswith(PREFIX) or not found:
        raise ConfigError(f"receiver {receiver}: secret: expected {PREFIX} followed by the base64 of a key")
    return found


def headers(signing: Sequence[bytes], message: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of a message sent at `timestamp` (seconds): a signature by each key, so that a receiver may know either.

    Without keys there is no signature.
    """
    found = {"webhook-id": message, "webhook-timestamp": str(timestamp)}
    content = f"{message}.{timestamp}.".encode() + body
    digests = [hmac.new(one, content, hashlib.sha256).digest() for one in signing]
    if digests:
        found["webhook-signature"] = " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)
    return found
