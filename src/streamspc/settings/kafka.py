"""`kafka:` how to reach Kafka, and the bounds of one client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from streamspc.settings.part import Integer, Part, Positive, Seconds, SecretFile, SecretText, Switch, Text, microseconds

_SASL = ("sasl_mechanism", "sasl_username", "sasl_password", "sasl_password_file", "sasl_token_file")
_TLS = ("ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_password", "ssl_password_file", "ssl_crlfile", "ssl_check_hostname")


class Kafka(Part):
    """How to reach Kafka, and the bounds of one client."""

    bootstrap_servers: Annotated[str, Field(pattern=r"^[^\s,]+:[0-9]{1,5}(,[^\s,]+:[0-9]{1,5})*$")]
    """Brokers to begin with: `host:port`, several with commas between."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """Whether to speak TLS and whether to authenticate."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = None
    """How to authenticate, with SASL_PLAINTEXT and SASL_SSL."""
    sasl_username: Text | None = None
    """For PLAIN and SCRAM."""
    sasl_password: SecretText | None = None
    """For PLAIN and SCRAM; better from ${ENV}."""
    sasl_password_file: SecretFile | None = None
    """The file that holds the password, instead of `sasl_password`."""
    sasl_token_file: Text | None = None
    """For OAUTHBEARER: the file that holds the token. It is read again for each connection, so that another process may renew it."""
    ssl_cafile: Text | None = None
    """PEM file of the authorities that are trusted, instead of the system's."""
    ssl_certfile: Text | None = None
    """PEM file of the client's certificate."""
    ssl_keyfile: Text | None = None
    """PEM file of the client's key."""
    ssl_password: SecretText | None = None
    """Password of the key."""
    ssl_password_file: SecretFile | None = None
    """The file that holds the password of the key, instead of `ssl_password`."""
    ssl_crlfile: Text | None = None
    """PEM file of revoked certificates."""
    ssl_check_hostname: Switch = True
    """Whether the broker's certificate must be for its host name."""
    instance: Text | None = None
    """Static membership: unique and stable for each replica, as a StatefulSet's pod name (`${HOSTNAME}`)."""
    session_timeout: Seconds = "45s"
    """A member that is silent for so long has lost its partitions."""
    transaction_timeout: Seconds = "15s"
    """A transaction that takes longer is aborted by the broker."""
    max_poll_interval: Seconds = "5m"
    """A member that does not poll for so long has lost its partitions."""
    fetch_wait: Positive = "5s"
    """How long an idle fetch waits at the broker."""
    batch_records: Integer = Field(default=50_000, ge=1)
    """Records in a batch, at most."""
    batch_bytes: Integer = Field(default=8_388_608, ge=1_024)
    """Bytes fetched from one partition at a time."""
    request_bytes: Integer = Field(default=67_108_864, ge=1_048_576)
    """The largest produce request."""
    max_batch_bytes: Integer = Field(default=268_435_456, ge=1_048_576)
    """A record batch that unpacks to more is refused."""
    replication_factor: Integer = Field(default=3, ge=1, le=32_767)
    """Copies of the topics that `topics create` makes."""
    min_insync_replicas: Integer = Field(default=2, ge=1, le=32_767)
    """Copies that must have a record before it counts as written."""

    def faults(self) -> Iterator[tuple[str, str]]:
        """Credentials fit the protocol; copies and times fit each other."""
        if not self.security_protocol.startswith("SASL_"):
            for key in self.written(*_SASL):
                yield key, f"needs security_protocol SASL_PLAINTEXT or SASL_SSL, not {self.security_protocol}"
        else:
            yield from self._sasl()
        if not self.security_protocol.endswith("SSL"):
            for key in self.written(*_TLS):
                yield key, f"needs security_protocol SSL or SASL_SSL, not {self.security_protocol}"
        if len(self.written("ssl_password", "ssl_password_file")) == 2:
            yield "ssl_password_file", "write either ssl_password or ssl_password_file"
        if self.min_insync_replicas > self.replication_factor:
            yield "min_insync_replicas", f"more than replication_factor ({self.replication_factor}): nothing could ever be written"
        if microseconds(self.session_timeout) > microseconds(self.max_poll_interval):
            yield "session_timeout", "longer than max_poll_interval"

    def _sasl(self) -> Iterator[tuple[str, str]]:
        """Each mechanism has its credentials and no others."""
        given = self.written(*_SASL[1:])
        if self.sasl_mechanism is None:
            yield "sasl_mechanism", f"missing; {self.security_protocol} needs one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER"
        elif self.sasl_mechanism == "OAUTHBEARER":
            yield from ((key, "is for PLAIN and SCRAM; OAUTHBEARER needs sasl_token_file") for key in given if key != "sasl_token_file")
            if self.sasl_token_file is None:
                yield "sasl_token_file", "missing; OAUTHBEARER needs it"
        else:
            if self.sasl_username is None:
                yield "sasl_username", f"missing; {self.sasl_mechanism} needs it"
            if len(self.written("sasl_password", "sasl_password_file")) != 1:
                yield "sasl_password", f"{self.sasl_mechanism} needs either sasl_password or sasl_password_file"
            if self.sasl_token_file is not None:
                yield "sasl_token_file", f"is for OAUTHBEARER, not {self.sasl_mechanism}"
