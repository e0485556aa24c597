"""Where a request may go: a name is resolved once, each address is judged, and only a judged address is ever connected to."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from streamspc.errors import ConfigError

NAT64 = IPv6Network("64:ff9b::/96")


class Target(NamedTuple):
    """A URL taken apart. `path` holds the query and may be a secret: it is never shown."""

    tls: bool
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, receiver: str, url: str) -> Target:
        """Take a receiver's URL apart. Raises ConfigError, which does not repeat it."""
        try:
            parts = urlsplit(url)
            port, host = parts.port, parts.hostname
        except ValueError:
            port, host, parts = None, None, urlsplit("")
        if parts.scheme not in {"http", "https"} or not host or any(c.isspace() or not c.isprintable() for c in url):
            raise ConfigError(f"receiver {receiver}: url: expected http:// or https:// with a host")
        if parts.username is not None or parts.password is not None:
            raise ConfigError(f"receiver {receiver}: url: a user or password in the URL is not sent; sign messages with `secret`")
        tls = parts.scheme == "https"
        query = f"?{parts.query}" if parts.query else ""
        return cls(tls, host, port or (443 if tls else 80), quote((parts.path or "/") + query, safe="/?:@!$&'()*+,;=~%-._[]"))

    @property
    def authority(self) -> str:
        """The Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


def resolve(target: Target, *, allow_private: bool) -> list[tuple[int, Any]]:
    """Families and addresses that may be connected to, in the resolver's order, empty where none is allowed.

    Raises OSError or UnicodeError when the name cannot be resolved.
    """
    found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found if allow_private or public(str(address[0]))]


def public(text: str) -> bool:
    """Is the address on the public internet? An IPv6 address that carries an IPv4 address is judged by that one as well."""
    address = ip_address(text.partition("%")[0])
    return all(a.is_global and not a.is_multicast for a in (address, *_carried(address)))


def _carried(address: IPv4Address | IPv6Address) -> list[IPv4Address]:
    if isinstance(address, IPv4Address):
        return []
    carried = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in NAT64:
        carried.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return [found for found in carried if found is not None]
